"""The asyncio client against real sockets: the same operations, many at a time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from lanekeeper.client import Closed, Data, Ended, EventsLost, NotFound, TimedOut, Unreachable
from lanekeeper.client.aio import AsyncPlane, connect
from lanekeeper.wire.messages.terminal import TerminalResult
from unit.client.fakelane import LANE, SESSION, WS, flood
from unit.client.fakeplane import FakePlane


def go(fake: FakePlane, body: Callable[[AsyncPlane], Awaitable[None]]) -> None:
    """Run `body` with a connected plane on a fresh event loop."""

    async def main() -> None:
        async with await connect(fake.directory) as plane:
            await asyncio.wait_for(body(plane), 30)

    asyncio.run(main())


def test_a_command_is_run(fake: FakePlane) -> None:
    async def body(plane: AsyncPlane) -> None:
        lane = await plane.lane("build")
        done = await lane.run(["echo", "hello"])
        assert (done.output, done.returncode) == (b"hello\n", 0)
        data = flood(500_000)
        assert (await lane.run(["cat"], input=data)).output == data

    go(fake, body)


def test_many_things_happen_at_once(fake: FakePlane) -> None:
    async def body(plane: AsyncPlane) -> None:
        lane = await plane.lane("build")
        runs = [lane.run(["flood", str(size)]) for size in range(0, 200_000, 20_000)]
        lists = [plane.lanes() for _ in range(20)]
        done = await asyncio.gather(*runs)
        assert [one.output for one in done] == [flood(n) for n in range(0, 200_000, 20_000)]
        assert all(len(found) == 2 for found in await asyncio.gather(*lists))

    go(fake, body)


def test_every_verb_is_there(fake: FakePlane) -> None:
    async def body(plane: AsyncPlane) -> None:
        assert (await plane.workspace()).id == WS
        assert [one.id for one in await plane.workspaces()] == [WS]
        assert (await plane.context()).lane_id == LANE
        assert (await plane.create_lane("build")).id == LANE
        assert (await plane.resolve("build")).lane.id == LANE
        lane = await plane.lane("build", create=False)
        assert (await lane.refresh()).id == LANE
        session = await lane.session()
        async with await session.attach() as attachment:
            assert attachment.lease_id.startswith("lease_")
            assert attachment.attached.session == attachment.info
        assert session.info.id == SESSION
        terminal = await lane.spawn(["cat"])
        await terminal.resize(90, 30)
        assert await terminal.send("hi") == 2
        assert (await terminal.read()).data == b"hi"
        assert (await plane.terminal("build")).id == terminal.id
        got = await plane.call("terminal.get", result=TerminalResult, terminal_id=terminal.id)
        assert got.terminal.id == (await terminal.refresh()).id
        await terminal.signal("TERM")
        assert (await terminal.wait(timeout=5)).signal == 15
        await terminal.respawn()
        assert (await terminal.close()).terminals == 1
        assert (await lane.cleanup()).processes == 1

    go(fake, body)


def test_output_is_followed_to_its_end(fake: FakePlane) -> None:
    async def body(plane: AsyncPlane) -> None:
        lane = await plane.lane("build")
        terminal = await lane.spawn(["cat"], policy="block")
        async with terminal.output(timeout=5) as output:
            await terminal.send(b"one", eof=True)
            items = [item async for item in output]
            assert items[0] == Data(0, b"one")
            assert isinstance(items[-1], Ended)
            assert output.position == 3
        assert "terminal.consume" not in fake.methods()
        quiet = await lane.spawn(["sleep"])
        with pytest.raises(TimedOut):
            await anext(quiet.output(timeout=0.1))

    go(fake, body)


def test_a_slow_reader_of_a_flood_gets_every_byte(fake: FakePlane) -> None:
    async def body(plane: AsyncPlane) -> None:
        terminal = await (await plane.lane("build")).spawn(["flood", "6000000"])
        found = bytearray()
        async for item in terminal.output(policy="forever"):
            found += item.data if isinstance(item, Data) else b""
            await asyncio.sleep(0)
        assert found == flood(6_000_000)

    go(fake, body)


def test_events_are_replayed_and_then_live(fake: FakePlane) -> None:
    async def body(plane: AsyncPlane) -> None:
        for _ in range(5):
            fake.do("event")
        assert [event.seq async for event in plane.events(since=0, follow=False)] == [1, 2, 3, 4, 5]
        async with plane.events(since=4) as events:
            assert (await anext(events)).seq == 5
            fake.do("event")
            assert (await anext(events)).seq == 6
        fake.first_event = 4
        with pytest.raises(EventsLost):
            await anext(plane.events(since=1))

    go(fake, body)


def test_a_cancelled_run_ends_its_program(fake: FakePlane) -> None:
    async def body(plane: AsyncPlane) -> None:
        lane = await plane.lane("build")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await lane.run(["sleep"])
        while "terminal.close" not in fake.methods():
            await plane.lanes()

    go(fake, body)


def test_errors_are_those_of_the_blocking_client(fake: FakePlane) -> None:
    async def body(plane: AsyncPlane) -> None:
        lane = await plane.lane("build")
        terminal = await lane.spawn(["sink"])
        fake.faults.ignore["terminal.input"] = 1000
        with pytest.raises(TimedOut):
            await terminal.send(b"x", timeout=0.1)
        fake.do("forget")
        with pytest.raises(NotFound):
            await terminal.refresh()
        with pytest.raises(NotFound):
            _ = [item async for item in terminal.output(policy="drop")]
        pending = asyncio.ensure_future(plane.call("x", result=TerminalResult))
        await asyncio.sleep(0)
        await plane.close()
        with pytest.raises(Closed):
            await pending
        with pytest.raises(Closed):
            await plane.lanes()

    go(fake, body)


def test_no_broker_is_unreachable(fake: FakePlane) -> None:
    async def main() -> None:
        fake.faults.silent = True
        with pytest.raises(Unreachable):
            await connect(fake.directory, timeout=0.2)

    asyncio.run(main())

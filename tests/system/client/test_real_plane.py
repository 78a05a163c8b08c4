"""The client library against a real plane: keeper, broker, workers, PTYs."""

import asyncio
import os
import signal
import sys
import threading

import pytest

from kit.cluster import Plane
from kit.killing import give_up
from kit.waiting import wait_until
from lanekeeper.client import (
    Busy,
    Conflict,
    Data,
    Ended,
    Event,
    Gap,
    LaneError,
    NotFound,
    Resized,
    SpawnFailed,
    TimedOut,
    Unreachable,
)
from lanekeeper.client import Plane as Connected
from lanekeeper.client.aio import connect as aio_connect
from lanekeeper.wire.messages.plane import Context


def numbers(last: int) -> bytes:
    return "".join(f"{number}\n" for number in range(1, last + 1)).encode()


def test_ten_lines_start_a_lane_and_give_output_and_code(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        done = plane.lane("build").run(["sh", "-c", "echo hello; exit 7"])
    assert done.output == b"hello\n"
    assert done.code == done.returncode == 7
    assert done.gaps == ()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_death_by_a_signal_is_told_apart(shared_plane: Plane, number: signal.Signals) -> None:
    with shared_plane.connect() as plane:
        done = plane.lane("build").run(["sh", "-c", f"kill -{number.value} $$"])
    assert (done.exit.kind, done.exit.signal) == ("signaled", number.value)
    assert done.returncode == 128 + number.value


def test_bytes_go_through_a_program_unchanged(shared_plane: Plane) -> None:
    data = os.urandom(1_500_000)
    with shared_plane.connect() as plane:
        assert plane.lane("build").run(["cat"], input=data).output == data


def test_a_flood_many_times_the_log_is_complete(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        lane = plane.lane("build")
        done = lane.run(["seq", "1", "300000"], capacity=65536)
    assert done.output == numbers(300_000)
    assert done.gaps == ()


def test_a_program_takes_over_where_it_was_started(
    shared_plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LK_TEST_WORD", "caller")
    script = "pwd; umask; echo $LK_TEST_WORD ${LANEKEEPER_LANE:+own}; stty size"
    with shared_plane.connect() as plane:
        lane = plane.lane("build")
        done = lane.run(["sh", "-c", script], cwd="/", umask=0o027, stdin="tty", cols=90, rows=33)
        assert done.output.split() == [b"/", b"0027", b"caller", b"own", b"33", b"90"]
        clean = lane.run(["/usr/bin/env"], env={"A": b"\xff"})
        assert b"A=\xff\n" in clean.output
        assert b"LK_TEST_WORD" not in clean.output


def test_a_terminal_is_driven_like_a_person_would(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        terminal = plane.lane("build").spawn(
            ["sh"], env={"PS1": "ready> ", "PATH": "/usr/bin:/bin"}
        )
        seen = bytearray()
        with terminal.output(timeout=10) as output:
            while b"ready> " not in seen:
                item = next(output)
                seen += item.data if isinstance(item, Data) else b""
            terminal.resize(100, 30)
            assert next(output) == Resized(100, 30)
            terminal.send("stty size; exit 3\n")
            items = list(output)
        text = b"".join(item.data for item in items if isinstance(item, Data))
        assert b"30 100" in text
        last = items[-1]
        assert isinstance(last, Ended)
        assert last.exit.code == 3
        assert terminal.wait(5).code == 3
        assert terminal.refresh().state == "stopped"
        terminal.respawn()
        assert terminal.refresh().runs == 2
        terminal.signal("KILL", target="tree")
        assert terminal.wait(5).signal == signal.SIGKILL


def test_output_of_the_past_is_there_and_what_is_gone_is_a_gap(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        lane = plane.lane("build")
        terminal = lane.spawn(["seq", "1", "60000"], output="raw", capacity=65536)
        assert terminal.wait(10).code == 0
        items = list(terminal.output(timeout=10))
        assert isinstance(items[0], Gap)
        assert items[0].start == 0
        text = b"".join(item.data for item in items if isinstance(item, Data))
        assert numbers(60_000).endswith(text)
        assert items[0].end + len(text) == len(numbers(60_000))
        oldest = list(terminal.output(None, follow=False))
        assert b"".join(item.data for item in oldest if isinstance(item, Data)) == text


def test_interactive_input_and_output_multiplex_in_one_thread(shared_plane: Plane) -> None:
    data = numbers(400_000)
    reading, writing = os.pipe()
    feeder = threading.Thread(target=_feed, args=(writing, data))
    feeder.start()
    with shared_plane.connect() as plane:
        terminal = plane.lane("build").spawn(["cat"], stdin="pipe", output="raw", policy="forever")
        found = bytearray()
        open_input = True
        with terminal.output(policy="forever") as output:
            while not output.ended:
                wanted = [reading] if open_input and terminal.unsent < 262_144 else []
                if plane.wait(wanted, timeout=10.0):
                    piece = os.read(reading, 65_536)
                    terminal.send_nowait(piece, eof=not piece)
                    open_input = bool(piece)
                found += b"".join(i.data for i in output.poll() if isinstance(i, Data))
    feeder.join()
    os.close(reading)
    assert found == data


def _feed(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


def test_names_are_taken_found_and_refused(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        lane = plane.create_lane("taken")
        with pytest.raises(Conflict):
            plane.create_lane("taken")
        assert plane.create_lane("taken", ensure=True).id == lane.id
        assert [one.name for one in plane.lanes()] == ["taken"]
        with pytest.raises(NotFound):
            plane.lane("absent", create=False)
        with pytest.raises(SpawnFailed):
            lane.run(["/no/such/program"])
        with pytest.raises(TimedOut):
            lane.run(["sleep", "60"], timeout=0.5)
        with pytest.raises(Busy):
            lane.run(["seq", "1", "100000"], max_output=10_000)
        terminal = lane.spawn(["sleep", "60"])
        lane.spawn(["sleep", "60"])
        with pytest.raises(LaneError) as caught:
            plane.terminal("taken")
        assert terminal.info.name in str(caught.value.details["choices"])
        assert plane.terminal(f"taken.{terminal.info.name}").id == terminal.id
        assert plane.context().lane_id == lane.id
        assert lane.session("main").terminate(1.0).processes >= 2
        lane.cleanup(1.0)
        assert plane.lanes() == []


def test_events_tell_the_story_in_order_with_one_correlation_id(shared_plane: Plane) -> None:
    with shared_plane.connect() as plane:
        with plane.events() as events:
            assert events.poll(0) == []
            plane.create_lane("story", correlation_id="corr_story")
            found: list[Event] = []
            while "lane.created" not in [event.topic for event in found]:
                found += events.poll(5)
        assert {event.correlation_id for event in found} == {"corr_story"}
        sequence = [event.seq for event in found]
        assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))
        again = list(plane.events(since=sequence[0] - 1, follow=False))
        assert [event.id for event in again][: len(found)] == [event.id for event in found]


def test_the_broker_is_killed_while_a_program_runs(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("build")
        terminal = lane.spawn(["cat"], policy="forever")
        with terminal.output(policy="forever", timeout=15) as output:
            terminal.send("one\n")
            seen = bytearray()
            plane.kill("broker", signal.SIGKILL)
            terminal.send("two\n")
            while seen.count(b"two") < 2:
                item = next(output)
                seen += item.data if isinstance(item, Data) else b""
            assert seen.replace(b"\r\n", b" ").split() == [b"one", b"one", b"two", b"two"]
        wait_until(lambda: _known(client), 15, "the new broker to know the lane")
        assert lane.run(["echo", "after"]).output == b"after\n"


def _known(client: Connected) -> bool:
    try:
        return bool(client.lanes())
    except LaneError:
        return False


def test_a_lane_is_given_up_and_everybody_who_waits_is_told(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("build")
        terminal = lane.spawn(["sleep", "60"])
        output = terminal.output(policy="drop")
        assert output.poll(0) == []
        give_up(plane, lane)
        with pytest.raises(LaneError):
            terminal.wait(20)
        with pytest.raises(LaneError):
            list(output)
        with pytest.raises(LaneError):
            terminal.send("x", timeout=20)


def test_a_lane_that_was_given_up_can_be_cleaned_up(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("build")
        lane.spawn(["sleep", "60"])
        give_up(plane, lane)
        lane.cleanup(1.0)
        assert client.lanes() == []


def test_a_stopped_plane_is_unreachable(plane: Plane) -> None:
    with plane.connect() as client:
        client.lane("build")
        plane.stop()
        with pytest.raises((Unreachable, TimedOut)):
            client.call("context.get", result=Context, timeout=0.5)


def test_many_lanes_at_once_with_asyncio(shared_plane: Plane) -> None:
    async def main() -> list[bytes]:
        async with await aio_connect(shared_plane.dir) as plane:
            lanes = [await plane.lane(f"lane{number}") for number in range(4)]
            runs = [
                lane.run(["seq", "1", str(10_000 * (number + 1))])
                for number, lane in enumerate(lanes)
                for _ in range(2)
            ]
            done = await asyncio.gather(*runs)
            return [one.output for one in done]

    outputs = asyncio.run(main())
    assert outputs == [numbers(10_000 * (number + 1)) for number in range(4) for _ in range(2)]


def test_asyncio_drives_a_terminal(shared_plane: Plane) -> None:
    async def main() -> None:
        async with await aio_connect(shared_plane.dir) as plane:
            lane = await plane.lane("build")
            terminal = await lane.spawn([sys.executable, "-q", "-c", "print(input()[::-1])"])
            async with terminal.output(timeout=15) as output:
                await terminal.send("abc\n")
                items = [item async for item in output]
            text = b"".join(item.data for item in items if isinstance(item, Data))
            assert text.split() == [b"abc", b"cba"]
            assert isinstance(items[-1], Ended)
            assert (await terminal.wait(timeout=5)).code == 0

    asyncio.run(main())

"""The broker hangs while the lane lives: what a person does at a terminal goes on."""

import asyncio

from lanekeeper.client import Plane
from lanekeeper.client.aio import connect
from unit.client.fakeplane import FakePlane


def test_sizes_and_signals_need_no_broker(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    fake.faults.broker_hangs = True
    terminal.resize(100, 30)
    terminal.signal("INT")
    fake.faults.broker_hangs = False


def test_sizes_and_signals_need_no_broker_in_a_loop(fake: FakePlane) -> None:
    async def main() -> None:
        async with await connect(fake.directory) as plane:
            terminal = await (await plane.lane("build")).spawn(["cat"])
            fake.faults.broker_hangs = True
            await terminal.resize(100, 30)
            await terminal.signal("INT")
            fake.faults.broker_hangs = False

    asyncio.run(main())

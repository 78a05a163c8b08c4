"""A night's worth of lanes: what comes and goes a hundred times leaves the plane as it was."""

from typing import Final

import pytest

from kit.cluster import Plane
from kit.standing import Standing
from lanekeeper.client import Plane as Connected

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(300)]

ROUNDS: Final = 60
LANES: Final = 5


def test_lanes_come_and_go_and_leave_nothing(plane: Plane) -> None:
    with Standing(plane) as standing:
        with plane.connect() as client:
            for turn in range(ROUNDS):
                use(client, turn)
            assert [lane.name for lane in client.lanes()] == ["bystander"]
        standing.check()


def use(client: Connected, turn: int) -> None:
    """Make some lanes, run a program in each, and clean them up."""
    lanes = [client.lane(f"guest-{number}") for number in range(LANES)]
    for lane in lanes:
        done = lane.run(["sh", "-c", f"echo {turn}; exit {turn % 50}"])
        assert (done.output, done.code) == (f"{turn}\n".encode(), turn % 50)
    for lane in lanes:
        lane.cleanup()

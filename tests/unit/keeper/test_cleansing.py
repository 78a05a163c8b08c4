"""What a lane left behind is killed look by look; the keeper does other things in between."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanekeeper.keeper import identity
from lanekeeper.keeper.events import Cleanse
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.keeper.survivors import CLEANSE_SCANS, Cleansing, Cleansings, Survivors

REQUEST = Cleanse(1, {"op": "sweep", "id": "s"}, "lane_x")


@pytest.fixture
def left() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Yield what starts programs of the lane, and kills them at the end."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def program() -> subprocess.Popen[bytes]:
    environ = {"LANEKEEPER_LANE": "lane_x", "PATH": os.environ["PATH"]}
    return subprocess.Popen(["sleep", "600"], env=environ)


def over(cleansings: Cleansings, left: list[subprocess.Popen[bytes]]) -> list[Cleansing]:
    """Do one step; somebody starts another program after it."""
    found = cleansings.due(0.0)
    left.append(program())
    return found


def test_each_turn_looks_once_and_what_came_meanwhile_is_killed_too(
    tmp_path: Path, left: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    def look(rundir: Rundir, lane_id: str) -> list[identity.Process]:
        looks.append(lane_id)
        return real(rundir, lane_id)

    real = identity.lane_children
    monkeypatch.setattr(identity, "lane_children", look)
    cleansings = Cleansings(Survivors(Rundir(tmp_path)))
    left.append(program())
    cleansings.begin(REQUEST)
    for turn in range(1, 4):
        assert over(cleansings, left) == []
        assert looks == ["lane_x"] * turn
        assert left[turn - 1].wait(10) == -signal.SIGKILL
    assert cleansings.due(0.0) == []
    left[-1].wait()
    (done,) = cleansings.due(0.0)
    assert len(done.killed) == len(left)
    assert done.request is REQUEST
    assert cleansings.deadline > 0


def test_what_starts_faster_than_the_keeper_looks_is_left(
    tmp_path: Path, left: list[subprocess.Popen[bytes]]
) -> None:
    cleansings = Cleansings(Survivors(Rundir(tmp_path)))
    cleansings.begin(REQUEST)
    left.append(program())
    turns = 1
    while not over(cleansings, left):
        turns += 1
    assert turns == CLEANSE_SCANS

"""Programs that are started while the nursery is dead, or dies on the way, start with the next."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.cluster import Plane
from kit.waiting import wait_until
from lanekeeper.client import Lane, LaneError, Terminal
from lanekeeper.client import Plane as Connected
from lanekeeper.client.errors import TimedOutError
from lanekeeper.wire.messages.terminal import ExitStatus

EXITED = ExitStatus(kind="exited", code=7)
ENDS = ["sh", "-c", "exit 7"]
ENDLESS = ["sleep", "1000"]


@pytest.fixture
def client(plane: Plane) -> Iterator[Connected]:
    with plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("starts")


def test_a_start_right_after_the_nursery_died(plane: Plane, lane: Lane) -> None:
    plane.kill("nursery")
    terminal = lane.spawn(ENDS)
    assert terminal.wait(10.0) == EXITED
    plane.kill("nursery")
    terminal.respawn()
    assert terminal.wait(10.0) == EXITED


def test_a_nursery_that_dies_with_a_start_in_its_queue(plane: Plane, lane: Lane) -> None:
    nursery = plane.pids("nursery")[0]
    os.kill(nursery, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as beside, plane.connect() as other:
        started = beside.submit(other.lane("starts").spawn, ENDS)
        wait_until(lambda: lane.refresh().terminals == 1, 5.0, "the start")
        os.kill(nursery, signal.SIGKILL)
        assert started.result(15.0).wait(10.0) == EXITED


def statuses(plane: Plane) -> list[str]:
    """Return those of all lanes, as another client sees them."""
    with plane.connect() as looking:
        return [lane.status for lane in looking.lanes()]


@contextmanager
def waiting_start(plane: Plane, lane: Lane, argv: list[str]) -> Iterator[Future[Terminal]]:
    """Have a start wait in the queue of a nursery that stands still."""
    os.kill(plane.pids("nursery")[0], signal.SIGSTOP)
    with ThreadPoolExecutor(1) as beside, plane.connect(timeout=20.0) as other:
        started = beside.submit(other.lane("starts").spawn, argv)
        wait_until(lambda: lane.refresh().terminals == 1, 5.0, "the start")
        yield started


def test_a_terminal_that_is_closed_while_its_start_waits(plane: Plane, lane: Lane) -> None:
    with waiting_start(plane, lane, ENDLESS) as started:
        with plane.connect(timeout=2.0) as impatient, pytest.raises(TimedOutError):
            impatient.terminal("starts").close(0.1)
        plane.kill("nursery")
        with pytest.raises(LaneError):
            started.result(20.0)
    wait_until(lambda: lane.refresh().terminals == 0, 10.0, "the end of the terminal")
    assert lane.spawn(ENDS).wait(10.0) == EXITED


def test_a_lane_that_is_cleaned_up_while_a_start_waits(
    plane: Plane, client: Connected, lane: Lane
) -> None:
    with waiting_start(plane, lane, ENDLESS) as started, ThreadPoolExecutor(1) as beside:
        cleaned = beside.submit(lane.cleanup, 0.1)
        wait_until(lambda: statuses(plane) == ["cleaning"], 5.0, "the clean-up")
        plane.kill("nursery")
        with pytest.raises(LaneError):
            started.result(20.0)
        cleaned.result(10.0)
    assert client.lanes() == []
    assert client.lane("starts").spawn(ENDS).wait(10.0) == EXITED


def test_a_worker_that_dies_while_a_start_waits(plane: Plane, lane: Lane, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with waiting_start(plane, lane, ["sh", "-c", f"echo once >> {said}; exit 7"]) as started:
        plane.kill("worker", lane=lane.id)
        plane.kill("nursery")
        assert started.result(20.0).wait(10.0) == EXITED
    assert said.read_text("ascii") == "once\n"

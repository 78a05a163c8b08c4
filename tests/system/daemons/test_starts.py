"""Programs that are started while the nursery is dead, or dies on the way, start with the next."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.cluster import Plane
from kit.waiting import wait_until
from lanekeeper.client import Lane
from lanekeeper.client import Plane as Connected
from lanekeeper.wire.messages.terminal import ExitStatus

EXITED = ExitStatus(kind="exited", code=7)
ENDS = ["sh", "-c", "exit 7"]


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

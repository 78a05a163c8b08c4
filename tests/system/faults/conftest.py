"""A lane under flood, for faults that are not the death of a process."""

import time
from collections.abc import Callable, Iterator

import pytest

from kit.waiting import remaining
from lanekeeper.client import Plane, connect
from lanekeeper.soak.cluster import Cluster
from lanekeeper.soak.subject import Subject

SEED = 99
RATE = 2_000_000
STATUS = 23


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A plane of this test alone, and the check that nothing of it is left."""
    started = Cluster()
    try:
        yield started
    finally:
        left = started.stop()
    assert left == []


@pytest.fixture
def connected(cluster: Cluster) -> Iterator[Plane]:
    """A client of that plane."""
    with connect(cluster.directory, timeout=10) as plane:
        yield plane


@pytest.fixture
def subject(connected: Plane) -> Iterator[Subject]:
    """A lane whose program floods and echoes; judged as a whole when the test has ended."""
    one = Subject(connected, "flooded", SEED, RATE)
    yield one
    findings = [*one.alive(), *one.finish(STATUS)]
    one.close()
    assert list(map(str, findings)) == []


Drive = Callable[[Callable[[], bool], float], bool]


@pytest.fixture
def drive(connected: Plane, subject: Subject) -> Drive:
    """Read and type until something holds, at most so many seconds; whether it does."""

    def until(done: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not done():
            if not remaining(deadline) or subject.broken:
                return False
            subject.turn()
            connected.wait(timeout=0.01)
        return True

    return until

"""Nothing can be forked any more: what needs a process is refused, and nothing else is disturbed.

The nursery alone is put under a limit that makes its fork fail with EAGAIN, as the kernel does when
a container's pids limit or a user's number of processes is reached: see `kit.forks`.
"""

import contextlib
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit import forks
from kit.waiting import wait_until
from lanekeeper.client import LaneError, connect
from lanekeeper.soak import proc
from lanekeeper.soak.cluster import Cluster
from lanekeeper.soak.subject import Subject

WARM = 3
"""Workers that a plane of the suite has ready, which lanes can still be given."""

Drive = Callable[[Callable[[], bool], float], bool]
Limit = Callable[[int], contextlib.AbstractContextManager[None]]


def program(cluster: Cluster, lane: str = "flooded") -> str:
    """Start a program in a lane, which is made if it is not there; say what came of it."""
    with connect(cluster.directory, timeout=20) as plane:
        try:
            plane.lane(lane).spawn(["sleep", "1000"]).close(0)
        except LaneError as error:
            return f"{error.code}: {error}"
    return "started"


def lanes(cluster: Cluster) -> str:
    """Make lanes until one is refused; return the refusal."""
    with connect(cluster.directory, timeout=20) as plane:
        for number in range(WARM + 2):
            try:
                plane.create_lane(f"more{number}")
            except LaneError as error:
                return f"{error.code}: {error}"
    return "made"


@pytest.mark.parametrize("limit", list(forks.ROUTES.values()), ids=list(forks.ROUTES))
def test_without_processes_programs_and_lanes_are_refused_and_nothing_is_lost(
    cluster: Cluster, subject: Subject, drive: Drive, limit: Limit
) -> None:
    def asked(question: Callable[[], str]) -> str:
        found = pool.submit(question)
        assert drive(found.done, 30.0)
        return found.result()

    assert drive(lambda: subject.acknowledged > 0, 10.0)
    (nursery,) = cluster.status().of("nursery")
    (worker,) = cluster.status().of("worker", subject.lane.id)
    with ThreadPoolExecutor(1) as pool:
        with limit(nursery.pid):
            refused = asked(lambda: program(cluster))
            assert refused.startswith("SPAWN_FAILED: ")
            assert "limit" in refused
            # Whoever dies now still has a successor: those that are warm already.
            proc.kill(worker.pid, signal.SIGKILL)
            since = subject.judge.offset
            assert drive(lambda: subject.judge.offset > since + 1_000_000, 10.0)
            refused = asked(lambda: lanes(cluster))
            assert refused.startswith("SPAWN_FAILED: ")
            assert "cannot fork" in refused
            assert any("cannot fork" in one for one in cluster.status().degraded)
        again = asked(lambda: wait_until(lambda: program(cluster), 1.0, "an answer"))
        assert again == "started"
        assert asked(lambda: program(cluster, "fresh")) == "started"
    assert drive(lambda: cluster.status().degraded == (), 20.0)
    assert cluster.status().of("nursery") == [nursery]

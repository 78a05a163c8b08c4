"""A worker that stood still when it got its lane hears what was said behind that."""

import os
import signal
import time

from kit.cluster import Plane
from kit.waiting import wait_until

DRAIN_SECONDS = 10.0
"""After which a keeper kills a worker that does not end by itself."""


def reached(plane: Plane, state: str) -> None:
    """Wait until a worker is in a state."""
    wait_until(lambda: any(one["state"] == state for one in plane.processes()), 10, state)


def test_the_end_of_the_plane_reaches_a_worker_that_is_just_being_assigned(plane: Plane) -> None:
    wait_until(lambda: len(plane.pids("worker")) >= 2, 10, "warm workers")
    workers = plane.pids("worker")
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    with plane.start_lane("create", "late") as create:
        reached(plane, "granted")
        down = plane.start_lane("down", "--yes")
        reached(plane, "draining")
        started = time.monotonic()
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        assert down.wait(30) == 0
        assert time.monotonic() - started < DRAIN_SECONDS / 2
        create.communicate(timeout=30)
        down.communicate(timeout=30)

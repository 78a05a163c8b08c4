"""Killing the workers of a lane, one after the other, until the plane gives the lane up.

Called by tests of what happens then; everything has a deadline.
"""

import os
import signal
from typing import TYPE_CHECKING, Final

from kit.cluster import Plane
from kit.waiting import wait_until

if TYPE_CHECKING:
    from lanekeeper.client import Lane

DEATHS: Final = 5
"""So many within a minute are a crash loop."""


def worker(plane: Plane, lane: "Lane") -> int | None:
    """Return the pid of the worker that serves a lane now."""
    pids = plane.pids("worker", lane.id)
    return pids[0] if pids else None


def successor(plane: Plane, lane: "Lane", last: int | None) -> int:
    """Return the pid of the worker that came after another one."""

    def found() -> int | None:
        pid = worker(plane, lane)
        return None if pid == last else pid

    pid = wait_until(found, 10, "a worker")
    if pid is None:
        raise AssertionError("a worker without a pid")
    return pid


def give_up(plane: Plane, lane: "Lane") -> None:
    """Kill a lane's workers until it is given up."""
    last: int | None = None
    for _ in range(DEATHS):
        last = successor(plane, lane, last)
        os.kill(last, signal.SIGKILL)
    wait_until(lambda: lane.refresh().status == "failed", 10, "the lane to be given up")

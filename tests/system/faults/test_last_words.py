"""A lane that was ended stays ended, in whatever order the keeper hears of it."""

import os
import signal

from kit.cluster import Plane
from kit.processes import look
from kit.waiting import kill_and_wait, wait_until
from lanekeeper.client import Plane as Connected


def lanes(plane: Plane) -> list[str]:
    """Return the lanes that have a worker."""
    return [str(one["lane"]) for one in plane.processes() if one.get("lane")]


def ended(client: Connected, plane: Plane) -> None:
    """End a lane while the keeper stands still and has word of another end already."""
    lane = client.lane("brief")
    (worker,) = plane.pids("worker", lane.id)
    spare = next(pid for pid in plane.pids("worker") if pid != worker)
    keeper = plane.pids("keeper")[0]
    os.kill(keeper, signal.SIGSTOP)
    try:
        # The nursery's word on this end waits first; its word on the lane's worker joins it there.
        kill_and_wait(spare)
        lane.cleanup()
        wait_until(lambda: (seen := look(worker)) is None or seen.zombie, 5, "end of the worker")
    finally:
        os.kill(keeper, signal.SIGCONT)


def test_the_keeper_reads_a_workers_last_words_before_it_believes_in_its_end(plane: Plane) -> None:
    with plane.connect() as client:
        for _ in range(3):
            wait_until(lambda: len(plane.pids("worker")) >= 3, 10, "warm workers")
            ended(client, plane)
            assert lanes(plane) == []

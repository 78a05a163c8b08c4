"""What is known of a plane's workers, as others ask for it.

Owns the three collections of the pool (workers, lanes that wait for one, lanes that wait for the
next one) and the questions about them. Refuses every change: those are the pool's. Sans-IO: the
pool is one.
"""

from collections.abc import Iterator
from typing import Any

from lanekeeper.keeper.grants import Grants
from lanekeeper.keeper.roster import Record, Roster
from lanekeeper.keeper.states import Worker
from lanekeeper.keeper.succession import CRASH_LOOP, Succession


class Lookups:
    """The workers of a plane, to look at."""

    def __init__(self) -> None:
        """Start with none."""
        self._roster = Roster()
        self._grants = Grants()
        self._succession = Succession()

    def __iter__(self) -> Iterator[Record]:
        """Yield the records, oldest first."""
        return iter(self._roster)

    @property
    def empty(self) -> bool:
        """Whether no worker is left."""
        return not self._roster

    @property
    def waiting(self) -> int:
        """How many lanes wait for a worker."""
        return len(self._grants) + len(self._succession)

    def of_peer(self, peer: int) -> Record | None:
        """Return the record of a channel."""
        return self._roster.of_peer(peer)

    def of_lane(self, lane_id: str) -> Record | None:
        """Return the record of a lane's worker."""
        return self._roster.of_lane(lane_id)

    def succeeds(self, lane_id: str) -> bool:
        """Whether a lane waits for a successor."""
        return any(lane["lane_id"] == lane_id for lane in self._succession.lanes())

    def lanes(self) -> list[dict[str, Any]]:
        """Return every lane that has a worker, or waits for the next one, for a new broker."""
        served = [
            {"lane": dict(record.lane), "pid": record.pid, "start_time": record.start_time}
            for record in self
            if record.lane is not None and record.state is not Worker.ENDING and not record.closed
        ]
        return [*served, *({"lane": dict(lane)} for lane in self._succession.lanes())]

    def stopped(self) -> list[dict[str, Any]]:
        """Return what a broker is to know of the lanes that wait until somebody asks for them."""
        told = {"op": "died", "recovering": False, "kept": True, "reason": CRASH_LOOP}
        return [
            {**told, "lane_id": lane["lane_id"], "generation": lane["generation"] - 1}
            for lane in self._succession.stopped()
        ]

    def served(self) -> list[str]:
        """Return the ids of the lanes whose worker is at work."""
        return [str(one.lane_id) for one in self if one.state is Worker.GRANTED]

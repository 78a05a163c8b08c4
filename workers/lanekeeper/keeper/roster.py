"""One worker, as a value, and the answers about workers.

Owns the limits of the pool and what is known of each of its members. Refuses decisions: those are
the pool's. Used by `pool` and, for the words of an exit, by `supervisor`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lanekeeper.keeper.events import Action, Message, Note, Send, answer
from lanekeeper.keeper.states import WORKER_TABLE, Worker, WorkerCause, follow
from lanekeeper.keeper.succession import Verdict

GRANT_TIMEOUT: Final = 5.0
"""Seconds a grant waits for a warm worker."""

ARRIVAL_TIMEOUT: Final = 10.0
"""Seconds from fork to hello; a worker that takes longer is killed."""

DRAIN_TIMEOUT: Final = 10.0
"""Seconds a worker has to end what it started, before it is killed."""

STATUS_TIMEOUT: Final = 1.0
"""Seconds from a worker's end to the nursery's word on how; then it is unknown."""

QUIET: Final = 0.05
"""Seconds without a grant after which the workers that were granted are replaced."""

GRANTS_MAX: Final = 1_024
FORKS_MAX: Final = 8
"""Forks asked for and not answered."""


@dataclass(slots=True)
class Record:
    """What is known of one worker process."""

    pid: int
    start_time: int
    born: float
    state: Worker = Worker.STARTING
    forked: bool = False
    """Whether the nursery has said that it forked this one."""

    peer: int | None = None
    lane: Message | None = None
    granted_at: float = math.inf
    fences: list[tuple[int, Message]] = field(default_factory=list)
    closed: bool = False
    """Whether its lane has ended, so that nobody follows it."""

    replaced: bool = False
    """Whether it is ended to be replaced, on request."""

    verdict: Verdict | None = None
    """What becomes of its lane, once it is dead."""

    @property
    def lane_id(self) -> str | None:
        """The lane it was granted."""
        return None if self.lane is None else str(self.lane["lane_id"])

    @property
    def generation(self) -> int | None:
        """How many workers its lane has had with it, if the lane counts them."""
        count = None if self.lane is None else self.lane.get("generation")
        return count if isinstance(count, int) else None

    def move(self, cause: WorkerCause) -> None:
        """Follow the table."""
        self.state = follow(WORKER_TABLE, self.state, cause)


class Roster:
    """All workers, found by pid, channel and lane without walking over those of a large plane.

    Attributes:
        spares: workers that were never granted, by pid.
        deadlines: when each of those workers is late that are waited for, by pid.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._records: dict[int, Record] = {}
        self._by_peer: dict[int, Record] = {}
        self._by_lane: dict[str, Record] = {}
        self.spares: dict[int, Record] = {}
        self.deadlines: dict[int, float] = {}

    def __iter__(self) -> Iterator[Record]:
        """Yield the records, oldest first."""
        return iter(self._records.values())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._records)

    def get(self, pid: int) -> Record | None:
        """Return the record of a pid."""
        return self._records.get(pid)

    def of_peer(self, peer: int) -> Record | None:
        """Return the record of a channel."""
        return self._by_peer.get(peer)

    def of_lane(self, lane_id: str) -> Record | None:
        """Return the record of the worker that was granted a lane."""
        return self._by_lane.get(lane_id)

    def add(self, record: Record) -> Record:
        """Note a new worker and return its record."""
        self._records[record.pid] = self.spares[record.pid] = record
        return record

    def join(self, record: Record, peer: int) -> None:
        """Note a worker's channel."""
        record.peer = peer
        self._by_peer[peer] = record

    def readmit(self, record: Record, peer: int, lane: Message) -> None:
        """Add a worker that serves a lane already."""
        self.join(self.add(record), peer)
        record.move(WorkerCause.ARRIVED)
        self.grant(record, lane)
        record.granted_at = record.born

    def part(self, peer: int) -> Record | None:
        """Forget a channel and return the record it belonged to."""
        record = self._by_peer.pop(peer, None)
        if record is not None:
            record.peer = None
        return record

    def grant(self, record: Record, lane: Message) -> None:
        """Note which lane a worker was granted."""
        record.move(WorkerCause.GRANT)
        record.lane = lane
        self._by_lane[lane["lane_id"]] = self.spares.pop(record.pid)

    def remove(self, pid: int) -> Record | None:
        """Forget a worker and return what was known of it."""
        record = self._records.pop(pid, None)
        if record is not None:
            self.spares.pop(pid, None)
            self.deadlines.pop(pid, None)
            self._by_peer.pop(record.peer or -1, None)
            self.bereave(record)
        return record

    def bereave(self, record: Record) -> None:
        """Note that a lane is not this worker's any more; it may be another's already."""
        if self._by_lane.get(record.lane_id or "") is record:
            del self._by_lane[record.lane_id or ""]


def how(code: int | None, number: int | None) -> str:
    """Return how a process ended, as words."""
    if number is not None:
        return f"signal {number}"
    return "an unknown status" if code is None else f"code {code}"


def refused(peer: int, request: Message, code: str, message: str) -> Send:
    """Return the refusal of a grant."""
    return Send(peer, answer(request, "refused", code=code, message=message))


def fenced(peer: int, request: Message) -> Send:
    """Return the answer to a fence."""
    return Send(peer, answer(request, "fenced"))


def died(
    record: Record, code: int | None, number: int | None, verdict: Verdict, broker: int | None
) -> list[Action]:
    """Return what is said when the worker of a lane has ended: to the log, and to the broker.

    A broker that was told already that the lane is recovering is not told again.
    """
    keys = {"lane": str(record.lane_id), "worker": str(record.pid)}
    level = "info" if record.closed else "warning"
    actions: list[Action] = [Note(f"worker ended with {how(code, number)}", level, keys)]
    if broker is not None and not verdict.recovering:
        status = {"pid": record.pid, "code": code, "signal": number, "reason": verdict.reason}
        who = {"lane_id": record.lane_id, "generation": record.generation}
        told = {"op": "died", **who, "recovering": False, "kept": verdict.kept}
        actions.append(Send(broker, {**told, **status}))
    return actions

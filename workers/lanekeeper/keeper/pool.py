"""The workers' half of the supervisor: warm ones, grants in order, fencing, draining.

Owns one record per worker process and the queue of grants. Refuses to grant one worker twice or
one lane to two, and to call a worker dead before its process is. Sans-IO: called by `supervisor`
alone, with the time.
"""

import math
import signal
from collections import deque
from collections.abc import Iterator
from typing import Any

from lanekeeper.keeper.daemons import STEADY, backoff
from lanekeeper.keeper.events import (
    Action,
    Close,
    Kill,
    Message,
    Note,
    RequestError,
    Send,
    Watch,
    answer,
    require_number,
    require_text,
)
from lanekeeper.keeper.roster import (
    ARRIVAL_TIMEOUT,
    DRAIN_TIMEOUT,
    FORKS_MAX,
    GRANT_TIMEOUT,
    GRANTS_MAX,
    QUIET,
    STATUS_TIMEOUT,
    Grant,
    Record,
    fenced,
    how,
    refused,
)
from lanekeeper.keeper.states import Worker, WorkerCause


class Pool:
    """All workers of a plane."""

    def __init__(self, target: int) -> None:
        """Keep `target` workers warm, once there is a nursery."""
        self._target = target
        self._records: dict[int, Record] = {}
        self._spares: dict[int, Record] = {}
        self._by_peer: dict[int, Record] = {}
        self._by_lane: dict[str, Record] = {}
        self._deadlines: dict[int, float] = {}
        self._grants: deque[Grant] = deque()
        self._nursery: int | None = None
        self._asked: set[str] = set()
        self._asks = 0
        self._failures = 0
        self._fork_after = -math.inf
        self._granted_at = -math.inf
        self._open = True
        self.broker: int | None = None
        self.reason = ""

    def __iter__(self) -> Iterator[Record]:
        """Yield the records, oldest first."""
        return iter(self._records.values())

    @property
    def empty(self) -> bool:
        """Whether no worker is left."""
        return not self._records

    def of_peer(self, peer: int) -> Record | None:
        """Return the record of a channel."""
        return self._by_peer.get(peer)

    def lanes(self) -> list[dict[str, Any]]:
        """Return lane, pid and start time of every granted worker, for a new broker."""
        return [
            {"lane": dict(record.lane), "pid": record.pid, "start_time": record.start_time}
            for record in self
            if record.lane is not None and record.state is not Worker.ENDING
        ]

    def nursery_ready(self, peer: int, now: float) -> list[Action]:
        """Fork through this peer from now on."""
        self._nursery = peer
        self._failures, self._fork_after = 0, now
        return self._refill(now)

    def nursery_gone(self, now: float) -> list[Action]:
        """Let go of the warm workers: they could not spawn through another nursery."""
        self._nursery = None
        self._asked.clear()
        return [
            action
            for record in tuple(self)
            if record.lane is None
            for action in self._let_go(record, now)
        ]

    def orphaned(self) -> list[Action]:
        """Look again at ended workers whose status the nursery took along: they are ours."""
        return [Watch(one.pid, one.start_time) for one in self if one.state is Worker.ENDING]

    def forked(self, message: Message, now: float) -> list[Action]:
        """Note that the nursery forked a worker.

        Raises:
            RequestError: the message is wrong, or nobody asked for it.
        """
        pid, started = require_number(message, "pid"), require_number(message, "start_time")
        self._answered(message)
        record = self._records.get(pid)
        if record is None or record.start_time != started:
            record = self._add(Record(pid, started, now))
        record.forked = True
        self._deadlines[pid] = now + ARRIVAL_TIMEOUT
        actions: list[Action] = [Watch(pid, started)]
        if not self._open:
            record.move(WorkerCause.DRAIN)
            return [*actions, Kill(pid, signal.SIGKILL)]
        return [*actions, *self._arrive(record, now)]

    def fork_failed(self, message: Message, now: float) -> list[Action]:
        """Note that the nursery could not fork; try again later.

        Raises:
            RequestError: nobody asked for it.
        """
        self._answered(message)
        return self._delay(f"the nursery cannot fork: {message.get('message')}", now)

    def arrived(self, peer: int, pid: int, started: int, now: float) -> list[Action]:
        """Note a worker's hello; it may come before the nursery's word that it forked.

        Raises:
            RequestError: that process has a channel already, or it comes too late.
        """
        record = self._records.get(pid)
        if record is None and not self._open:
            raise RequestError("INVALID_TRANSITION", "the plane is being shut down")
        if record is None:
            record = self._add(Record(pid, started, now))
            self._deadlines[pid] = now + ARRIVAL_TIMEOUT
        if record.start_time != started or record.peer is not None:
            raise RequestError("ALREADY_EXISTS", f"worker pid {pid} is known and has a channel")
        record.peer = peer
        self._by_peer[peer] = record
        if record.state is Worker.DRAINING:
            return [Send(peer, {"op": "drain"})]
        return self._arrive(record, now)

    def grant(self, peer: int, request: Message, now: float) -> list[Action]:
        """Hand a lane to a warm worker, in the order of the requests.

        Raises:
            RequestError: the lane is wrong, known already, or too many wait.
        """
        lane = request.get("lane")
        if not isinstance(lane, dict):
            raise RequestError("INVALID_ARGUMENT", "'lane' must be an object")
        lane_id = require_text(lane, "lane_id")
        if self._of_lane(lane_id) or any(held.lane["lane_id"] == lane_id for held in self._grants):
            return [refused(peer, request, "ALREADY_EXISTS", f"{lane_id} has a worker already")]
        if not self._open:
            return [refused(peer, request, "SPAWN_FAILED", "the plane is being shut down")]
        if len(self._grants) >= GRANTS_MAX:
            return [refused(peer, request, "BACKPRESSURE", f"{GRANTS_MAX} lanes wait already")]
        self._grants.append(Grant(peer, request, lane, now + GRANT_TIMEOUT))
        return [*self._serve(now), *self._refill(now)]

    def fence(self, peer: int, request: Message) -> list[Action]:
        """Kill a lane's worker; the answer comes when its process has ended.

        Raises:
            RequestError: there is no lane id.
        """
        record = self._of_lane(require_text(request, "lane_id"))
        if record is None:
            return [fenced(peer, request)]
        record.fences.append((peer, request))
        return [Kill(record.pid, signal.SIGKILL)]

    def end_worker(self, lane_id: str) -> list[Action]:
        """Kill the worker of a lane, if one was granted it and lives on."""
        record = self._of_lane(lane_id)
        return [] if record is None else [Kill(record.pid, signal.SIGKILL)]

    def ended(self, pid: int, code: int | None, number: int | None, now: float) -> list[Action]:
        """Note how a worker ended, by whoever was its parent; unknown pids are ignored."""
        record = self._remove(pid)
        if record is None:
            return []
        asked = record.state is Worker.DRAINING
        record.move(WorkerCause.EXITED)
        actions: list[Action] = []
        if record.lane is not None:
            actions += self._died(record, code, number, "info" if asked else "warning")
        elif not asked and self._open:
            self._failures = 0 if now - record.born >= STEADY else self._failures
            actions += self._delay(f"a warm worker ended with {how(code, number)}", now)
        actions += [fenced(peer, request) for peer, request in record.fences]
        return [*actions, *self._refill(now)]

    def vanished(self, pid: int, now: float) -> list[Action]:
        """Note that a worker has ended; the nursery, its parent, is about to say how."""
        record = self._records.get(pid)
        if record is None:
            return []
        if record.state is Worker.ENDING:
            return self.ended(pid, None, None, now)  # looked twice: nobody knows
        record.move(WorkerCause.VANISHED)
        self._deadlines[pid] = now + STATUS_TIMEOUT
        return []

    def peer_gone(self, peer: int) -> None:
        """Forget a channel: a worker's, or a broker's with the grants it waited for."""
        record = self._by_peer.pop(peer, None)
        if record is not None:
            record.peer = None
            if not record.forked:
                self._remove(record.pid)
        self._grants = deque(held for held in self._grants if held.peer != peer)
        if self.broker == peer:
            self.broker = None

    def tell(self, message: Message) -> list[Action]:
        """Send a message to every worker."""
        return [Send(record.peer, message) for record in self if record.peer is not None]

    def drain(self, now: float) -> list[Action]:
        """Let every worker end what it started; nothing is granted any more."""
        self._open = False
        actions: list[Action] = []
        while self._grants:
            held = self._grants.popleft()
            actions.append(
                refused(held.peer, held.request, "SPAWN_FAILED", "the plane is being shut down")
            )
        return [*actions, *(step for record in tuple(self) for step in self._let_go(record, now))]

    def kill(self) -> list[Action]:
        """End every worker at once."""
        return [Kill(record.pid, signal.SIGKILL) for record in self if record.forked]

    def deadline(self) -> float:
        """Return when something is due."""
        held = self._grants[0].deadline if self._grants else math.inf
        fork = self._refill_at() if self._missing() > 0 else math.inf
        return min(held, fork, min(self._deadlines.values(), default=math.inf))

    def due(self, now: float) -> list[Action]:
        """Do what is due: refuse old grants, kill the late, fork after a delay."""
        actions: list[Action] = []
        while self._grants and self._grants[0].deadline <= now:
            held = self._grants.popleft()
            text = f"no worker became ready in {GRANT_TIMEOUT:.0f} s; {self.reason or 'try again'}"
            actions.append(refused(held.peer, held.request, "SPAWN_FAILED", text))
        for pid in [pid for pid, due in self._deadlines.items() if due <= now]:
            del self._deadlines[pid]
            record = self._records[pid]
            if record.state is Worker.ENDING:
                actions += self.ended(record.pid, None, None, now)
            elif record.forked:
                actions.append(Note(f"worker pid {record.pid} took too long", "error"))
                actions.append(Kill(record.pid, signal.SIGKILL))
            elif record.peer is not None:
                self._remove(pid)
                actions.append(Close(record.peer))
        return [*actions, *self._refill(now)]

    def _arrive(self, record: Record, now: float) -> list[Action]:
        if not record.forked or record.peer is None or record.state is not Worker.STARTING:
            return []
        record.move(WorkerCause.ARRIVED)
        self._deadlines.pop(record.pid, None)
        self.reason = ""
        return self._serve(now)

    def _serve(self, now: float) -> list[Action]:
        actions: list[Action] = []
        warm = [record for record in self._spares.values() if record.state is Worker.WARM]
        for record in warm:
            if not self._grants:
                break
            if record.peer is None:
                continue
            held = self._grants.popleft()
            record.move(WorkerCause.GRANT)
            record.lane = held.lane
            self._by_lane[held.lane["lane_id"]] = self._spares.pop(record.pid)
            self._failures, self._fork_after = 0, now
            self._granted_at = now
            who = {"pid": record.pid, "start_time": record.start_time}
            actions.append(Send(record.peer, {"op": "assign", "lane": held.lane}))
            actions.append(Send(held.peer, answer(held.request, "granted", **who)))
            keys = {"lane": str(record.lane_id), "worker": str(record.pid)}
            actions.append(Note("granted a lane", keys=keys))
        return actions

    def _missing(self) -> int:
        """Return how many workers to ask for, now or when it is quiet."""
        if not self._open or self._nursery is None:
            return 0
        want = self._target + len(self._grants) - self._spare()
        return min(want, FORKS_MAX - len(self._asked))

    def _spare(self) -> int:
        coming = {Worker.STARTING, Worker.WARM}
        spares = self._spares.values()
        return len(self._asked) + sum(one.forked and one.state in coming for one in spares)

    def _refill_at(self) -> float:
        """Return when to fork: a fork beside a new lane's first steps would slow both down."""
        pressing = self._spare() - len(self._grants) <= self._target // 4
        return self._fork_after if pressing else max(self._fork_after, self._granted_at + QUIET)

    def _refill(self, now: float) -> list[Action]:
        if self._nursery is None or now < self._refill_at():
            return []
        actions: list[Action] = []
        for _ in range(self._missing()):
            self._asks += 1
            self._asked.add(f"fork-{self._asks}")
            actions.append(Send(self._nursery, {"op": "fork", "id": f"fork-{self._asks}"}))
        return actions

    def _answered(self, message: Message) -> None:
        number = message.get("id")
        if not isinstance(number, str) or number not in self._asked:
            raise RequestError("INVALID_ARGUMENT", "nobody asked for that worker")
        self._asked.remove(number)

    def _delay(self, reason: str, now: float) -> list[Action]:
        self._failures += 1
        self._fork_after = now + backoff(self._failures)
        self.reason = reason
        return [Note(reason, "error")]

    def _died(
        self, record: Record, code: int | None, number: int | None, level: str
    ) -> list[Action]:
        keys = {"lane": str(record.lane_id), "worker": str(record.pid)}
        actions: list[Action] = [Note(f"worker ended with {how(code, number)}", level, keys)]
        if self.broker is not None:
            status = {"pid": record.pid, "code": code, "signal": number}
            actions.append(Send(self.broker, {"op": "died", "lane_id": record.lane_id, **status}))
        return actions

    def _let_go(self, record: Record, now: float) -> list[Action]:
        if not record.forked:
            self._remove(record.pid)
            return [] if record.peer is None else [Close(record.peer)]
        if record.state is Worker.ENDING:
            return []
        record.move(WorkerCause.DRAIN)
        self._deadlines[record.pid] = now + DRAIN_TIMEOUT
        if record.peer is None:
            return [Kill(record.pid, signal.SIGTERM)]
        return [Send(record.peer, {"op": "drain"})]

    def _add(self, record: Record) -> Record:
        self._records[record.pid] = self._spares[record.pid] = record
        return record

    def _remove(self, pid: int) -> Record | None:
        record = self._records.pop(pid, None)
        if record is not None:
            self._spares.pop(pid, None)
            self._deadlines.pop(pid, None)
            if record.peer is not None:
                self._by_peer.pop(record.peer, None)
            if record.lane is not None:
                self._by_lane.pop(str(record.lane_id), None)
        return record

    def _of_lane(self, lane_id: str) -> Record | None:
        return self._by_lane.get(lane_id)

"""The workers' half of the supervisor: warm ones, grants, successors, fencing, draining.

Owns one record per worker process; `grants` holds the lanes that wait for one, `succession` those
whose worker died, `refill` says when to have more. Refuses to grant one worker twice or one lane to
two, and to call a worker dead before its process is. Sans-IO: called by `supervisor` alone, with
the time.
"""

import math
import signal

from lanekeeper.keeper.daemons import STEADY
from lanekeeper.keeper.events import (
    WORKER,
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
from lanekeeper.keeper.figures import Figures
from lanekeeper.keeper.lookups import Lookups
from lanekeeper.keeper.refill import Refill
from lanekeeper.keeper.roster import (
    ARRIVAL_TIMEOUT,
    DRAIN_TIMEOUT,
    STATUS_TIMEOUT,
    Record,
    died,
    fenced,
    how,
    refused,
)
from lanekeeper.keeper.states import Worker, WorkerCause
from lanekeeper.keeper.succession import Verdict
from lanekeeper.keeper.vault import Vault


class Pool(Lookups):
    """All workers of a plane."""

    def __init__(self, target: int, vault: Vault) -> None:
        """Keep `target` workers warm, once there is a nursery; lanes are in the vault."""
        super().__init__()
        self._vault = vault
        self._forks = Refill(target)
        self._open = True
        self.broker: int | None = None
        self.figures = Figures()

    @property
    def reason(self) -> str:
        """Why there are too few workers; empty when there are enough."""
        short = self._forks.short(self._spare(), self.waiting)
        return self._forks.reason if short else ""

    def nursery_ready(self, peer: int, now: float) -> list[Action]:
        """Fork through this peer from now on."""
        self._forks.open(peer, now)
        return self._refill(now)

    def nursery_gone(self, now: float) -> list[Action]:
        """Let go of the warm workers: they could not spawn through another nursery."""
        self._forks.close()
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
        self._forks.answered(message)
        record = self._roster.get(pid)
        if record is None or record.start_time != started:
            record = self._roster.add(Record(pid, started, now))
        record.forked = True
        self._roster.deadlines[pid] = now + ARRIVAL_TIMEOUT
        actions: list[Action] = [Watch(pid, started)]
        if not self._open:
            record.move(WorkerCause.DRAIN)
            return [*actions, Kill(pid, signal.SIGKILL)]
        return [*actions, *self._arrive(record, now)]

    def exited(self, message: Message, now: float) -> list[Action]:
        """Note the nursery's word on how a worker ended.

        Raises:
            RequestError: there is no pid in it.
        """
        code, number = message.get("code"), message.get("signal")
        return self.ended(
            require_number(message, "pid"),
            code if isinstance(code, int) else None,
            number if isinstance(number, int) else None,
            now,
        )

    def fork_failed(self, message: Message, now: float) -> list[Action]:
        """Note that the nursery could not fork; try again later.

        Raises:
            RequestError: nobody asked for it.
        """
        self._forks.answered(message)
        self.figures.failed_forks += 1
        return self._forks.failed(f"the nursery cannot fork: {message.get('message')}", now)

    def arrived(self, peer: int, pid: int, started: int, now: float) -> list[Action]:
        """Note a worker's hello; it may come before the nursery's word that it forked.

        Raises:
            RequestError: that process has a channel already, or it comes too late.
        """
        record = self._roster.get(pid)
        if record is None and not self._open:
            raise RequestError("INVALID_TRANSITION", "the plane is being shut down")
        if record is None:
            record = self._roster.add(Record(pid, started, now))
            self._roster.deadlines[pid] = now + ARRIVAL_TIMEOUT
        if record.start_time != started or record.peer is not None:
            raise RequestError("ALREADY_EXISTS", f"worker pid {pid} is known and has a channel")
        self._roster.join(record, peer)
        if record.state is Worker.DRAINING:
            return [Send(peer, {"op": "drain"})]
        return self._arrive(record, now)

    def returned(self, peer: int, message: Message, now: float) -> list[Action]:
        """Note the hello of a worker that serves a lane since before this keeper was there.

        One that comes back while the plane goes down is drained as the others are.

        Raises:
            RequestError: that process has a channel, or that lane another worker.
        """
        pid, started = require_number(message, "pid"), require_number(message, "start_time")
        lane_id = require_text(message["lane"], "lane_id")
        if self._roster.get(pid) is not None or self._roster.of_lane(lane_id) is not None:
            raise RequestError("ALREADY_EXISTS", f"{lane_id} has a worker, or {pid} a channel")
        record = Record(pid, started, now, forked=True)
        self._roster.readmit(record, peer, message["lane"])
        # It deposits all it has: what the nursery had kept of it was on its way to this worker.
        self._succession.forget(lane_id)
        dropped = self._vault.drop(lane_id)
        return dropped if self._open else [*dropped, *self._let_go(record, now)]

    def give_up(self, lane: Message) -> None:
        """Note a lane that an earlier keeper gave up: it waits until somebody asks for it."""
        self._succession.give_up(lane)

    def grant(self, peer: int, request: Message, now: float) -> list[Action]:
        """Hand a lane to a warm worker, in the order of the requests.

        Raises:
            RequestError: the lane is wrong, known already, or too many wait.
        """
        lane = request.get("lane")
        if not isinstance(lane, dict):
            raise RequestError("INVALID_ARGUMENT", "'lane' must be an object")
        lane_id = require_text(lane, "lane_id")
        known = self._roster.of_lane(lane_id) or self._vault.holds(lane_id)
        if known or self._grants.has(lane_id):
            return [refused(peer, request, "ALREADY_EXISTS", f"{lane_id} has a worker already")]
        if not self._open:
            return [refused(peer, request, "SPAWN_FAILED", "the plane is being shut down")]
        full = self._grants.add(peer, request, lane, now)
        return [*full, *self._serve(now), *self._refill(now)]

    def fence(self, peer: int, request: Message) -> list[Action]:
        """Kill a lane's worker; the answer comes when its process has ended.

        Raises:
            RequestError: there is no lane id.
        """
        lane_id = require_text(request, "lane_id")
        record = self._roster.of_lane(lane_id)
        actions = self.abandon(lane_id)
        if record is None:
            return [*actions, fenced(peer, request)]
        record.fences.append((peer, request))
        return actions

    def abandon(self, lane_id: str) -> list[Action]:
        """End the worker of a lane, if it has one, and keep nothing for a successor."""
        self._succession.forget(lane_id)
        self.figures.forget(lane_id)
        record = self._roster.of_lane(lane_id)
        if record is None:
            return self._vault.drop(lane_id)
        record.closed = True
        return [*self._vault.drop(lane_id), Kill(record.pid, signal.SIGKILL)]

    def close(self, peer: int) -> list[Action]:
        """Note that a worker has ended its lane: it leaves, and nobody follows."""
        record = self._roster.of_peer(peer)
        if record is None or record.lane_id is None:
            return []
        record.closed = True
        self._succession.forget(record.lane_id)
        return self._vault.drop(record.lane_id)

    def recover(self, peer: int, request: Message, now: float) -> list[Action]:
        """Give a lane a successor although its workers died again and again.

        Raises:
            RequestError: there is no lane id, or that lane does not wait for this.
        """
        lane_id = require_text(request, "lane_id")
        screen = request.get("without_screen") is not True
        if not self._open or not self._succession.recover(lane_id, screen=screen):
            raise RequestError("INVALID_TRANSITION", f"{lane_id} has nothing to be recovered")
        return [Send(peer, answer(request, "recovering")), *self._serve(now), *self._refill(now)]

    def ended(self, pid: int, code: int | None, number: int | None, now: float) -> list[Action]:
        """Note how a worker ended, by whoever was its parent; unknown pids are ignored."""
        record = self._roster.remove(pid)
        if record is None:
            return []
        asked = record.state is Worker.DRAINING
        record.move(WorkerCause.EXITED)
        actions: list[Action] = []
        if record.lane is not None:
            actions += self._succeed(record, now)
            verdict = record.verdict or Verdict(recovering=False)
            if verdict.recovering:
                self.figures.replaced(WORKER, pid, code, number, asked=record.replaced)
            actions += died(record, code, number, verdict, self.broker)
        elif not asked and self._open:
            steady = now - record.born >= STEADY
            reason = f"a warm worker ended with {how(code, number)}"
            actions += self._forks.failed(reason, now, steady=steady)
        actions += [fenced(peer, request) for peer, request in record.fences]
        return [*actions, *self._refill(now)]

    def vanished(self, pid: int, now: float) -> list[Action]:
        """Note that a worker has ended; the nursery, its parent, is about to say how."""
        record = self._roster.get(pid)
        if record is None:
            return []
        if record.state is Worker.ENDING:
            return self.ended(pid, None, None, now)  # looked twice: nobody knows
        succeeding = self._succeed(record, now)
        record.move(WorkerCause.VANISHED)
        self._roster.deadlines[pid] = now + STATUS_TIMEOUT
        return [*succeeding, *self._refill(now)]

    def peer_gone(self, peer: int) -> None:
        """Forget a channel: a worker's, or a broker's with the grants it waited for."""
        record = self._roster.part(peer)
        if record is not None and not record.forked:
            self._roster.remove(record.pid)
        self._grants.forget(peer)
        if self.broker == peer:
            self.broker = None

    def settled(self) -> list[str]:
        """Return the lanes that have begun: their first deposit says that they listen."""
        return [lane_id for lane_id in self.served() if self._vault.holds(lane_id)]

    def tell(self, message: Message) -> list[Action]:
        """Send a message to every worker."""
        return [Send(record.peer, message) for record in self if record.peer is not None]

    def drain(self, now: float) -> list[Action]:
        """Let every worker end what it started; nothing is granted any more."""
        self._open = False
        self._succession.clear()
        actions = self._grants.refuse_all("the plane is being shut down")
        return [*actions, *(step for record in tuple(self) for step in self._let_go(record, now))]

    def kill(self) -> list[Action]:
        """End every worker at once."""
        return [Kill(record.pid, signal.SIGKILL) for record in self if record.forked]

    def deadline(self) -> float:
        """Return when something is due."""
        fork = self._forks.due(self._spare(), self.waiting) if self._open else math.inf
        held = self._grants.deadline()
        return min(held, fork, min(self._roster.deadlines.values(), default=math.inf))

    def due(self, now: float) -> list[Action]:
        """Do what is due: refuse old grants, kill the late, fork after a delay."""
        actions = self._grants.refuse_late(self.reason, now)
        deadlines = self._roster.deadlines
        for pid in [pid for pid, deadline in deadlines.items() if deadline <= now]:
            del deadlines[pid]
            record = self._roster.get(pid)
            if record is None:
                continue
            if record.state is Worker.ENDING:
                actions += self.ended(record.pid, None, None, now)
            elif record.forked:
                actions.append(Note(f"worker pid {record.pid} took too long", "error"))
                actions.append(Kill(record.pid, signal.SIGKILL))
            elif record.peer is not None:
                actions.append(Close(record.peer))
                self._roster.remove(pid)
        return [*actions, *self._refill(now)]

    def _arrive(self, record: Record, now: float) -> list[Action]:
        if not record.forked or record.peer is None or record.state is not Worker.STARTING:
            return []
        record.move(WorkerCause.ARRIVED)
        self._roster.deadlines.pop(record.pid, None)
        self._forks.reason = ""
        return self._serve(now)

    def _serve(self, now: float) -> list[Action]:
        """Give lanes to warm workers: first to successors, whose programs wait."""
        actions: list[Action] = []
        warm = [one for one in self._roster.spares.values() if one.state is Worker.WARM]
        for record in warm:
            if not self.waiting:
                break
            if record.peer is None:
                continue
            if self._succession:
                actions += self._assign(record, record.peer, self._succession.take(), now)
                continue
            held = self._grants.take()
            actions += self._assign(record, record.peer, held.lane, now)
            who = {"pid": record.pid, "start_time": record.start_time}
            actions.append(Send(held.peer, answer(held.request, "granted", **who)))
        return actions

    def _assign(self, record: Record, peer: int, lane: Message, now: float) -> list[Action]:
        self._roster.grant(record, lane)
        record.granted_at = now
        self._forks.granted(now)
        lane_id = str(record.lane_id)
        held = self._vault.held(lane_id)
        keys = {"lane": lane_id, "worker": str(record.pid)}
        return [
            *self._vault.hand_over(lane_id, peer),
            Send(peer, {"op": "assign", "lane": lane, "held": held}),
            Note(f"granted a lane in generation {lane.get('generation')}", keys=keys),
        ]

    def _succeed(self, record: Record, now: float) -> list[Action]:
        """Decide, once, what follows a dead worker, and say so to the broker at once."""
        lane = record.lane
        if lane is None or record.verdict is not None:
            return []
        self._roster.bereave(record)
        if record.closed or not self._open or record.state is Worker.DRAINING:
            record.verdict = Verdict(recovering=False)
            return self._vault.drop(lane["lane_id"])
        if not self._vault.holds(lane["lane_id"]):
            record.verdict = Verdict(recovering=False, reason="it had left nothing to go on with")
            return self._vault.drop(lane["lane_id"])
        record.verdict = self._succession.died(lane, now, asked=record.replaced)
        if not record.verdict.recovering:
            self.figures.crash_loops += 1
            self.figures.forget(lane["lane_id"])
            return []
        self.figures.died(lane["lane_id"], now)
        who = {"lane_id": lane["lane_id"], "pid": record.pid, "generation": record.generation}
        told = {"op": "died", **who, "recovering": True}
        say = [] if self.broker is None else [Send(self.broker, told)]
        return [*say, *self._serve(now)]

    def _spare(self) -> int:
        coming = {Worker.STARTING, Worker.WARM}
        return sum(one.forked and one.state in coming for one in self._roster.spares.values())

    def _refill(self, now: float) -> list[Action]:
        """Ask for workers, if some are missing and it is time to."""
        return self._forks.ask(self._spare(), self.waiting, now) if self._open else []

    def _let_go(self, record: Record, now: float) -> list[Action]:
        if not record.forked:
            self._roster.remove(record.pid)
            return [] if record.peer is None else [Close(record.peer)]
        if record.state is Worker.ENDING:
            return []
        record.move(WorkerCause.DRAIN)
        self._roster.deadlines[record.pid] = now + DRAIN_TIMEOUT
        if record.peer is None:
            return [Kill(record.pid, signal.SIGTERM)]
        return [Send(record.peer, {"op": "drain"})]

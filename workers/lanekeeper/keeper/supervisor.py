"""The supervisor: the keeper's decisions, without any I/O.

Owns who may say what, the way up and the way down of a plane, and the order of both. Refuses to
look at clocks, processes or sockets: events and the time go in by one door, actions come out in
the order in which they are to be done. Called by the keeper's loop.

Going down: workers are drained, then daemons end (the collector last: it hears their last samples),
then what terminals left behind is swept. Each step begins when the one before is over, which its
deadlines make sure of.
"""

import math
import signal
from collections.abc import Callable
from typing import Any, Final

from lanekeeper.keeper.beats import HANG_AFTER
from lanekeeper.keeper.births import Births
from lanekeeper.keeper.bulletin import Bulletin
from lanekeeper.keeper.continuity import Continuity, Parts
from lanekeeper.keeper.daemons import Daemons
from lanekeeper.keeper.depository import DEPOSITORS, Depository, refuse_descriptors
from lanekeeper.keeper.events import (
    BROKER,
    DAEMONS,
    KEEPER,
    NURSERY,
    PEER_ROLES,
    WORKER,
    Action,
    Asked,
    Cleanse,
    Close,
    Damaged,
    Discard,
    Ended,
    Entrust,
    Event,
    Finish,
    Launched,
    LaunchFailed,
    Message,
    Note,
    Orphaned,
    PeerGone,
    PeerOpened,
    PeerSaid,
    RequestError,
    Send,
    Stalled,
    Started,
    Sweep,
    Swept,
    Tick,
    answer,
    require_text,
)
from lanekeeper.keeper.greeting import Greeting
from lanekeeper.keeper.keeping import Keeping
from lanekeeper.keeper.peers import Peer, Peers
from lanekeeper.keeper.pool import Pool
from lanekeeper.keeper.restarts import Restarts
from lanekeeper.keeper.roster import how
from lanekeeper.keeper.states import PLANE_TABLE, Daemon, Plane, PlaneCause, follow
from lanekeeper.keeper.status import PlaneInfo, status_messages
from lanekeeper.keeper.sweeping import Sweeping
from lanekeeper.keeper.vault import Vault
from lanekeeper.keeper.wayup import WayUp

EXIT_FAILED: Final = 1


class Supervisor:
    """The keeper's core; `handle` is its one door."""

    def __init__(
        self, info: PlaneInfo, warm: int, vault: Vault, hang_after: float = HANG_AFTER
    ) -> None:
        """Supervise a plane that keeps `warm` workers ready."""
        self._info = info
        self._daemons = Daemons(DAEMONS)
        self._pool = Pool(warm, vault)
        self._peers = Peers()
        self._state = Plane.RUNNING
        self._way_up = WayUp()
        self._code = 0
        self._sweeping = Sweeping()
        parts = Parts(self._daemons, self._pool, vault.held)
        self._continuity = Continuity(parts, hang_after)
        self._greeting = Greeting(info, self._daemons, self._pool, vault, self._continuity)
        self._bulletin = Bulletin(info, self._daemons, self._pool, vault, self._continuity)
        self._keeping = Keeping(self._daemons, self._pool, vault)
        self._depository = Depository(
            vault, self._pool, self._peers, self._continuity, self._keeping
        )
        self._births = Births(self._daemons, self._running, self._on_ended, self._pool.exited)
        self._restarts = Restarts(
            self._daemons, self._pool, self._continuity, self._running, self._keeping.unsafe
        )
        self._events = self._event_table()
        self._operations = self._operation_table()

    def _event_table(self) -> dict[type[Event], Callable[[Any, float], list[Action]]]:
        return {
            Started: self._on_started,
            Launched: self._on_launched,
            LaunchFailed: self._on_launch_failed,
            PeerOpened: self._on_opened,
            PeerSaid: self._on_said,
            PeerGone: self._on_gone,
            Ended: self._on_ended,
            Asked: self._on_asked,
            Swept: self._on_swept,
            Tick: self._on_tick,
            Damaged: self._on_damaged,
            Stalled: lambda _, now: self._continuity.stalled(now),
            Orphaned: lambda event, _: self._continuity.orphaned(event),
        }

    def _operation_table(self) -> dict[str, tuple[frozenset[str], "_Operation"]]:
        """Return who may ask for what, and who does it."""
        return {
            "ready": (frozenset(DAEMONS), self._ready),
            "beat": (frozenset(PEER_ROLES), self._beat),
            "ping": (frozenset({NURSERY}), self._ping),
            "grant": (frozenset({BROKER}), self._pool.grant),
            "fence": (frozenset({BROKER}), self._fence),
            "sweep": (frozenset({BROKER}), self._cleanse),
            "recover": (frozenset({BROKER}), self._pool.recover),
            "release": (DEPOSITORS, self._depository.release),
            "kept": (frozenset({NURSERY}), self._keeping.kept),
            "closed": (frozenset({WORKER}), self._depository.closed),
            "forked": (frozenset({NURSERY}), _of_nursery(self._pool.forked)),
            "failed": (frozenset({NURSERY}), _of_nursery(self._pool.fork_failed)),
            "worker-exited": (frozenset({NURSERY}), _of_nursery(self._births.told)),
            "started": (frozenset({NURSERY}), _of_nursery(self._births.started)),
            "cold": (frozenset({NURSERY}), _of_nursery(self._births.cold)),
            "status": (frozenset(PEER_ROLES), self._status),
            "vault": (frozenset(PEER_ROLES), self._depository.listing),
            "down": (frozenset(PEER_ROLES), self._down),
            "named": (frozenset({BROKER}), self._continuity.named),
            "restart": (frozenset(PEER_ROLES), self._restarts.restart),
            "whole": (frozenset(PEER_ROLES), self._restarts.whole),
            "error": (frozenset(PEER_ROLES), self._error),
        }

    def serving(self) -> tuple[list[str], list[str]]:
        """Return the roles and the lanes that are served, whose sockets should be there."""
        roles = [record.role for record in self._daemons if record.state is Daemon.READY]
        return roles, self._pool.settled()

    @property
    def state(self) -> Plane:
        """Where the plane stands."""
        return self._state

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event in and return what to do; never raises because of a peer."""
        if self._state is Plane.DONE:
            return []
        actions = self._events[type(event)](event, now)
        actions = [*actions, *self._restarts.settle(), *self._advance(now)]
        actions += self._keeping.settle()
        return [*self._births.route(actions, now), *self._bulletin.tell(now)]

    def _running(self) -> bool:
        return self._state is Plane.RUNNING

    def next_deadline(self) -> float | None:
        """Return when `Tick` is due, if anything is."""
        soonest = min(
            self._peers.deadline(),
            self._daemons.deadline(),
            self._pool.deadline(),
            self._way_up.deadline,
            self._sweeping.deadline,
            self._continuity.deadline,
            self._births.deadline,
        )
        return None if math.isinf(soonest) else soonest

    # The way up.

    def _on_started(self, event: Started, now: float) -> list[Action]:
        if event.found is not None:
            self._way_up.skip()
            self._pool.figures.took_over(asked=event.asked)
            return self._continuity.take_over(event.found, now)
        self._way_up.begin(now)
        return self._daemons.start()

    def _on_launched(self, event: Launched, now: float) -> list[Action]:
        return self._daemons.launched(event, now)

    def _on_launch_failed(self, event: LaunchFailed, now: float) -> list[Action]:
        actions = self._daemons.launch_failed(event.role, event.reason, now)
        return [*actions, *self._give_up(now)]

    def _give_up(self, now: float) -> list[Action]:
        """End a plane that was never up and does not come up."""
        if self._state is not Plane.RUNNING:
            return []
        said = self._way_up.give_up(self._daemons, now)
        if said:
            self._code = EXIT_FAILED
            said += self._begin_down(now)
        return said

    # Peers.

    def _on_opened(self, event: PeerOpened, now: float) -> list[Action]:
        self._peers.opened(event.peer, now)
        return []

    def _on_said(self, event: PeerSaid, now: float) -> list[Action]:
        peer = self._peers.get(event.peer)
        if peer is None:
            return [Discard(event.fds)] if event.fds else []
        try:
            if event.message["op"] == "deposit":
                return self._depository.deposit(event, now)
            refuse_descriptors(event.fds)
            if event.message["op"] == "hello":
                return self._hello(event.peer, peer, event.message, now)
            return self._operate(event.peer, peer, event.message, now)
        except RequestError as error:
            refusal = answer(event.message, "error", code=error.code, message=str(error))
            actions: list[Action] = [Discard(event.fds)] if event.fds else []
            actions.append(Send(event.peer, refusal))
            return actions if peer.role else [*actions, Close(event.peer)]

    def _hello(self, number: int, peer: Peer, message: Message, now: float) -> list[Action]:
        role = peer.check(message.get("role"))
        actions = self._greeting.welcome(number, role, message, now)
        self._peers.enter(number, role)
        return [*actions, *self._continuity.greeted(number, role, message, now)]

    def _operate(self, number: int, peer: Peer, message: Message, now: float) -> list[Action]:
        if peer.role is None:
            raise RequestError("INVALID_ARGUMENT", "the first message is hello")
        roles, operation = self._operations.get(message["op"], (frozenset(), None))
        if operation is None:
            raise RequestError("INVALID_ARGUMENT", f"unknown operation {message['op'][:80]!r}")
        if peer.role not in roles:
            raise RequestError("UNAUTHORIZED", f"{message['op']} is not for a {peer.role}")
        return operation(number, message, now)

    def _on_gone(self, event: PeerGone, now: float) -> list[Action]:
        peer = self._peers.gone(event.peer)
        if peer is None:
            return []
        self._pool.peer_gone(event.peer)
        self._continuity.left(event.peer)
        self._restarts.left(event.peer)
        record = self._daemons.get(peer.role or "")
        if record is None or record.peer != event.peer:
            return []
        record.peer = None
        return self._pool.nursery_gone(now) if peer.role == NURSERY else []

    # Operations.

    def _ready(self, number: int, _: Message, now: float) -> list[Action]:
        role = self._peers.role(number)
        record = self._daemons.get(role)
        came = record is not None and record.state is Daemon.READY and record.peer == number
        if role == NURSERY and came and self._running():  # by another channel than before
            return self._pool.nursery_ready(number, now)
        actions = self._daemons.ready(role)
        if role == NURSERY and self._state is Plane.RUNNING:
            actions += self._pool.nursery_ready(number, now)
        if role == BROKER and record is not None and not record.adopted:
            actions += self._pool.tell({"op": "broker"})
        actions += self._bulletin.serves(role, now)
        return [*actions, *self._way_up.arrive(self._daemons)]

    def _beat(self, number: int, message: Message, now: float) -> list[Action]:
        actions = self._continuity.beat(number, message, now)
        self._bulletin.beat(number, now)
        return actions

    def _ping(self, number: int, message: Message, now: float) -> list[Action]:
        self._pool.figures.lag(NURSERY, message.get("lag"))
        return [*self._continuity.beat(number, message, now), Send(number, answer(message, "pong"))]

    def _fence(self, number: int, message: Message, _: float) -> list[Action]:
        return self._pool.fence(number, message)

    def _cleanse(self, number: int, message: Message, _: float) -> list[Action]:
        lane_id = require_text(message, "lane_id")
        nursery = self._daemons.get(NURSERY)
        # What of it has ended waits there for a successor's claim; there will be none.
        told = {"op": "forget", "lane_id": lane_id}
        forget = [Send(nursery.peer, told)] if nursery and nursery.peer is not None else []
        return [*self._pool.abandon(lane_id), *forget, Cleanse(number, message, lane_id)]

    def _status(self, number: int, message: Message, _: float) -> list[Action]:
        wanted = self._state is Plane.RUNNING
        pages = status_messages(message, self._info, self._daemons, self._pool, wanted=wanted)
        more, window = self._continuity.degraded(), self._continuity.window()
        return [
            Send(number, {**page, "degraded": [*page["degraded"], *more], "readopted": window})
            for page in pages
        ]

    def _down(self, number: int, message: Message, now: float) -> list[Action]:
        return [Send(number, answer(message, "stopping")), *self._begin_down(now)]

    def _error(self, number: int, message: Message, _: float) -> list[Action]:
        return [
            Note(f"{self._peers.role(number)} refused: {message.get('message')!r:.500}", "warning")
        ]

    # Ends and time.

    def _on_ended(self, event: Ended, now: float) -> list[Action]:
        swept = self._sweeping.ended(event.pid)
        if swept:
            return swept
        return [*self._continuity.ended(event.pid, now), *self._after(event, now)]

    def _after(self, event: Ended, now: float) -> list[Action]:
        record = self._daemons.of_pid(event.pid)
        if record is not None:
            actions: list[Action] = []
            if record.role == NURSERY:
                actions += [*self._pool.nursery_gone(now), *self._pool.orphaned()]
            self._births.ended(record.role, event)
            if record.peer is not None and record.peer == self._pool.broker:
                self._pool.broker = None
            self._bulletin.ended(record, event, now)
            actions += self._daemons.exited(record, how(event.code, event.signal), now)
            return [*actions, *self._give_up(now)]
        if event.known:
            return self._pool.ended(event.pid, event.code, event.signal, now)
        return self._pool.vanished(event.pid, now)

    def _on_asked(self, event: Asked, now: float) -> list[Action]:
        if self._state is Plane.RUNNING:
            return [Note(f"going down on signal {event.signal}"), *self._begin_down(now)]
        self._code = 128 + event.signal
        self._sweeping.force()
        actions: list[Action] = [Note("going down by force", "warning")]
        actions += [*self._continuity.kill(), *self._pool.kill(), *self._daemons.kill()]
        return [*actions, Sweep(signal.SIGKILL)] if self._state is Plane.SWEEPING else actions

    def _on_tick(self, event: Tick, now: float) -> list[Action]:
        self._pool.figures.lag(KEEPER, event.late)
        actions = [*self._daemons.due(now), *self._pool.due(now), *self._give_up(now)]
        actions += [*self._peers.late(now), *self._continuity.due(now), *self._births.due(now)]
        if self._sweeping.deadline <= now:
            more = self._sweeping.late(now)
            actions += self._abandon() if more is None else more
        return actions

    def _on_damaged(self, event: Damaged, _: float) -> list[Action]:
        nursery = self._daemons.get(NURSERY)
        heir = nursery.peer if event.keeper and nursery is not None else None
        return [*([] if heir is None else [Entrust(heir)]), *self._peers.rebind()]

    # The way down.

    def _begin_down(self, now: float) -> list[Action]:
        first = self._state is Plane.RUNNING
        self._state = follow(PLANE_TABLE, self._state, PlaneCause.DOWN)
        self._way_up.stop()
        return [*self._continuity.abandon(now), *self._pool.drain(now)] if first else []

    def _advance(self, now: float) -> list[Action]:
        actions: list[Action] = []
        gone = self._pool.empty and not self._continuity.awaited
        if self._state is Plane.DRAINING and gone:
            self._state = follow(PLANE_TABLE, self._state, PlaneCause.WORKERS_GONE)
            forced = self._sweeping.forced
            actions += self._daemons.kill() if forced else self._daemons.stop(now)
        if self._state is Plane.STOPPING and self._daemons.stopped and self._pool.empty:
            self._state = follow(PLANE_TABLE, self._state, PlaneCause.DAEMONS_GONE)
            actions += self._sweeping.scan(now)
        return actions

    def _abandon(self) -> list[Action]:
        """Go down although something cannot be ended."""
        self._code = self._code or EXIT_FAILED
        return [self._sweeping.give_up(), *self._finish()]

    def _on_swept(self, event: Swept, _: float) -> list[Action]:
        return [] if self._sweeping.found(event.pids) else self._finish()

    def _finish(self) -> list[Action]:
        self._state = follow(PLANE_TABLE, self._state, PlaneCause.SWEPT)
        self._sweeping.stop()
        return [Finish(self._code)]


def _of_nursery(note: Callable[[Message, float], list[Action]]) -> "_Operation":
    return lambda _, message, now: note(message, now)


_Operation = Callable[[int, Message, float], list[Action]]

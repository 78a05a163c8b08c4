"""The desk: what every handler of the core works with.

Owns the one way to change the durable state (make a record, apply it, write it), the numbering of
events, the answers, and the actions of the present turn. Handlers (`plane`, `lanes`, `keepers`,
`workers`, `routing`) are functions that take it. Sans-IO: time and randomness are given to it.
"""

import math
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from lanekeeper.broker.budget import Budget
from lanekeeper.broker.deadlines import Deadlines, Due, Key
from lanekeeper.broker.diagnosis import Diagnosis
from lanekeeper.broker.early import Early
from lanekeeper.broker.lane import Lane, Pending, Request
from lanekeeper.broker.looking import Looking
from lanekeeper.broker.records import (
    Admitted,
    Answered,
    Happening,
    Record,
    Registered,
    Taken,
    encode_record,
)
from lanekeeper.broker.registry import LaneEntry
from lanekeeper.broker.state import State
from lanekeeper.broker.stimuli import Action, Instant, Note, Publish, Reply, Write
from lanekeeper.broker.story import Story
from lanekeeper.broker.timings import Timings
from lanekeeper.wire.codec import encode
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.envelope import NIL, Actor, Command, Event, Response, raw
from lanekeeper.wire.errors import ErrorInfo
from lanekeeper.wire.ids import RANDOM_BYTES, make_id
from lanekeeper.wire.limits import DEFAULT_DEADLINE_MS
from lanekeeper.wire.messages.events import Happened, Registration
from lanekeeper.wire.messages.plane import Context
from lanekeeper.wire.states import LANE, LaneState, step
from lanekeeper.wire.version import VERSION

ABANDONED_KEPT: Final = 4096
"""Lanes whose making was given up; a worker that comes late for one is refused."""

_REASONED: Final = frozenset({LaneState.FAILED, LaneState.RECOVERING})


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an event happens: what it has in common with the command or message behind it."""

    correlation_id: str
    actor: Actor | None = None


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of an event's envelope."""

    workspace_id: str | None = None
    lane_id: str | None = None
    session_id: str | None = None
    terminal_id: str | None = None


class Desk:
    """Durable state, lanes in memory, and the actions of this turn."""

    def __init__(self, state: State, randomness: Callable[[int], bytes], directory: str) -> None:
        """Work on `state`.

        Args:
            state: what a journal gave, or an empty one.
            randomness: returns that many random bytes.
            directory: the runtime directory, for what clients are told of it.
        """
        self.state = state
        self.directory = directory
        self.events_endpoint = PlaneEndpoints(directory).events
        self.registry = state.registry
        self.budget = Budget(admitted=state.admitted)
        self.deadlines = Deadlines()
        self.story = Story()
        self.timings = Timings()
        self.registered = 0
        self.lanes = {lane_id: Lane(lane_id) for lane_id in state.registry.lanes}
        self.routes: dict[bytes, str] = {}
        self.creating: dict[str, str] = {}
        self.expected: set[str] = set()
        self.living: set[str] = set()
        self.listed = True
        self.early = Early()
        self.abandoned: OrderedDict[str, None] = OrderedDict()
        self.looking = Looking()
        self.diagnosis = Diagnosis()
        self.keeper = False
        self.awaiting_keeper: list[Request] = []
        self.again: deque[Request] = deque()
        self.counters: defaultdict[str, int] = defaultdict(int)
        self.actions: list[Action] = []
        self.instant = Instant(0.0, 0)
        self._randomness = randomness

    @property
    def now(self) -> float:
        """The monotonic time of this turn."""
        return self.instant.monotonic

    def new_id(self, kind: str) -> str:
        """Return a new id of a kind of `wire.ids.PREFIXES`."""
        return make_id(kind, self._randomness(RANDOM_BYTES))

    def note(self, level: int, text: str, lane: str | None = None) -> None:
        """Have a line written to the log."""
        self.actions.append(Note(level, text, lane))

    def cause(self, command: Command) -> Cause:
        """Return the cause that a command is; one without a correlation id gets a new one."""
        return Cause(command.correlation_id or self.new_id("correlation"), command.actor)

    def own_cause(self) -> Cause:
        """Return a cause for what nobody has asked for."""
        return Cause(self.new_id("correlation"))

    def record(self, record: Record) -> None:
        """Change the state by a record, and have it written."""
        self.state.apply(record)
        self.actions.append(Write(encode_record(record)))

    def register(self, registration: Registration, workspace_id: str) -> None:
        """Take in a worker's truth."""
        self.registered += 1
        self.record(Registered(registration, workspace_id, self.instant.ts))

    def publish(self, topic: str, happened: Happened, ids: Ids, cause: Cause) -> None:
        """Make, apply, write and publish an event of the broker."""
        event = Event(
            v=VERSION,
            id=self.new_id("event"),
            ts=self.instant.ts,
            topic=topic,
            payload=raw(happened),
            workspace_id=ids.workspace_id,
            lane_id=ids.lane_id,
            session_id=ids.session_id,
            terminal_id=ids.terminal_id,
            actor=cause.actor,
            correlation_id=cause.correlation_id,
        )
        self.emit(event, happened)

    def emit(self, event: Event, happened: Happened) -> None:
        """Number, apply, write and publish an event that is complete but for its number."""
        history = self.state.history
        event.seq = history.last + 1
        event.epoch = history.epoch
        data = encode(event)
        self.state.happen(data, event.topic, happened)
        self.actions.append(Write(encode_record(Happening(data))))
        self.actions.append(Publish(event.topic.encode("ascii"), data))

    def publish_lane(
        self, topic: str, entry: LaneEntry, cause: Cause, happened: Happened | None = None
    ) -> None:
        """Publish an event about a lane as it is now; `happened` says what else there is to say."""
        info = entry.view()
        body = replace(happened or Happened(), lane=info)
        self.publish(topic, body, Ids(info.workspace_id, info.id), cause)

    def change_lane(
        self, entry: LaneEntry, edge: str, cause: Cause, reason: str | None = None
    ) -> None:
        """Move a lane along an edge of `wire.states.LANE`, and publish that.

        Raises:
            WireError: INVALID_TRANSITION; nothing has changed.
        """
        before = entry.state
        state = step(LANE, before, edge, f"lane {entry.info.name}")
        info = replace(
            entry.view(),
            status=str(state),
            updated=self.instant.ts,
            reason=reason if state in _REASONED else None,
        )
        happened = Happened(lane=info, previous=str(before), reason=reason)
        self.timings.lane(self.lanes[info.id], before, LaneState(state), self.now)
        self.publish("lane.state.changed", happened, Ids(info.workspace_id, info.id), cause)

    def set_context(self, context: Context, cause: Cause) -> None:
        """Make a context the active one; publishes that only when it differs."""
        context = replace(context, updated=self.registry.context.updated)
        if context == self.registry.context:
            return
        context = replace(context, updated=self.instant.ts)
        ids = Ids(context.workspace_id, context.lane_id, context.session_id, context.terminal_id)
        self.publish("context.changed", Happened(context=context), ids, cause)

    def answer(self, request: Request, callers: list[bytes], result: Struct) -> None:
        """Answer a command with its result; the answer of a change is kept first."""
        response = self._response(request.command, result=result)
        self.timings.command(request, ok=True)
        self.give(request, callers, response, keep=request.method.mutates)

    def refuse(
        self, request: Request, callers: list[bytes], error: ErrorInfo, *, keep: bool = False
    ) -> None:
        """Answer a command with an error; `keep` it when the command has been executed."""
        self.counters[f"refused.{error.code}"] += 1
        response = self._response(request.command, error=error)
        self.timings.command(request, ok=False)
        self.give(request, callers, response, keep=keep and not error.retryable)

    def give(self, request: Request, callers: list[bytes], data: bytes, *, keep: bool) -> None:
        """Send an encoded response to every caller, after keeping it for retries if asked to."""
        if keep:
            self.state.answers.keep(request.command.id, data, self.now)
            answered = Answered(request.command.id, data, self.now)
            self.actions.append(Write(encode_record(answered)))
        for caller in callers:
            self.actions.append(Reply(caller, data))

    def undertake(self, lane: Lane, request: Request) -> None:
        """Take on a command that the broker itself sees to the end, past its own death.

        Raises:
            WireError: BACKPRESSURE, too many are in flight.
        """
        lane.send(request, lasting=True)
        self.record(Taken(lane.id, request.data, request.command.id))
        self.patience(lane.id, request.command)

    def admitted(self, command: Command) -> None:
        """Keep that the log budget has let a command pass, if it counts there."""
        if self.budget.counts(command) and command.id not in self.state.admitted:
            self.record(Admitted(command.id))

    def patience(
        self, lane_id: str, command: Command, at_most: float = math.inf, later: float = 0.0
    ) -> None:
        """Set a command's deadline in a lane, `at_most` seconds from now, `later` than it says."""
        seconds = (command.deadline_ms or DEFAULT_DEADLINE_MS) / 1000 + later
        self.deadlines.set(Key(Due.COMMAND, lane_id, command.id), self.now + min(seconds, at_most))

    def no_longer_awaiting(self) -> list[Request]:
        """Return what has waited for the keeper, which nothing does from now on."""
        waiting, self.awaiting_keeper = self.awaiting_keeper, []
        for request in waiting:
            self.deadlines.clear(Key(Due.COMMAND, "", request.command.id))
        return waiting

    def take(self, lane: Lane, command_id: str) -> Pending | None:
        """Take a command out of flight."""
        pending = lane.pending.pop(command_id, None)
        self.budget.settle(command_id)
        if pending is not None:
            self.deadlines.clear(Key(Due.COMMAND, lane.id, command_id))
            if pending.lasting:
                self.record(Taken(lane.id, None, command_id))
        return pending

    def release(self, lane: Lane) -> None:
        """Dispatch again what has waited for a lane's state to change."""
        for command_id in lane.waiting:
            self.deadlines.clear(Key(Due.COMMAND, lane.id, command_id))
        self.again.extend(lane.release())

    def forget_lane(self, lane: Lane) -> None:
        """Drop a lane that has left the registry."""
        self.release(lane)
        if any(lane_id == lane.id for lane_id, _ in self.state.taken):
            self.record(Taken(lane.id, None))
        self.expected.discard(lane.id)
        for command_id in lane.pending:
            self.budget.settle(command_id)
            self.deadlines.clear(Key(Due.COMMAND, lane.id, command_id))
        for due in (Due.CREATE, Due.DYING, Due.SWEEP, Due.RETURN):
            self.deadlines.clear(Key(due, lane.id))
        if lane.route is not None:
            self.routes.pop(lane.route, None)
        self.lanes.pop(lane.id, None)

    def abandon(self, lane_id: str) -> None:
        """Remember that nobody wants this lane any more."""
        self.abandoned[lane_id] = None
        if len(self.abandoned) > ABANDONED_KEPT:
            self.abandoned.popitem(last=False)

    def _response(
        self, command: Command, result: Struct | None = None, error: ErrorInfo | None = None
    ) -> bytes:
        response = Response(
            v=VERSION,
            id=command.id,
            ts=self.instant.ts,
            status="ok" if error is None else "error",
            result=NIL if result is None else raw(result),
            error=error,
            workspace_id=command.workspace_id,
            lane_id=command.lane_id,
            session_id=command.session_id,
            terminal_id=command.terminal_id,
            correlation_id=command.correlation_id,
        )
        return encode(response)

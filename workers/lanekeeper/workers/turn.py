"""One turn of the lane's core: what changed and what is to be done, in order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from lanekeeper.wire.codec import encode
from lanekeeper.wire.envelope import Command, Event, Response, raw
from lanekeeper.wire.errors import ErrorInfo
from lanekeeper.wire.ids import RANDOM_BYTES, make_id
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.lane import Endpoints
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.messages.terminal import TerminalInfo, WriterInfo
from lanekeeper.wire.methods import Method
from lanekeeper.wire.states import TERMINAL, TerminalState, step
from lanekeeper.wire.version import VERSION
from lanekeeper.workers.actions import Action, Journal, Moment, Reply, Report, Route
from lanekeeper.workers.records import Answered, Record, TerminalIs
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.tally import Tally

if TYPE_CHECKING:
    from lanekeeper.workers.echo import Typed

Entropy = Callable[[int], bytes]
"""Gives that many random bytes."""


class Log(Protocol):
    """What the core may ask of a terminal's output log."""

    head: int
    tail: int

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes that are kept."""


@dataclass(slots=True)
class Pending:
    """A command whose answer comes later, and everybody who waits for it.

    `head` is where the output ended when it came, `came` when a client sent it here (monotonic
    seconds); None when the broker did, which times it itself.
    """

    command: Command
    method: Method
    routes: list[Route]
    head: int = 0
    came: float | None = None

    @property
    def correlation(self) -> str:
        """What ties everything that the command causes to it."""
        return self.command.correlation_id or self.command.id


@dataclass(frozen=True, slots=True)
class Starting:
    """The command that starts a program, and the consumer it registered."""

    pending: Pending
    consumer_id: str | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the core is given once: randomness, logs, endpoints, what was typed, times, counts."""

    entropy: Entropy
    log: Callable[[str], Log | None]
    endpoints: Endpoints
    typed: Callable[[str], "Typed | None"] = lambda _: None
    samples: Callable[[str], list[tuple[int, int]]] = lambda _: []
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Turn:
    """The work of one stimulus."""

    state: LaneState
    moment: Moment
    around: Surroundings
    actions: list[Action] = field(default_factory=list)

    def do(self, action: Action) -> None:
        """Have an action carried out, after those before it."""
        self.actions.append(action)

    def put(self, record: Record) -> None:
        """Change the state by a record, and have it journalled."""
        self.state.apply(record, self.moment.now)
        self.actions.append(Journal(record))

    def new_id(self, kind: str) -> str:
        """Return a fresh id."""
        return make_id(kind, self.around.entropy(RANDOM_BYTES))

    def report(
        self,
        topic: str,
        correlation_id: str,
        happened: Happened,
    ) -> None:
        """Report a lifecycle event; the broker numbers and publishes it."""
        assignment = self.state.assignment
        terminal, session = happened.terminal, happened.session
        event = Event(
            v=VERSION,
            id=self.new_id("event"),
            ts=self.moment.ts,
            topic=topic,
            payload=raw(happened),
            workspace_id=assignment.workspace_id,
            lane_id=assignment.lane_id,
            session_id=terminal.session_id if terminal else session.id if session else None,
            terminal_id=terminal.id if terminal else None,
            correlation_id=correlation_id,
        )
        self.actions.append(Report(encode(event)))

    def answer(self, pending: Pending, result: Struct) -> None:
        """Give the result of a command to everybody who waits for it."""
        response = self._response(pending.command, "ok")
        response.result = raw(result)
        self.around.tally.command(pending.command.method, "ok", pending.came)
        self._send(pending, response, keep=pending.method.mutates)

    def refuse(self, pending: Pending, error: ErrorInfo, *, keep: bool = False) -> None:
        """Give an error; `keep` it for retries when the command had an effect before it failed."""
        response = self._response(pending.command, "error")
        response.error = error
        self.around.tally.command(pending.command.method, "error", pending.came)
        self._send(pending, response, keep=keep and pending.method.mutates)

    def current(self, info: TerminalInfo) -> TerminalInfo:
        """Return a terminal with its writer and the extent of its log as they are now."""
        held = self.state.writers.get(info.id)
        writer = held and WriterInfo(since=held.since, tty=held.tty, actor=held.actor)
        log = self.around.log(info.id)
        if log is None:
            return info if writer == info.writer else replace(info, writer=writer)
        return replace(info, head=log.head, tail=log.tail, writer=writer)

    def session_info(self, info: SessionInfo) -> SessionInfo:
        """Return a session with its leases and terminals counted."""
        return replace(
            info,
            leases=sum(lease.session_id == info.id for lease in self.state.leases.values()),
            terminals=len(self.state.terminals_of(info.id)),
        )

    def move(
        self, terminal: TerminalIs, event: str, cause: str | None = None, **changes: object
    ) -> TerminalIs:
        """Take a terminal through one edge of its table and report the change of state.

        `cause` is the correlation of what led to it, the start of its program without one.

        Raises:
            WireError: INVALID_TRANSITION; nothing has changed then.
        """
        before = terminal.info
        state = step(TERMINAL, TerminalState(before.state), event, f"terminal {before.name}")
        info = replace(self.current(before), state=str(state), updated=self.moment.ts, **changes)
        moved = replace(terminal, info=info)
        self.put(moved)
        self.report(
            "terminal.state.changed",
            cause or terminal.correlation_id,
            Happened(terminal=info, previous=before.state, reason=info.reason),
        )
        return moved

    def _response(self, command: Command, status: str) -> Response:
        assignment = self.state.assignment
        return Response(
            v=VERSION,
            id=command.id,
            ts=self.moment.ts,
            status="ok" if status == "ok" else "error",
            workspace_id=assignment.workspace_id,
            lane_id=assignment.lane_id,
            session_id=command.session_id,
            terminal_id=command.terminal_id,
            correlation_id=command.correlation_id,
        )

    def _send(self, pending: Pending, response: Response, *, keep: bool) -> None:
        data = encode(response)
        if keep:
            self.put(Answered(pending.command.id, data, self.moment.now))
        for route in pending.routes:
            self.actions.append(Reply(route, data))

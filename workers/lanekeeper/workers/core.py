"""The lane's core: one door, stimuli in, actions out.

It validates every command before anything changes, executes a mutating one once per id, keeps the
answers that come later, and ends leases, waits and kept terminals on time. It does no I/O: the
runner does.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from lanekeeper.wire.codec import decode_body, decode_command, encode, glimpse
from lanekeeper.wire.envelope import Command, Response
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import LEASE_SECONDS
from lanekeeper.wire.messages.events import Registration
from lanekeeper.wire.methods import METHODS, Executor, Method
from lanekeeper.wire.version import VERSION
from lanekeeper.workers import (
    closing,
    consumer_commands,
    keeping,
    life,
    recording_commands,
    resuming,
    screen_commands,
    session_commands,
    terminal_commands,
    waits,
    watching,
    writer_commands,
)
from lanekeeper.workers.actions import (
    Action,
    Cleared,
    Delivered,
    Demoted,
    Drain,
    Drained,
    Drawn,
    Executed,
    Exited,
    Forked,
    Frame,
    Leave,
    Located,
    Moment,
    Queried,
    Reply,
    Route,
    SpawnRefused,
    Stimulus,
    Throttle,
    Tick,
    Timed,
    Undelivered,
    Ungated,
)
from lanekeeper.workers.records import LaneIs
from lanekeeper.workers.resuming import Left
from lanekeeper.workers.state import LaneState
from lanekeeper.workers.turn import Pending, Starting, Surroundings, Turn

STALL: Final = 2.0
"""A turn that comes this late means that we were stopped: deadlines of others start again."""

CALLERS_MAX: Final = 8
"""Connections that wait for one command: its client and the retries after a reconnection."""

STEADY: Final = frozenset({"terminal.input", "terminal.ack", "terminal.read", "terminal.get"})
"""Methods after which the next deadline is what it was before."""

Handler = Callable[["LaneCore", Turn, Pending, Struct], Struct | None]
"""Executes a command; None when the answer comes later."""

HANDLERS: Final[dict[str, Handler]] = {
    **session_commands.HANDLERS,
    **terminal_commands.HANDLERS,
    **consumer_commands.HANDLERS,
    **writer_commands.HANDLERS,
    **closing.HANDLERS,
    **waits.HANDLERS,
    **recording_commands.HANDLERS,
    **screen_commands.HANDLERS,
}


class LaneCore:
    """Everything a lane decides.

    Attributes:
        pending: commands that are being executed, by id.
        starting: the `terminal.spawn` or `respawn` of each terminal that is being started.
        waits: the `terminal.wait` commands.
        closings: endings under way, by id.
        locating: for each terminal, how often the shell was asked for its cursor and has not said.
    """

    def __init__(self, state: LaneState, around: Surroundings) -> None:
        """Make a core over a state that is new or was replayed."""
        self.state = state
        self.pending: dict[str, Pending] = {}
        self.starting: dict[str, Starting] = {}
        self.waits = waits.Waits(around)
        self.closings: dict[str, closing.Closing] = {}
        self.locating: Counter[str] = Counter()
        self.leaving = False
        self._around = around
        self._last: float | None = None
        self._due: float | None = None
        self._due_known = False
        self._steady = False

    def first(self, moment: Moment) -> list[Action]:
        """Return the actions that open a new lane's journal."""
        turn = Turn(self.state, moment, self._around)
        turn.put(LaneIs(self.state.assignment))
        return turn.actions

    def resume(self, left: Left, moment: Moment) -> list[Action]:
        """Return the actions by which a successor takes a lane over, in its new generation."""
        turn = Turn(self.state, moment, self._around)
        turn.put(LaneIs(self.state.assignment))
        if self.state.ended:
            # It has ended, but for the farewell: what is left is the keeper's, and to be asked of.
            turn.do(Leave())
            return turn.actions
        resuming.resume(self, turn, left)
        for command_id in left.done:
            self._input_done(turn, Delivered(command_id, self.state.inputs[command_id].size))
        return turn.actions

    def handle(self, stimulus: Stimulus, moment: Moment) -> list[Action]:
        """Take one stimulus and return what is to be done, in order."""
        turn = Turn(self.state, moment, self._around)
        self._watch_own_stall(moment.now)
        # Input and what becomes of it end no lease and no wait: the next deadline stays.
        known, self._due_known = self._due_known, False
        match stimulus:
            case Frame():
                self._frame(turn, stimulus)
            case Delivered() | Undelivered():
                self._input_done(turn, stimulus)
            case Forked() | Executed() | Ungated() | SpawnRefused() | Exited() | Drained():
                life.handle(self, turn, stimulus)
            case Queried() | Timed() | Located() | Throttle() | Demoted():
                watching.noticed(self, turn, stimulus)
            case Cleared():
                closing.cleared(self, turn, stimulus)
            case Drawn():
                screen_commands.drawn(self, turn, stimulus)
            case Tick():
                self._tick(turn)
            case Drain():
                closing.drain(self, turn)
        if self._steady:
            self._steady, self._due_known = False, known
        return turn.actions

    def registration(self, pid: int, start_time: int, moment: Moment) -> Registration:
        """Return the truth of this lane for a broker."""
        turn = Turn(self.state, moment, self._around)
        return Registration(
            assignment=self.state.assignment,
            pid=pid,
            start_time=start_time,
            endpoints=self._around.endpoints,
            sessions=[turn.session_info(info) for info in self.state.sessions.values()],
            terminals=[turn.current(t.info) for t in self.state.terminals.values()],
        )

    def deadline(self) -> float | None:
        """When a `Tick` is due next (monotonic seconds), None for never."""
        if not self._due_known:
            self._due, self._due_known = self._next_due(), True
        return self._due

    def _next_due(self) -> float | None:
        times = [lease.expires for lease in self.state.leases.values()]
        waits_due = self.waits.deadline()
        times += [] if waits_due is None else [waits_due]
        times += keeping.kept_until(self, self._around)
        return min(times, default=None)

    def check_open(self, session_id: str, terminal_id: str = "") -> None:
        """Refuse to start anything in what is being ended; WireError INVALID_TRANSITION."""
        if self.ending(session_id, terminal_id):
            raise WireError("INVALID_TRANSITION", "it is being ended; use another one")

    def tty_writer(self, terminal_id: str) -> bool:
        """Whether a terminal of its own holds the writer lease: it answers queries, not we."""
        return self.state.tty_writer(terminal_id)

    def ending(self, session_id: str, terminal_id: str) -> bool:
        """Whether the lane, the session or the terminal is being ended."""
        targets = {c.target for c in self.closings.values()}
        return self.leaving or not targets.isdisjoint({session_id, terminal_id})

    def reckon(self) -> None:
        """Have the next deadline found anew after a command that leaves it as it is as a rule."""
        self._steady = False

    def _frame(self, turn: Turn, frame: Frame) -> None:
        came = None if frame.route is None else turn.moment.now
        try:
            command = decode_command(frame.data)
        except WireError as error:
            turn.around.tally.command("", "error", came)
            turn.do(Reply(frame.route, _malformed(frame.data, error, turn.moment.ts)))
            return
        method = METHODS.get(command.method) or Method()
        pending = Pending(command, method, [frame.route], came=came)
        try:
            self._execute(turn, pending, frame.route)
        except WireError as error:
            turn.refuse(pending, error.info)

    def _execute(self, turn: Turn, pending: Pending, route: Route) -> None:
        command, method = pending.command, pending.method
        handler = HANDLERS.get(command.method)
        if handler is None or method.executor is not Executor.LANE:
            raise _not_here(command.method)
        running = self.pending.get(command.id)
        if running is not None:
            if route not in running.routes:
                running.routes = [*running.routes[1 - CALLERS_MAX :], route]
            return
        if method.mutates:
            kept = self.state.answers.find(command.id, turn.moment.now)
            if kept is not None:
                turn.do(Reply(route, kept))
                return
        self._check(command, method)
        if method.by_broker and route is not None:
            raise WireError(
                "INVALID_ARGUMENT",
                f"{command.method} goes through the broker, which counts what the plane has; send "
                "it to broker.sock",
            )
        payload = decode_body(command.payload, method.payload, command.method)
        self._steady = command.method in STEADY
        result = handler(self, turn, pending, payload)
        if result is None:
            self.pending[command.id] = pending
        elif method.one_way:
            turn.around.tally.command(command.method, "ok", pending.came)
        else:
            turn.answer(pending, result)

    def _check(self, command: Command, method: Method) -> None:
        """Refuse a command whose ids are missing or foreign."""
        for name in method.requires:
            if getattr(command, name) is None:
                raise WireError(
                    "INVALID_ENVELOPE", f"{command.method} needs {name} in the envelope"
                )
        if method.lifecycle and command.correlation_id is None:
            raise WireError("INVALID_ENVELOPE", f"{command.method} needs a correlation_id")
        assignment = self.state.assignment
        if command.lane_id not in {None, assignment.lane_id}:
            raise WireError(
                "LANE_NOT_FOUND", f"this is lane {assignment.lane_id}, not {command.lane_id}"
            )
        if command.workspace_id not in {None, assignment.workspace_id}:
            raise WireError("WORKSPACE_NOT_FOUND", f"this lane is not in {command.workspace_id}")
        if command.session_id is not None:
            self.state.session(command.session_id)
        if command.terminal_id is not None:
            terminal = self.state.terminal(command.terminal_id)
            if command.session_id not in {None, terminal.info.session_id}:
                raise WireError(
                    "TERMINAL_NOT_FOUND", f"terminal {command.terminal_id} is in another session"
                )

    def _input_done(self, turn: Turn, stimulus: Delivered | Undelivered) -> None:
        pending = self.pending.pop(stimulus.command_id, None)
        self._steady = True
        if pending is None:
            return
        if isinstance(stimulus, Delivered):
            turn.answer(pending, terminal_commands.delivered(stimulus.size, pending.head))
        else:
            error = stimulus.error.info
            turn.refuse(pending, error, keep=stimulus.taken and not error.retryable)

    def _tick(self, turn: Turn) -> None:
        now = turn.moment.now
        for lease_id in [i for i, lease in self.state.leases.items() if lease.expires <= now]:
            session_commands.end_lease(turn, lease_id, "the lease expired")
        self.waits.look(self, turn)
        keeping.drop_kept(self, turn)

    def _watch_own_stall(self, now: float) -> None:
        """Give every lease its full time again when this process was stopped itself."""
        due = self.deadline()
        late = due is not None and now - due > STALL
        if late and self._last is not None and now - self._last > STALL:
            for lease in self.state.leases.values():
                lease.expires = max(lease.expires, now + LEASE_SECONDS)
            self._due_known = False
        self._last = now


def _not_here(method: str) -> WireError:
    known = METHODS.get(method)
    if known is None:
        return WireError("UNKNOWN_METHOD", f"no method {method}; docs/protocol.md lists them all")
    if known.executor is None:
        return WireError("NOT_IMPLEMENTED", f"{method} comes with {known.phase}")
    return WireError("INVALID_ARGUMENT", f"{method} is the broker's; send it to broker.sock")


def _malformed(data: bytes, error: WireError, ts: str) -> bytes:
    seen = glimpse(data)
    command_id = seen.id if seen.id is not None and len(seen.id) <= len(data) else ""
    return encode(Response(v=VERSION, id=command_id[:128], ts=ts, status="error", error=error.info))

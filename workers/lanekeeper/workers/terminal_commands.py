"""Terminals of a lane: spawn, respawn, input, size, signals, reading and consumers."""

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_TERMINALS_PER_LANE
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.plane import Nothing
from lanekeeper.wire.messages.terminal import (
    Consume,
    Gap,
    Input,
    InputResult,
    Read,
    ReadResult,
    Resize,
    Respawn,
    Signal,
    Spawn,
    TerminalInfo,
    TerminalResult,
)
from lanekeeper.wire.states import TERMINAL, TerminalState, step
from lanekeeper.workers import writer_commands
from lanekeeper.workers.actions import Deliver, Forget, SendSignal, SetSize, Start
from lanekeeper.workers.consumer_commands import register
from lanekeeper.workers.programs import check_program, free_name, shown, signal_number
from lanekeeper.workers.records import Gone, Resized, TerminalIs
from lanekeeper.workers.turn import Pending, Starting, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore

LIVE: Final = frozenset({TerminalState.ACTIVE, TerminalState.THROTTLED})
ENDED: Final = frozenset({TerminalState.STOPPED, TerminalState.ERRORED})


def spawn(lane: "LaneCore", turn: Turn, pending: Pending, body: Spawn) -> None:
    """Start a program on a new terminal; the answer comes when it runs or could not be run."""
    session = turn.state.session(pending.command.session_id)
    lane.check_open(session.id)
    check_program(body)
    name = free_name(turn.state, session.id, body.name)
    if len(turn.state.terminals) >= MAX_TERMINALS_PER_LANE:
        raise WireError(
            "LIMIT_EXCEEDED",
            f"a lane may have {MAX_TERMINALS_PER_LANE} terminals; close one or use another lane",
            limit=MAX_TERMINALS_PER_LANE,
        )
    for lease in (body.consume, body.write):
        if lease is not None:
            turn.state.lease(lease.lease_id, session.id)
    info = TerminalInfo(
        id=turn.new_id("terminal"),
        workspace_id=session.workspace_id,
        lane_id=session.lane_id,
        session_id=session.id,
        name=name,
        state=str(TerminalState.IDLE),
        argv=shown(body.argv),
        cwd=None if body.cwd is None else shown([body.cwd])[0],
        cols=body.cols,
        rows=body.rows,
        capacity=body.capacity,
        created=turn.moment.ts,
        updated=turn.moment.ts,
    )
    _start(lane, turn, pending, TerminalIs(info, body, pending.correlation), body.consume)
    if body.write is not None:
        terminal = turn.state.terminal(info.id)
        writer_commands.assign(turn, terminal, body.write, pending)


def respawn(lane: "LaneCore", turn: Turn, pending: Pending, body: Respawn) -> None:
    """Start the program of an ended terminal again; its log goes on."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    lane.check_open(terminal.info.session_id, terminal.info.id)
    if body.consume is not None:
        turn.state.lease(body.consume.lease_id, terminal.info.session_id)
        consumers = turn.state.consumers[terminal.info.id]
        consumers.check(body.consume.lease_id, body.consume.policy, turn.moment.now)
    fresh = replace(
        terminal.info, pid=None, start_time=None, exit=None, reason=None, updated=turn.moment.ts
    )
    again = TerminalIs(fresh, terminal.spec, pending.correlation)
    _start(lane, turn, pending, again, body.consume)


def _start(
    lane: "LaneCore", turn: Turn, pending: Pending, terminal: TerminalIs, consume: Consume | None
) -> None:
    info = terminal.info
    state = step(TERMINAL, TerminalState(info.state), "spawn", f"terminal {info.name}")
    info = replace(turn.current(info), state=str(state))
    turn.put(replace(terminal, info=info, command_id=pending.command.id, begin=info.head))
    turn.report("terminal.spawn.started", terminal.correlation_id, Happened(terminal=info))
    consumer_id = None
    if consume is not None:
        start = info.head if consume.offset is None else max(info.tail, consume.offset)
        consumer_id = register(turn, info.id, consume, min(start, info.head))
        turn.put(replace(turn.state.terminals[info.id], consumer_id=consumer_id))
    lane.starting[info.id] = Starting(pending, consumer_id)
    turn.do(Start(info, terminal.spec))


def send(_lane: "LaneCore", turn: Turn, pending: Pending, body: Input) -> None:
    """Queue input; the answer comes when the kernel has all of it."""
    terminal = _live(turn, pending)
    log = turn.around.log(terminal.info.id)
    pending.head = terminal.info.head if log is None else log.head
    writer_commands.check(turn, terminal, body.writer_id)
    command_id = pending.command.id
    turn.do(Deliver(terminal.info.id, command_id, body.data, body.eof, body.paste, body.more))


def delivered(size: int, head: int) -> InputResult:
    """Return the answer to a delivered input, before which the output ended at `head`."""
    return InputResult(delivered=size, head=head)


def resize(_lane: "LaneCore", turn: Turn, pending: Pending, body: Resize) -> TerminalResult:
    """Change the size; whoever reads the output sees it in-band at this offset."""
    terminal = _live(turn, pending)
    writer_commands.check(turn, terminal, body.writer_id)
    info = replace(
        turn.current(terminal.info), cols=body.cols, rows=body.rows, updated=turn.moment.ts
    )
    turn.put(Resized(info.id, info.head, turn.moment.time_ns, body.cols, body.rows))
    turn.put(replace(terminal, info=info))
    turn.do(SetSize(info.id, body.cols, body.rows))
    return TerminalResult(terminal=info)


def send_signal(_lane: "LaneCore", turn: Turn, pending: Pending, body: Signal) -> TerminalResult:
    """Signal the foreground process group, the program, or its whole tree."""
    signum = signal_number(body.signal)
    terminal = _live(turn, pending)
    turn.do(SendSignal(terminal.info.id, signum, body.target))
    return TerminalResult(terminal=turn.current(terminal.info))


def get(_lane: "LaneCore", turn: Turn, pending: Pending, _body: Nothing) -> TerminalResult:
    """Return a terminal as it is now."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    return TerminalResult(terminal=turn.current(terminal.info))


def read(_lane: "LaneCore", turn: Turn, pending: Pending, body: Read) -> ReadResult:
    """Return a range of the output log, and say what of it is gone."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    log = turn.around.log(terminal.info.id)
    head, tail = (log.head, log.tail) if log is not None else (0, 0)
    asked = tail if body.offset is None else body.offset
    if asked > head:
        raise WireError("INVALID_ARGUMENT", f"offset {asked} is after the end, {head}")
    start = max(asked, tail)
    ended = terminal.info.state in ENDED
    data = log.read(start, body.max) if log is not None else b""
    turn.around.tally.read(asked, start, len(data))
    return ReadResult(
        offset=start,
        data=data,
        head=head,
        tail=tail,
        epoch=turn.state.assignment.generation,
        gap=Gap(start=asked, end=start) if start > asked else None,
        end=head if ended else None,
        exit=terminal.info.exit if ended else None,
    )


def forget(turn: Turn, terminal: TerminalIs, reason: str, cause: str | None = None) -> None:
    """Remove a terminal whose program has ended, with its log; `cause` as in `Turn.move`."""
    info = turn.current(terminal.info)
    turn.put(Gone(info.id))
    turn.do(Forget(info.id))
    happened = Happened(terminal=info, reason=reason)
    turn.report("terminal.closed", cause or terminal.correlation_id, happened)


def _live(turn: Turn, pending: Pending) -> TerminalIs:
    terminal = turn.state.terminal(pending.command.terminal_id)
    if terminal.info.state not in LIVE:
        raise WireError(
            "INVALID_TRANSITION",
            f"terminal {terminal.info.name} is {terminal.info.state}: no program runs in it; "
            "start it again with terminal.respawn",
            state=terminal.info.state,
        )
    return terminal


HANDLERS: Final[dict[str, Any]] = {
    "terminal.spawn": spawn,
    "terminal.respawn": respawn,
    "terminal.input": send,
    "terminal.resize": resize,
    "terminal.signal": send_signal,
    "terminal.get": get,
    "terminal.read": read,
}

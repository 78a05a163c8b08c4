"""The life of a terminal's program: forked, executed, exited, drained."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.terminal import ExitStatus, Spawned
from lanekeeper.wire.states import TerminalState
from lanekeeper.workers import closing, keeping, terminal_commands
from lanekeeper.workers.actions import (
    Announce,
    Demoted,
    Drained,
    Executed,
    Exited,
    Forked,
    Hangup,
    OpenGate,
    Reap,
    SpawnRefused,
    Start,
    Throttle,
    Ungated,
)
from lanekeeper.workers.records import ConsumerIs, TerminalIs
from lanekeeper.workers.turn import Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore

UNKNOWN = ExitStatus(kind="unknown")


def handle(
    lane: "LaneCore",
    turn: Turn,
    stimulus: Forked | Executed | Ungated | SpawnRefused | Exited | Drained,
) -> None:
    """Take one step in the life of a program; a terminal that is gone is ignored."""
    terminal = turn.state.terminals.get(stimulus.terminal_id)
    if terminal is None:
        if isinstance(stimulus, Exited):
            turn.do(Reap(stimulus.terminal_id))  # it was left behind when the others were ended
        return
    match stimulus:
        case Forked() if lane.ending(terminal.info.session_id, terminal.info.id):
            # An ending that began meanwhile has not seen this child: it must not pass its gate.
            _refused(lane, turn, terminal, "it was ended before its program ran")
        case Forked():
            info = replace(terminal.info, pid=stimulus.pid, start_time=stimulus.start_time)
            turn.put(replace(terminal, info=info))
            turn.do(OpenGate(info.id))
        case Executed():
            _executed(lane, turn, terminal)
        case Ungated():
            info = replace(terminal.info, pid=None, start_time=None)
            turn.put(replace(terminal, info=info))
            turn.do(Start(info, terminal.spec))
        case SpawnRefused():
            reason = f"{terminal.info.argv[0]}: {stimulus.reason}"
            _refused(lane, turn, terminal, reason, stimulus.code)
        case Exited():
            _exited(turn, terminal, stimulus.status)
        case Drained():
            _drained(lane, turn, terminal)


def flow(turn: Turn, stimulus: Throttle | Demoted) -> None:
    """Report that a terminal's output is held back, goes on, or no longer waits for a consumer."""
    terminal = turn.state.terminals.get(stimulus.terminal_id)
    if terminal is None:
        return
    if isinstance(stimulus, Throttle):
        wanted = TerminalState.ACTIVE if stimulus.on else TerminalState.THROTTLED
        if terminal.info.state == wanted:
            turn.move(terminal, "throttle" if stimulus.on else "resume")
        return
    one = turn.state.consumers[terminal.info.id].get(stimulus.consumer_id)
    turn.put(ConsumerIs(one.id, terminal.info.id, one.lease_id, one.policy, one.offset))


def _executed(lane: "LaneCore", turn: Turn, terminal: TerminalIs) -> None:
    terminal = turn.move(terminal, "started", runs=terminal.info.runs + 1)
    turn.report("terminal.spawned", terminal.correlation_id, Happened(terminal=terminal.info))
    starting = lane.starting.pop(terminal.info.id, None)
    if starting is None:
        return
    lane.pending.pop(starting.pending.command.id, None)
    turn.answer(
        starting.pending,
        Spawned(
            terminal=terminal.info,
            endpoints=turn.around.endpoints,
            epoch=turn.state.assignment.generation,
            consumer_id=starting.consumer_id,
            writer_id=_writer(turn, terminal),
        ),
    )


def _writer(turn: Turn, terminal: TerminalIs) -> str | None:
    """Return the token of the writer lease that the spawn took, if it still holds."""
    held, asked = turn.state.writers.get(terminal.info.id), terminal.spec.write
    same = held is not None and asked is not None and held.lease_id == asked.lease_id
    return held.id if held is not None and same else None


def _refused(
    lane: "LaneCore", turn: Turn, terminal: TerminalIs, reason: str, code: str = "SPAWN_FAILED"
) -> None:
    error = WireError(code, reason).info
    failed = turn.move(terminal, "fail", reason=reason, pid=None, start_time=None)
    turn.report(
        "terminal.spawn.failed",
        terminal.correlation_id,
        Happened(terminal=failed.info, error=error),
    )
    turn.do(Reap(terminal.info.id))
    turn.do(Hangup(terminal.info.id))
    if failed.info.runs == 0:
        terminal_commands.forget(turn, failed, reason)
    else:
        turn.put(replace(failed, ended_at=turn.moment.now))
        lane.waits.end(lane, turn, failed.info)
    starting = lane.starting.pop(terminal.info.id, None)
    if starting is not None:
        lane.pending.pop(starting.pending.command.id, None)
        turn.refuse(starting.pending, error, keep=True)
    closing.ended(lane, turn, terminal.info.id)


def _exited(turn: Turn, terminal: TerminalIs, status: ExitStatus) -> None:
    if terminal.info.exit in {None, UNKNOWN}:  # else told once more to a successor, or unknown now
        turn.put(replace(terminal, info=replace(terminal.info, exit=status)))
    turn.do(Reap(terminal.info.id))


def _drained(lane: "LaneCore", turn: Turn, terminal: TerminalIs) -> None:
    if terminal.info.state in terminal_commands.ENDED:
        return
    status = terminal.info.exit or UNKNOWN
    cause = closing.cause(lane, terminal.info.id)
    stopped = turn.move(terminal, "exit", cause, exit=status)
    turn.around.tally.program_ended(status)
    turn.put(replace(stopped, ended_at=turn.moment.now))
    info = stopped.info
    turn.do(Announce(info.id, info.head, status))
    lane.waits.end(lane, turn, info)
    closing.ended(lane, turn, info.id)
    keeping.drop_kept(lane, turn)

"""Ending terminals, sessions and the lane: everything they started goes, then they are forgotten.

An ending is complete when the sweep has found nothing left *and* every terminal in it has reported
its end, so that exit statuses and last bytes come before `terminal.closed`, `session.terminated`
and the answer.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.lane import Ended, LaneCleanup
from lanekeeper.wire.messages.session import SessionTerminate
from lanekeeper.wire.messages.terminal import Close
from lanekeeper.workers import session_commands, terminal_commands
from lanekeeper.workers.actions import Cleared, End, Leave
from lanekeeper.workers.records import Gone
from lanekeeper.workers.turn import Pending, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore

DRAIN_GRACE: Final = 3.0


@dataclass(slots=True)
class Closing:
    """One ending under way.

    `scope` is lane, session or terminal; `cause` is the correlation of its events; `waiting` are
    terminals not ended yet.
    """

    id: str
    scope: str
    target: str
    pending: Pending | None
    cause: str = ""
    terminals: tuple[str, ...] = ()
    waiting: set[str] = field(default_factory=set)
    cleared: Cleared | None = None


def close(lane: "LaneCore", turn: Turn, pending: Pending, body: Close) -> None:
    """End a terminal and forget it."""
    terminal = turn.state.terminal(pending.command.terminal_id)
    _begin(lane, turn, Closing("", "terminal", terminal.info.id, pending), body.grace_s)


def terminate(lane: "LaneCore", turn: Turn, pending: Pending, body: SessionTerminate) -> None:
    """End a session with its terminals."""
    session = turn.state.session(pending.command.session_id)
    _begin(lane, turn, Closing("", "session", session.id, pending), body.grace_s)


def cleanup(lane: "LaneCore", turn: Turn, pending: Pending, body: LaneCleanup) -> None:
    """End everything in the lane; the worker leaves afterwards."""
    lane.leaving = True
    _begin(lane, turn, Closing("", "lane", turn.state.assignment.lane_id, pending), body.grace_s)


def drain(lane: "LaneCore", turn: Turn) -> None:
    """End everything in the lane because the plane stops; nobody waits for an answer."""
    if lane.leaving:
        return
    lane.leaving = True
    _begin(lane, turn, Closing("", "lane", turn.state.assignment.lane_id, None), DRAIN_GRACE)


def _begin(lane: "LaneCore", turn: Turn, closing: Closing, grace: float) -> None:
    state = turn.state
    terminals = {
        "lane": lambda: state.terminals_of(None),
        "session": lambda: state.terminals_of(closing.target),
        "terminal": lambda: [state.terminal(closing.target)],
    }[closing.scope]()
    closing.id = turn.new_id("event")
    pending = closing.pending
    closing.cause = turn.new_id("correlation") if pending is None else pending.correlation
    closing.terminals = tuple(t.info.id for t in terminals)
    closing.waiting = {t.info.id for t in terminals if t.info.state not in terminal_commands.ENDED}
    lane.closings[closing.id] = closing
    marker = (f"LANEKEEPER_{closing.scope.upper()}", closing.target)
    turn.do(End(closing.id, closing.terminals, marker, grace))


def cleared(lane: "LaneCore", turn: Turn, stimulus: Cleared) -> None:
    """Note that the processes of an ending are gone."""
    closing = lane.closings.get(stimulus.ending_id)
    if closing is not None:
        closing.cleared = stimulus
        _finish_if_complete(lane, turn, closing)


def cause(lane: "LaneCore", terminal_id: str) -> str | None:
    """Return the correlation of what ends a terminal, None when nothing does."""
    endings = (c.cause for c in lane.closings.values() if terminal_id in c.terminals)
    return next(endings, None)


def ended(lane: "LaneCore", turn: Turn, terminal_id: str) -> None:
    """Note that a terminal has reported its end."""
    for closing in list(lane.closings.values()):
        closing.waiting.discard(terminal_id)
        _finish_if_complete(lane, turn, closing)


def _finish_if_complete(lane: "LaneCore", turn: Turn, closing: Closing) -> None:
    if closing.cleared is None or closing.waiting:
        return
    del lane.closings[closing.id]
    state = turn.state
    sessions = {"lane": list(state.sessions), "session": [closing.target]}.get(closing.scope, [])
    sessions = [s for s in sessions if s in state.sessions]
    result = Ended(
        sessions=len(sessions),
        terminals=len(closing.terminals),
        processes=closing.cleared.processes,
        killed=closing.cleared.killed,
    )
    for terminal_id in closing.terminals:
        terminal = state.terminals.get(terminal_id)
        if terminal is not None:
            reason = f"its {closing.scope} was ended"
            terminal_commands.forget(turn, terminal, reason, closing.cause)
    for session_id in sessions:
        info = session_commands.end_session(turn, session_id)
        turn.report("session.terminated", closing.cause, Happened(session=info, ended=result))
    _answer(lane, turn, closing, result)
    if closing.scope == "lane":
        turn.put(Gone(closing.target))
        turn.do(Leave())


def _answer(lane: "LaneCore", turn: Turn, closing: Closing, result: Ended) -> None:
    # A second ending of the same terminal gets its own answer when its own sweep is over.
    endings = {c.pending.command.id for c in (closing, *lane.closings.values()) if c.pending}
    for pending in list(lane.pending.values()):
        terminal_id = pending.command.terminal_id
        if pending.command.id not in endings and terminal_id in closing.terminals:
            del lane.pending[pending.command.id]
            lane.waits.drop(terminal_id or "")
            error = WireError("TERMINAL_NOT_FOUND", "the terminal was closed meanwhile")
            turn.refuse(pending, error.info, keep=True)
    if closing.pending is not None:
        lane.pending.pop(closing.pending.command.id, None)
        turn.answer(closing.pending, result)


HANDLERS: Final[dict[str, Any]] = {
    "terminal.close": close,
    "session.terminate": terminate,
    "lane.cleanup": cleanup,
}

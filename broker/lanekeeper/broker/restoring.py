"""Sessions while their lane gets a new worker: `restoring`, then restored, each step published.

Owns `session.restore.started` and `session.restore.completed` after the death of a worker. What
came back is what the successor registers, compared with what was there; nothing is called recovered
before that. Sans-IO; called by `deaths` and `workers`.
"""

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from lanekeeper.broker.desk import Cause, Desk, Ids
from lanekeeper.broker.registry import LaneEntry
from lanekeeper.wire.errors import ErrorInfo
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.session import SessionInfo, TerminalOutcome
from lanekeeper.wire.messages.terminal import TerminalInfo
from lanekeeper.wire.states import SESSION, SessionState, TerminalState, step

CLEAN_UP: Final = "clean the lane up with lane cleanup, and start the program again with lane run"
RESPAWN: Final = "start it again with lane respawn"
RECOVER: Final = "bring the lane back with lane recover; the program lives on"

_RUNNING: Final = frozenset(
    {str(TerminalState.SPAWNING), str(TerminalState.ACTIVE), str(TerminalState.THROTTLED)}
)


@dataclass(frozen=True, slots=True)
class Before:
    """What a lane held before its successor registered."""

    sessions: dict[str, SessionInfo]
    terminals: dict[str, TerminalInfo]


def begin(desk: Desk, entry: LaneEntry, cause: Cause) -> None:
    """Publish that the sessions of a lane are being restored."""
    for session in entry.live_sessions():
        before = SessionState(session.status)
        if "restore" not in SESSION[before]:
            continue
        _move(desk, entry, session, "restore", cause)


def before(entry: LaneEntry) -> Before:
    """Return what a lane holds now."""
    return Before(dict(entry.sessions), dict(entry.terminals))


def completed(desk: Desk, entry: LaneEntry, was: Before, cause: Cause) -> None:
    """Publish what became of each session that was being restored, terminal by terminal."""
    for session in was.sessions.values():
        if session.status != SessionState.RESTORING:
            continue
        now = entry.sessions.get(session.id)
        outcomes = [
            _outcome(terminal, entry.terminals.get(terminal.id))
            for terminal in was.terminals.values()
            if terminal.session_id == session.id
        ]
        happened = Happened(session=now, previous=session.status, restored=outcomes)
        ids = Ids(entry.info.workspace_id, entry.info.id, session.id)
        desk.publish("session.restore.completed", happened, ids, cause)


def failed(desk: Desk, entry: LaneEntry, cause: Cause, reason: str, *, kept: bool) -> None:
    """Publish that the sessions of a lane were not restored, and what can be done."""
    for session in entry.live_sessions():
        if session.status != SessionState.RESTORING:
            continue
        remedy = RECOVER if kept else CLEAN_UP
        outcomes = [
            TerminalOutcome(
                terminal_id=terminal.id,
                name=terminal.name,
                outcome="lost",
                state=terminal.state,
                reason=reason,
                remedy=remedy,
            )
            for terminal in entry.terminals.values()
            if terminal.session_id == session.id and terminal.state in _RUNNING
        ]
        error = ErrorInfo(code="WORKER_LOST", message=f"{reason}; {remedy}")
        happened = Happened(restored=outcomes, error=error, reason=reason)
        _move(desk, entry, session, "fail", cause, happened)


def _move(  # one step of a session
    desk: Desk,
    entry: LaneEntry,
    session: SessionInfo,
    edge: str,
    cause: Cause,
    happened: Happened | None = None,
) -> None:
    topic = "session.restore.started" if edge == "restore" else "session.restore.completed"
    before_it = SessionState(session.status)
    status = step(SESSION, before_it, edge, f"session {session.name}")
    moved = replace(session, status=str(status), updated=desk.instant.ts)
    body = replace(happened or Happened(), session=moved, previous=str(before_it))
    desk.publish(topic, body, Ids(entry.info.workspace_id, entry.info.id, session.id), cause)


def _outcome(was: TerminalInfo, now: TerminalInfo | None) -> TerminalOutcome:
    made = TerminalOutcome(terminal_id=was.id, name=was.name, outcome="recovered", state="gone")
    if now is None:
        return replace(made, outcome="ended", reason="it was closed before its worker died")
    made = replace(made, state=now.state, reason=now.reason)
    if was.state in _RUNNING and now.state == TerminalState.ERRORED:
        return replace(made, outcome="lost", remedy=RESPAWN)
    if was.state in _RUNNING and now.state == TerminalState.STOPPED:
        return replace(made, outcome="ended")
    return made

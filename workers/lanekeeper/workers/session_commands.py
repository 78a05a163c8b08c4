"""Sessions of a lane: ensure, attach, detach, and the leases that keep an attachment alive."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.ids import NAME_RULE, is_name
from lanekeeper.wire.limits import LEASE_BEAT, LEASE_SECONDS, MAX_SESSIONS_PER_LANE
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.plane import Nothing
from lanekeeper.wire.messages.session import (
    Lease,
    SessionAttach,
    SessionAttached,
    SessionCreate,
    SessionInfo,
    SessionResult,
    TerminalOutcome,
)
from lanekeeper.wire.messages.terminal import TerminalInfo
from lanekeeper.wire.states import SESSION, SessionState, TerminalState, step
from lanekeeper.workers import writer_commands
from lanekeeper.workers.actions import Changed
from lanekeeper.workers.records import Gone, LeaseIs, SessionIs
from lanekeeper.workers.turn import Pending, Turn

if TYPE_CHECKING:
    from lanekeeper.workers.core import LaneCore

MAX_LEASES: Final = 256
RESPAWN: Final = "start it again with lane respawn"


def create(_lane: "LaneCore", turn: Turn, pending: Pending, body: SessionCreate) -> SessionResult:
    """Ensure a session: the one of the agent session id, else that of the name, else a new one."""
    state = turn.state
    found = _reusable(state.sessions.values(), body)
    if found is not None:
        return SessionResult(session=turn.session_info(found), created=False)
    if not is_name(body.name):
        raise WireError("INVALID_ARGUMENT", f"session name {body.name!r}: {NAME_RULE}")
    if len(state.sessions) >= MAX_SESSIONS_PER_LANE:
        raise WireError(
            "LIMIT_EXCEEDED",
            f"a lane may have {MAX_SESSIONS_PER_LANE} sessions; terminate one or use another lane",
            limit=MAX_SESSIONS_PER_LANE,
        )
    info = SessionInfo(
        id=turn.new_id("session"),
        lane_id=state.assignment.lane_id,
        workspace_id=state.assignment.workspace_id,
        name=body.name,
        status=str(SessionState.DETACHED),
        codex_session_id=body.codex_session_id,
        provider=body.provider,
        transport=body.transport,
        created=turn.moment.ts,
        updated=turn.moment.ts,
    )
    turn.put(SessionIs(info))
    turn.report("session.created", pending.correlation, Happened(session=info))
    return SessionResult(session=info, created=True)


def attach(_lane: "LaneCore", turn: Turn, pending: Pending, body: SessionAttach) -> SessionAttached:
    """Attach a client: it gets a lease, and the session is `attached` while one lives."""
    info = turn.state.session(pending.command.session_id)
    correlation = pending.correlation
    refusal = _attach_refusal(turn)
    if refusal is not None:
        turn.report(
            "session.attach.failed", correlation, Happened(session=info, error=refusal.info)
        )
        raise refusal
    restored: list[TerminalOutcome] = []
    if body.restore:
        info, restored = _restore(turn, info, correlation)
    turn.report("session.attach.started", correlation, Happened(session=info))
    if info.status != SessionState.ATTACHED:
        info = _move(turn, _move(turn, info, "attach"), "attached")
    lease_id = turn.new_id("lease")
    turn.put(LeaseIs(lease_id, info.id))
    info = turn.session_info(info)
    turn.report("session.attached", correlation, Happened(session=info, lease_id=lease_id))
    return SessionAttached(
        session=info,
        lease_id=lease_id,
        beat_s=LEASE_BEAT,
        ttl_s=LEASE_SECONDS,
        endpoints=turn.around.endpoints,
        generation=turn.state.assignment.generation,
        restored=restored,
    )


def _restore(
    turn: Turn, info: SessionInfo, correlation: str
) -> tuple[SessionInfo, list[TerminalOutcome]]:
    """Look at every terminal of a session, say what is left of it, and return both."""
    before = info.status
    info = _move(turn, info, "restore")
    turn.report(
        "session.restore.started",
        correlation,
        Happened(session=turn.session_info(info), previous=before),
    )
    outcomes = [outcome(terminal.info) for terminal in turn.state.terminals_of(info.id)]
    attached = before == SessionState.ATTACHED
    info = _move(turn, info, "attached" if attached else "restored")
    turn.report(
        "session.restore.completed",
        correlation,
        Happened(
            session=turn.session_info(info),
            previous=str(SessionState.RESTORING),
            restored=outcomes,
        ),
    )
    return info, outcomes


def outcome(info: TerminalInfo) -> TerminalOutcome:
    """Return what is left of a terminal; what has no program and no known end was lost."""
    made = TerminalOutcome(
        terminal_id=info.id, name=info.name, outcome="recovered", state=info.state
    )
    if info.state == TerminalState.ERRORED:
        reason = info.reason or "its program is gone"
        return replace(made, outcome="lost", reason=reason, remedy=RESPAWN)
    return replace(made, outcome="ended") if info.state == TerminalState.STOPPED else made


def detach(_lane: "LaneCore", turn: Turn, pending: Pending, body: Lease) -> Nothing:
    """Give a lease back."""
    turn.state.lease(body.lease_id, pending.command.session_id)
    end_lease(turn, body.lease_id, "detached", pending.correlation)
    return Nothing()


def renew(_lane: "LaneCore", turn: Turn, pending: Pending, body: Lease) -> Nothing:
    """Give a lease its full time again. Not journalled: a successor does the same for all."""
    lease = turn.state.lease(body.lease_id, pending.command.session_id)
    lease.expires = turn.moment.now + LEASE_SECONDS
    return Nothing()


def end_lease(turn: Turn, lease_id: str, reason: str, correlation: str | None = None) -> None:
    """Release a lease's consumers; a session without leases is detached."""
    state = turn.state
    correlation = correlation or turn.new_id("correlation")
    session_id = state.lease(lease_id).session_id
    for terminal_id, consumers in state.consumers.items():
        released = consumers.of_lease(lease_id)
        for consumer_id in released:
            turn.put(Gone(consumer_id))
        if released:
            turn.do(Changed(terminal_id))
    writer_commands.end_of_lease(turn, lease_id, reason, correlation)
    turn.put(Gone(lease_id))
    info = state.sessions.get(session_id)
    if info is None:
        return
    if not any(lease.session_id == session_id for lease in state.leases.values()):
        info = _move(turn, info, "detach")
    turn.report(
        "session.detached",
        correlation,
        Happened(session=turn.session_info(info), lease_id=lease_id, reason=reason),
    )


def end_session(turn: Turn, session_id: str) -> SessionInfo:
    """Terminate a session whose terminals are gone already; return it as it was at last."""
    state = turn.state
    info = _move(turn, state.session(session_id), "terminate")
    for lease_id in [i for i, lease in state.leases.items() if lease.session_id == session_id]:
        turn.put(Gone(lease_id))
    turn.put(Gone(session_id))
    return info


def _attach_refusal(turn: Turn) -> WireError | None:
    if len(turn.state.leases) >= MAX_LEASES:
        return WireError(
            "LIMIT_EXCEEDED", f"a lane may have {MAX_LEASES} attached clients", limit=MAX_LEASES
        )
    return None


def _move(turn: Turn, info: SessionInfo, event: str) -> SessionInfo:
    status = step(SESSION, SessionState(info.status), event, f"session {info.name}")
    moved = replace(info, status=str(status), updated=turn.moment.ts)
    turn.put(SessionIs(moved))
    return moved


def _reusable(sessions: Iterable[SessionInfo], body: SessionCreate) -> SessionInfo | None:
    """Return the session to reuse; refuse one of the name that is not of the agent session."""
    agent, named = body.codex_session_id, None
    for info in sessions:
        if agent is not None and info.codex_session_id == agent:
            return info
        if info.name == body.name:
            named = info
    if named is None or agent is None:
        return named
    whose = named.codex_session_id
    belongs = "no agent session" if whose is None else f"agent session {whose}"
    raise WireError(
        "ALREADY_EXISTS", f"session {named.name} belongs to {belongs}; use another name"
    )


HANDLERS: Final[dict[str, Any]] = {
    "session.create": create,
    "session.attach": attach,
    "session.detach": detach,
    "lease.renew": renew,
}

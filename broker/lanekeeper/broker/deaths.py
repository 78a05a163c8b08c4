"""What the death of a worker means for its lane: a successor, or the end of what it ran.

Owns the steps of both, and what listeners are told of sessions and terminals. Never calls a thing
lost that a successor may bring back, nor restored before one has. Sans-IO handlers of the core;
called by `keepers`, `routing` and `returning`.
"""

import signal
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from lanekeeper.broker import lanes, restoring
from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Cause, Desk, Ids
from lanekeeper.broker.registry import LOST, LaneEntry
from lanekeeper.broker.stimuli import WARNING
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.plane import Context
from lanekeeper.wire.states import (
    LANE,
    SESSION,
    TERMINAL,
    LaneState,
    SessionState,
    TerminalState,
    step,
)

LAST_WORDS_SECONDS: Final = 0.25
"""How long the answer of a worker that has exited may still be on its way through the sockets."""

_LOSABLE: Final = frozenset(state for state, edges in TERMINAL.items() if "lose" in edges)


@dataclass(frozen=True, slots=True)
class End:
    """How a worker ended and what the keeper has decided about its lane.

    Attributes:
        generation: of the worker; None when nobody said.
        manner: its status in words.
        reason: why nobody follows.
        recovering: whether a successor has been or will be granted.
        kept: whether the vault holds the lane although nobody follows.
    """

    generation: int | None
    manner: str
    reason: str | None = None
    recovering: bool = False
    kept: bool = False


def died(desk: Desk, lane_id: str, end: End) -> None:
    """Act on the death of a lane's worker."""
    entry = desk.registry.lanes.get(lane_id)
    failed = entry is not None and entry.state is LaneState.FAILED
    if failed and desk.lanes[lane_id].reviving is not None:
        # What is told is why it is being revived.
        return
    if not end.recovering:
        desk.expected.discard(lane_id)
    if entry is None or failed:
        return
    if end.generation is not None and end.generation < entry.info.generation:
        # Its successor was quicker than the news of its death.
        return
    lane = desk.lanes[lane_id]
    obituary = f"worker died: {end.manner}" + (f"; {end.reason}" if end.reason else "")
    if end.recovering:
        orphaned(desk, entry, f"{obituary}; a successor takes over")
    elif lane.creating is not None:
        error = WireError("SPAWN_FAILED", f"the lane's {obituary} before it was ready").info
        lanes.creation_failed(desk, entry, error)
        if end.kept:
            # Nobody knows the lane from now on; what the keeper still has of it is to go.
            lanes.ask_keeper(desk, "fence", lane_id)
    elif lane.sweeping:
        return
    elif entry.state is LaneState.CLEANING:
        lane.obituary = obituary
        desk.deadlines.set(Key(Due.DYING, lane.id), desk.now + LAST_WORDS_SECONDS)
    else:
        fail_lane(desk, entry, obituary, kept=end.kept)


def fail_lane(desk: Desk, entry: LaneEntry, reason: str, *, kept: bool = False) -> None:
    """Mark a lane whose worker is gone for good: it failed, and what it ran is lost.

    A lane that is `kept` has only lost its worker: its programs live, and it can be recovered.
    """
    lane = desk.lanes[entry.info.id]
    cause = desk.own_cause()
    restoring.failed(desk, entry, cause, reason, kept=kept)
    if kept:
        reason = f"{reason}; {restoring.RECOVER}"
    else:
        _lose_contents(desk, entry, cause, reason)
    desk.change_lane(entry, "fail", cause, reason)
    context = desk.registry.context
    if context.lane_id == lane.id:
        desk.set_context(Context(workspace_id=context.workspace_id, lane_id=lane.id), cause)
    if lane.route is not None:
        desk.routes.pop(lane.route, None)
        lane.route = None
    lane.ending = None
    lane.reviving = None
    lane.sweeping = False
    for due in (Due.SWEEP, Due.DYING, Due.RETURN):
        desk.deadlines.clear(Key(due, lane.id))
    desk.note(WARNING, f"lane {entry.info.name} failed: {reason}", lane.id)
    lanes.drop_pending(desk, lane, lanes.away(desk, entry).info)
    desk.release(lane)


def buried(desk: Desk, entry: LaneEntry) -> None:
    """Decide about a lane whose worker has exited while it ended the lane: nothing came any more.

    What it left is for the keeper's sweep.
    """
    lane = desk.lanes[entry.info.id]
    if desk.keeper:
        lanes.sweep(desk, lane, "sweep")
    else:
        fail_lane(desk, entry, lane.obituary or "its worker is gone")


def manner(code: int | None, number: int | None) -> str:
    """Return how a process ended, in words."""
    if number is not None:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "unknown"
        return f"signal {number} ({name})"
    return "status unknown" if code is None else f"status {code}"


def orphaned(desk: Desk, entry: LaneEntry, why: str) -> None:
    """Let a successor take a lane over: commands wait for it, nothing is lost."""
    lane = desk.lanes[entry.info.id]
    if lane.route is not None:
        desk.routes.pop(lane.route, None)
        lane.route = None
    lane.one_way.clear()
    if "lost" in LANE[entry.state]:
        cause = desk.own_cause()
        desk.change_lane(entry, "lost", cause, why)
        restoring.begin(desk, entry, cause)


def _lose_contents(desk: Desk, entry: LaneEntry, cause: Cause, why: str) -> None:
    info = entry.info
    for terminal in list(entry.terminals.values()):
        before = TerminalState(terminal.state)
        if before not in _LOSABLE:
            continue
        state = step(TERMINAL, before, "lose", f"terminal {terminal.name}")
        text = f"{LOST}: {why}; {restoring.CLEAN_UP}"
        lost = replace(terminal, state=str(state), reason=text, updated=desk.instant.ts)
        happened = Happened(terminal=lost, previous=str(before), reason=LOST)
        ids = Ids(info.workspace_id, info.id, terminal.session_id, terminal.id)
        desk.publish("terminal.state.changed", happened, ids, cause)
    for session in entry.live_sessions():
        before_session = SessionState(session.status)
        status = step(SESSION, before_session, "terminate", f"session {session.name}")
        gone = replace(session, status=str(status), leases=0, updated=desk.instant.ts)
        happened = Happened(session=gone, previous=str(before_session), reason=LOST)
        ids = Ids(info.workspace_id, info.id, session.id)
        desk.publish("session.terminated", happened, ids, cause)

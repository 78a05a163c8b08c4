"""What the keeper says: lanes granted or refused, workers that died, lanes swept, lanes to expect.

Owns what the death of a worker means for its lane. Refuses messages it does not know, with a note:
the keeper is trusted, but may be of another version. Sans-IO handlers of the core.
"""

import signal
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lanekeeper.broker import lanes
from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Cause, Desk, Ids
from lanekeeper.broker.registry import LOST, LaneEntry
from lanekeeper.broker.stimuli import DEBUG, INFO, WARNING
from lanekeeper.wire.errors import CODES, ErrorInfo, WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.lane import Ended
from lanekeeper.wire.messages.plane import Context
from lanekeeper.wire.states import SESSION, TERMINAL, LaneState, SessionState, TerminalState, step

LAST_WORDS_SECONDS: Final = 0.25
"""How long the answer of a worker that has exited may still be on its way through the sockets."""

_LOSABLE: Final = frozenset(state for state, edges in TERMINAL.items() if "lose" in edges)


class Welcome(Struct, tag_field="op", tag="welcome"):
    """The keeper has accepted our hello."""

    plane: str = ""


class Granted(Struct, tag_field="op", tag="granted"):
    """A worker has been told to serve the lane; its registration follows."""

    id: str


class Refused(Struct, tag_field="op", tag="refused"):
    """No worker for the lane."""

    id: str
    code: str = "SPAWN_FAILED"
    message: str = "the keeper refused"


class Died(Struct, tag_field="op", tag="died"):
    """The worker of a lane is dead."""

    lane_id: str
    code: int | None = None
    signal: int | None = None
    recovering: bool = False


class Fenced(Struct, tag_field="op", tag="fenced"):
    """The worker of a lane is dead because we asked for it."""

    id: str


class Swept(Struct, tag_field="op", tag="swept"):
    """Nothing of a lane is left."""

    id: str
    killed: int = 0


class Failed(Struct, tag_field="op", tag="error"):
    """The keeper could not do what we asked."""

    id: str | int | None = None
    message: str = "no reason given"


class Expected(Struct, tag_field="op", tag="workers"):
    """Lanes whose workers live and will register."""

    lanes: list[str | dict[str, Any]] = []
    more: bool = False


Message = Welcome | Granted | Refused | Died | Fenced | Swept | Failed | Expected


def hear(desk: Desk, message: dict[str, Any]) -> None:
    """Act on a message of the keeper."""
    try:
        heard: Message = msgspec.convert(message, Message)
    except msgspec.ValidationError as error:
        desk.counters["keeper.unknown"] += 1
        desk.note(DEBUG, f"passed over the keeper's {message.get('op')!r}: {error}")
        return
    match heard:
        case Refused():
            _refused(desk, heard)
        case Died():
            _died(desk, heard)
        case Fenced():
            _fenced(desk, heard.id.partition(":")[2])
        case Swept():
            _swept(desk, heard)
        case Failed():
            _failed(desk, heard)
        case Expected():
            _expect(desk, heard)
        case Welcome() | Granted():
            # Nothing to do: the keeper answers operations, and workers register by themselves.
            pass


def up(desk: Desk) -> None:
    """The keeper can be asked now."""
    desk.keeper = True
    desk.again.extend(desk.awaiting_keeper)
    desk.awaiting_keeper.clear()


def down(desk: Desk) -> None:
    """The keeper is gone: what it was asked for will not be answered."""
    desk.keeper = False
    desk.expected.clear()
    error = WireError("WORKER_LOST", lanes.no_keeper(desk)).info
    for request in desk.awaiting_keeper:
        desk.refuse(request, [request.route], error)
    desk.awaiting_keeper.clear()
    for lane_id in list(desk.lanes):
        entry = desk.registry.lanes[lane_id]
        if desk.lanes[lane_id].creating is not None:
            lanes.creation_failed(desk, entry, error)
        elif desk.lanes[lane_id].sweeping:
            lanes.cleanup_failed(desk, entry, error)


def fail_lane(desk: Desk, entry: LaneEntry, reason: str) -> None:
    """Mark a lane whose worker is gone for good: it failed, and what it ran is lost."""
    lane = desk.lanes[entry.info.id]
    cause = desk.own_cause()
    _lose_contents(desk, entry, cause)
    desk.change_lane(entry, "fail", cause, reason)
    context = desk.registry.context
    if context.lane_id == lane.id:
        desk.set_context(Context(workspace_id=context.workspace_id, lane_id=lane.id), cause)
    if lane.route is not None:
        desk.routes.pop(lane.route, None)
        lane.route = None
    lane.ending = None
    lane.sweeping = False
    for due in (Due.SWEEP, Due.DYING):
        desk.deadlines.clear(Key(due, lane.id))
    desk.note(WARNING, f"lane {entry.info.name} failed: {reason}", lane.id)
    lanes.drop_pending(desk, lane, lanes.away(entry).info)
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


def _refused(desk: Desk, heard: Refused) -> None:
    entry = desk.registry.lanes.get(heard.id.partition(":")[2])
    if entry is None or desk.lanes[entry.info.id].creating is None:
        return
    code = heard.code if heard.code in CODES else "SPAWN_FAILED"
    lanes.creation_failed(desk, entry, WireError(code, f"no worker: {heard.message}").info)


def _died(desk: Desk, heard: Died) -> None:
    if heard.recovering:
        return
    desk.expected.discard(heard.lane_id)
    entry = desk.registry.lanes.get(heard.lane_id)
    if entry is None or entry.state is LaneState.FAILED:
        return
    lane = desk.lanes[heard.lane_id]
    obituary = f"worker died: {_manner(heard)}"
    if lane.creating is not None:
        error = WireError("SPAWN_FAILED", f"the lane's {obituary} before it was ready").info
        lanes.creation_failed(desk, entry, error)
    elif lane.sweeping:
        return
    elif entry.state is LaneState.CLEANING:
        lane.obituary = obituary
        desk.deadlines.set(Key(Due.DYING, lane.id), desk.now + LAST_WORDS_SECONDS)
    else:
        fail_lane(desk, entry, obituary)


def _fenced(desk: Desk, lane_id: str) -> None:
    entry = desk.registry.lanes.get(lane_id)
    if entry is not None and entry.state is LaneState.CLEANING:
        lanes.ask_keeper(desk, "sweep", lane_id)


def _swept(desk: Desk, heard: Swept) -> None:
    entry = desk.registry.lanes.get(heard.id.partition(":")[2])
    if entry is None or entry.state is not LaneState.CLEANING:
        return
    ended = Ended(
        sessions=len(entry.live_sessions()),
        terminals=len(entry.terminals),
        processes=heard.killed,
        killed=heard.killed,
    )
    lanes.cleaned(desk, entry, ended)


def _failed(desk: Desk, heard: Failed) -> None:
    asked, _, lane_id = str(heard.id).partition(":")
    entry = desk.registry.lanes.get(lane_id)
    desk.note(INFO, f"the keeper refused {asked}: {heard.message}", lane_id or None)
    if entry is None:
        return
    error = ErrorInfo(code="SPAWN_FAILED", message=f"the keeper says: {heard.message}")
    if asked == "grant" and desk.lanes[lane_id].creating is not None:
        lanes.creation_failed(desk, entry, error)
    elif asked == "fence":
        # It knows no worker of this lane: there is nothing to fence.
        _fenced(desk, lane_id)
    elif asked == "sweep" and entry.state is LaneState.CLEANING:
        lanes.cleanup_failed(desk, entry, replace(error, code="WORKER_LOST", retryable=True))


def _expect(desk: Desk, heard: Expected) -> None:
    for lane in heard.lanes:
        lane_id = lane.get("lane_id") if isinstance(lane, dict) else lane
        if isinstance(lane_id, str) and lane_id not in desk.registry.lanes:
            desk.expected.add(lane_id)


def _lose_contents(desk: Desk, entry: LaneEntry, cause: Cause) -> None:
    info = entry.info
    for terminal in list(entry.terminals.values()):
        before = TerminalState(terminal.state)
        if before not in _LOSABLE:
            continue
        state = step(TERMINAL, before, "lose", f"terminal {terminal.name}")
        lost = replace(terminal, state=str(state), reason=LOST, updated=desk.instant.ts)
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


def _manner(heard: Died) -> str:
    if heard.signal is not None:
        try:
            name = signal.Signals(heard.signal).name
        except ValueError:
            name = "unknown"
        return f"signal {heard.signal} ({name})"
    return "status unknown" if heard.code is None else f"status {heard.code}"

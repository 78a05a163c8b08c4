"""What a new broker does about what its predecessor left: lanes come back, work goes on.

The journal says which lanes there were; the keeper lists those that live; each worker registers by
itself. Until it has, commands for its lane wait a moment, and listings are incomplete. Owns what
becomes of a lane that does not come back, and of the commands the dead broker worked on. Sans-IO
handlers of the core.
"""

from typing import Final

from lanekeeper.broker import deaths, lanes, recovery
from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Desk
from lanekeeper.broker.lane import Pending, Request
from lanekeeper.broker.registry import LaneEntry
from lanekeeper.broker.stimuli import INFO, ToKeeper
from lanekeeper.wire.codec import decode_command
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.states import LaneState

RETURN_SECONDS: Final = 2.0
"""For a lane that the keeper does not list: its worker is another keeper's, or dead."""

STRANGER_SECONDS: Final = 10.0
"""For a lane that lives and is unknown here: its worker registers within milliseconds."""

NAMED_MOST: Final = 200
"""Workers in one message to the keeper."""

_NOT_FOUND: Final = frozenset({"LANE_NOT_FOUND", "SESSION_NOT_FOUND", "TERMINAL_NOT_FOUND"})
_GONE: Final = frozenset({LaneState.FAILED, LaneState.CLOSED})


def begin(desk: Desk) -> None:
    """Take over the lanes and the unfinished commands of the journal."""
    for (lane_id, _), data in list(desk.state.taken.items()):
        _take_over(desk, lane_id, data)
    for entry in desk.registry.lanes.values():
        if entry.state not in _GONE or desk.lanes[entry.info.id].reviving is not None:
            desk.expected.add(entry.info.id)
    if desk.registry.lanes:
        desk.note(INFO, f"goes on with {len(desk.registry.lanes)} lanes of its predecessor")


def listed(desk: Desk, living: set[str]) -> None:
    """Act on the keeper's complete list of the lanes that live."""
    # The keeper that was to grant a successor may have died before it did.
    known = desk.registry.lanes.values()
    desk.expected |= {each.info.id for each in known if _bereft(desk, each)}
    for lane_id in list(desk.expected):
        entry = desk.registry.lanes.get(lane_id)
        if entry is None:
            continue
        lane = desk.lanes[lane_id]
        if lane_id in living:
            if lane.reviving is not None:
                revive_by = desk.now + recovery.REVIVE_SECONDS
                desk.deadlines.set(Key(Due.RETURN, lane_id), revive_by)
            continue
        if lane.creating is not None:
            # The grant got lost with the broker that asked for it, or its answer did.
            lanes.grant(desk, entry.info, desk.own_cause().correlation_id)
        elif lane.reviving is not None and entry.state is LaneState.FAILED:
            recovery.ask(desk, lane_id, lane.pending[lane.reviving].request)
        elif entry.state is LaneState.CLEANING:
            desk.expected.discard(lane_id)
            deaths.buried(desk, entry)
        else:
            desk.deadlines.set(Key(Due.RETURN, lane_id), desk.now + RETURN_SECONDS)


def stranger(desk: Desk, lane_id: str) -> None:
    """Wait for a lane that nobody here knows, but not for ever: names are not given meanwhile."""
    desk.deadlines.set(Key(Due.RETURN, lane_id), desk.now + STRANGER_SECONDS)


def name_unlisted(desk: Desk, living: set[str]) -> None:
    """Ask a new keeper to look after workers it does not know: one may have died unseen."""
    unlisted = [
        {"lane_id": lane_id, "pid": info.pid, "start_time": info.start_time}
        for lane_id, lane in desk.lanes.items()
        if lane_id not in living and lane.route is not None and lane.creating is None
        for info in (desk.registry.lanes[lane_id].info,)
        if info.pid is not None and info.start_time is not None
    ]
    for start in range(0, len(unlisted), NAMED_MOST):
        workers = unlisted[start : start + NAMED_MOST]
        desk.actions.append(ToKeeper({"op": "named", "workers": workers}))


def overdue(desk: Desk, entry: LaneEntry) -> None:
    """Give up a lane that has not come back; what the keeper sweeps is no longer waited for."""
    if entry.info.id in desk.expected:
        desk.expected.discard(entry.info.id)
        if desk.lanes[entry.info.id].sweeping:
            return
        orphaned = entry.state is LaneState.RECOVERING
        away = "keeper or broker" if orphaned else "broker"
        deaths.fail_lane(desk, entry, f"its worker died while there was no {away}")


def perhaps(desk: Desk, error: WireError) -> WireError:
    """Return what a refusal is while lanes are missing: what was not found may be in one."""
    if desk.expected and error.code in _NOT_FOUND:
        return coming(desk)
    return error


def coming(desk: Desk) -> WireError:
    """Return the refusal of what cannot be known before all lanes are back."""
    return WireError(
        "WORKER_LOST",
        f"{len(desk.expected)} lanes are still coming back after a restart of the broker; "
        "try again shortly",
    )


def _bereft(desk: Desk, entry: LaneEntry) -> bool:
    """Return whether a lane waits for a worker's successor, be it to live or to end."""
    lane = desk.lanes[entry.info.id]
    ending = entry.state is LaneState.CLEANING and lane.route is None and not lane.sweeping
    return ending or entry.state is LaneState.RECOVERING


def _take_over(desk: Desk, lane_id: str, data: bytes) -> None:
    command = decode_command(data)
    lane = desk.lanes.get(lane_id)
    if lane is None:
        return
    request = Request(b"", command, data, METHODS[command.method])
    lane.pending[command.id] = Pending(request, [], lasting=True)
    if command.method == "lane.create":
        lane.creating = command.id
        desk.creating[command.id] = lane_id
        desk.deadlines.set(Key(Due.CREATE, lane_id), desk.now + lanes.CREATE_SECONDS)
    elif command.method == "lane.cleanup":
        lane.ending = command.id
    else:
        lane.reviving = command.id

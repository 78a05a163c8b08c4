"""What the keeper says: lanes granted or refused, workers that died, lanes swept, lanes to expect.

Owns the keeper's messages; what a death means is in `deaths`. Refuses messages it does not know,
with a note: the keeper is trusted, but may be of another version. Sans-IO handlers of the core.
"""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lanekeeper.broker import deaths, lanes, recovery, returning
from lanekeeper.broker.desk import Desk
from lanekeeper.broker.stimuli import DEBUG, INFO, WARNING
from lanekeeper.wire.errors import CODES, ErrorInfo, WireError
from lanekeeper.wire.messages.lane import Ended
from lanekeeper.wire.states import LaneState


class Welcome(Struct, tag_field="op", tag="welcome"):
    """The keeper has accepted our hello."""


class Granted(Struct, tag_field="op", tag="granted"):
    """A worker has been told to serve the lane; its registration follows."""

    id: str


class Refused(Struct, tag_field="op", tag="refused"):
    """No worker for the lane."""

    id: str
    code: str = "SPAWN_FAILED"
    message: str = "the keeper refused"


class Died(Struct, tag_field="op", tag="died"):
    """The worker of a lane is dead.

    `generation` is that of the worker. A lane that is `recovering` gets a successor; one that
    failed while it is `kept` has everything in the vault still, and can be recovered.
    """

    lane_id: str
    generation: int | None = None
    code: int | None = None
    signal: int | None = None
    recovering: bool = False
    kept: bool = False
    reason: str | None = None


class Fenced(Struct, tag_field="op", tag="fenced"):
    """The worker of a lane is dead because we asked for it."""

    id: str


class Swept(Struct, tag_field="op", tag="swept"):
    """Nothing of a lane is left."""

    id: str
    killed: int = 0


class Recovering(Struct, tag_field="op", tag="recovering"):
    """A lane that had failed gets a worker after all."""

    id: str


class Stuck(Struct, tag_field="op", tag="stuck"):
    """The worker of a lane hangs, and ending it would lose what only it has."""

    lane_id: str
    pid: int | None = None


class Failed(Struct, tag_field="op", tag="error"):
    """The keeper could not do what we asked."""

    id: str | int | None = None
    message: str = "no reason given"


class Expected(Struct, tag_field="op", tag="workers"):
    """Lanes whose workers live and will register."""

    lanes: list[str | dict[str, Any]] = []
    more: bool = False


Message = (
    Welcome | Granted | Refused | Died | Fenced | Swept | Recovering | Stuck | Failed | Expected
)


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
        case Died() | Stuck():
            _ended(desk, heard)
        case Fenced():
            _fenced(desk, heard.id.partition(":")[2])
        case Swept():
            _swept(desk, heard)
        case Recovering():
            recovery.granted(desk, heard.id.partition(":")[2])
        case Failed():
            _failed(desk, heard)
        case Expected():
            _expect(desk, heard)
        case Welcome() | Granted():
            # Nothing to do: the keeper answers operations, and workers register by themselves.
            pass


def _ended(desk: Desk, heard: Died | Stuck) -> None:
    if isinstance(heard, Died):
        deaths.died(desk, heard.lane_id, _end(heard))
        return
    text = f"failed: stuck: worker {heard.pid} hangs and is left alone; see lane status"
    desk.note(WARNING, text, heard.lane_id)


def up(desk: Desk) -> None:
    """The keeper can be asked now; it lists the lanes that live before anything else."""
    desk.keeper = True
    desk.listed = False
    desk.living.clear()


def down(desk: Desk) -> None:
    """The keeper is gone: what it was asked for will not be answered."""
    desk.keeper = False
    desk.listed = True
    error = WireError("WORKER_LOST", lanes.no_keeper(desk)).info
    for request in desk.no_longer_awaiting():
        desk.refuse(request, [request.route], error)
    for lane_id in list(desk.lanes):
        entry = desk.registry.lanes[lane_id]
        if desk.lanes[lane_id].creating is not None:
            lanes.creation_failed(desk, entry, error)
        elif desk.lanes[lane_id].sweeping:
            lanes.cleanup_failed(desk, entry, error)


def _refused(desk: Desk, heard: Refused) -> None:
    entry = desk.registry.lanes.get(heard.id.partition(":")[2])
    if entry is None or desk.lanes[entry.info.id].creating is None:
        return
    if heard.code == "ALREADY_EXISTS":
        # Asked a second time, after a restart: the worker of the first grant will register.
        return
    code = heard.code if heard.code in CODES else "SPAWN_FAILED"
    lanes.creation_failed(desk, entry, WireError(code, f"no worker: {heard.message}").info)


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
    elif asked == "recover":
        recovery.refused(desk, entry, heard.message)
    elif asked == "sweep" and entry.state is LaneState.CLEANING:
        lanes.cleanup_failed(desk, entry, replace(error, code="WORKER_LOST", retryable=True))


def _expect(desk: Desk, heard: Expected) -> None:
    for lane in heard.lanes:
        known = lane.get("lane") if isinstance(lane, dict) else None
        lane_id = known.get("lane_id") if isinstance(known, dict) else lane
        if not isinstance(lane_id, str):
            continue
        if lane_id in desk.abandoned:
            # Its worker came too late, or another keeper died before it was told to end it.
            lanes.ask_keeper(desk, "fence", lane_id)
            continue
        desk.living.add(lane_id)
        lane_here = desk.lanes.get(lane_id)
        if lane_here is None or lane_here.route is None:
            desk.expected.add(lane_id)
        if lane_here is None:
            returning.stranger(desk, lane_id)
    if not heard.more:
        desk.listed = True
        returning.listed(desk, desk.living)
        returning.name_unlisted(desk, desk.living)
        desk.again.extend(desk.no_longer_awaiting())


def _end(heard: Died) -> deaths.End:
    manner = deaths.manner(heard.code, heard.signal)
    return deaths.End(heard.generation, manner, heard.reason, heard.recovering, heard.kept)

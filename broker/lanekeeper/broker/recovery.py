"""`lane.recover`: a lane whose workers died too often gets another one, because somebody asks.

Owns the steps from the request to the keeper to the answer, which comes when the new worker has
registered. Sans-IO handlers of the core.
"""

from typing import Final

from msgspec import Struct

from lanekeeper.broker import deaths, lanes
from lanekeeper.broker.addresses import locate
from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Desk
from lanekeeper.broker.lane import Request
from lanekeeper.broker.registry import LaneEntry
from lanekeeper.wire.codec import decode_body
from lanekeeper.wire.errors import ErrorInfo, WireError
from lanekeeper.wire.messages.lane import LaneRecover, LaneResult
from lanekeeper.wire.states import LaneState

REVIVE_SECONDS: Final = 10.0
"""From the request to the registration of the new worker."""


def recover(desk: Desk, request: Request) -> Struct | None:
    """`lane.recover`: answered when the lane's new worker has registered.

    Raises:
        WireError: INVALID_ARGUMENT, a NOT_FOUND, INVALID_TRANSITION, WORKER_LOST or BACKPRESSURE.
    """
    entry = locate(desk.registry, request.command)
    decode_body(request.command.payload, LaneRecover, request.command.method)
    lane = desk.lanes[entry.info.id]
    if entry.state is LaneState.RECOVERING or lane.id in desk.expected:
        lanes.wait(desk, entry, request)
        return None
    if entry.state is not LaneState.FAILED:
        raise WireError(
            "INVALID_TRANSITION",
            f"lane {entry.info.name} is {entry.info.status}: only a failed lane is recovered",
            state=str(entry.info.status),
        )
    if lane.reviving is not None:
        lanes.wait(desk, entry, request)
        return None
    if not desk.keeper:
        raise WireError("WORKER_LOST", lanes.no_keeper(desk))
    desk.undertake(lane, request)
    lane.reviving = request.command.id
    ask(desk, lane.id, request)
    return None


def ask(desk: Desk, lane_id: str, request: Request) -> None:
    """Ask the keeper for a worker for a lane that failed."""
    body = decode_body(request.command.payload, LaneRecover, request.command.method)
    lanes.ask_keeper(desk, "recover", lane_id, without_screen=body.without_screen)
    desk.deadlines.set(Key(Due.RETURN, lane_id), desk.now + REVIVE_SECONDS)


def granted(desk: Desk, lane_id: str) -> None:
    """Take note that the keeper gives the lane a worker; its registration follows."""
    # A keeper that came before this was asked did not list it: a slow worker is no lost one.
    desk.living.add(lane_id)
    entry = desk.registry.lanes.get(lane_id)
    if entry is not None and entry.state is LaneState.FAILED:
        cause = desk.own_cause()
        desk.change_lane(entry, "recover", cause, "a new worker takes over, as asked")


def refused(desk: Desk, entry: LaneEntry, message: str) -> None:
    """Answer that the keeper has nothing from which the lane could go on."""
    text = f"lane {entry.info.name} cannot be recovered: {message}; clean it up with lane cleanup"
    _end(desk, entry, WireError("INVALID_TRANSITION", text).info)


def overdue(desk: Desk, entry: LaneEntry) -> None:
    """Answer that no worker has registered."""
    lane_id = entry.info.id
    missed = lane_id in desk.expected and lane_id not in desk.living
    text = f"no worker for lane {entry.info.name} within {REVIVE_SECONDS:.0f} s; see lane logs"
    _end(desk, entry, WireError("WORKER_LOST", text).info)
    if missed and entry.state is LaneState.RECOVERING:
        deaths.fail_lane(desk, entry, "the keeper that was to give it a worker died")


def registered(desk: Desk, entry: LaneEntry) -> None:
    """Answer that the lane is back."""
    lane = desk.lanes[entry.info.id]
    command_id, lane.reviving = lane.reviving, None
    desk.deadlines.clear(Key(Due.RETURN, lane.id))
    pending = desk.take(lane, command_id or "")
    if pending is not None:
        desk.answer(pending.request, pending.callers, LaneResult(lane=entry.view()))


def _end(desk: Desk, entry: LaneEntry, error: ErrorInfo) -> None:
    lane = desk.lanes[entry.info.id]
    command_id, lane.reviving = lane.reviving, None
    desk.expected.discard(lane.id)
    desk.deadlines.clear(Key(Due.RETURN, lane.id))
    pending = desk.take(lane, command_id or "")
    if pending is not None:
        desk.refuse(pending.request, pending.callers, error)
    desk.release(lane)

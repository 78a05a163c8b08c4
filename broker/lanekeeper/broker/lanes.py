"""The life of lanes as commands ask for it: `lane.create`, `lane.attach`, `lane.cleanup`.

Owns the steps from the first event to the kept answer, and what follows when a lane cannot be made
or ended. A lane without a worker is ended by the keeper's sweep. Sans-IO handlers of the core; what
the keeper answers arrives in `keepers`, what workers say in `workers`.
"""

import math
from typing import Final

import msgspec
from msgspec import Struct

from lanekeeper.broker import restoring
from lanekeeper.broker.addresses import check_name, locate, workspace_by_id
from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Desk, Ids
from lanekeeper.broker.lane import Lane, Readiness, Request, readiness
from lanekeeper.broker.registry import LaneEntry
from lanekeeper.broker.stimuli import NeedKeeper, ToKeeper, ToWorker
from lanekeeper.wire.codec import decode_body
from lanekeeper.wire.errors import ErrorInfo, WireError
from lanekeeper.wire.limits import MAX_IN_FLIGHT, MAX_LANES
from lanekeeper.wire.messages.events import Assignment, Happened
from lanekeeper.wire.messages.lane import Ended, LaneCleanup, LaneCreate, LaneInfo, LaneResult
from lanekeeper.wire.messages.plane import Context, Nothing
from lanekeeper.wire.states import LaneState

CREATE_SECONDS: Final = 10.0
"""From the grant to the registration; a warm worker takes milliseconds."""

AWAY_SECONDS: Final = 2.0
"""How long a command waits for a lane whose worker is away: a successor takes milliseconds."""

SWEEP_SECONDS: Final = 20.0
"""For the keeper to end what a dead worker has left."""


def no_keeper(desk: Desk) -> str:
    """Say that there is no keeper, where, and what to do."""
    return (
        f"no keeper on {desk.directory}/keeper.sock; start one with lane up, "
        "or start a worker by hand: lane worker NAME"
    )


def create(desk: Desk, request: Request) -> Struct | None:
    """`lane.create`: answered when the lane's worker has registered.

    Raises:
        WireError: WORKSPACE_NOT_FOUND, INVALID_ARGUMENT, ALREADY_EXISTS, INVALID_TRANSITION,
            LIMIT_EXCEEDED or BACKPRESSURE.
    """
    command = request.command
    body = decode_body(command.payload, LaneCreate, command.method)
    workspace = workspace_by_id(desk.registry, command.workspace_id or "")
    check_name(body.name, "the lane's name")
    existing = desk.registry.lane_named(workspace.id, body.name)
    if existing is not None:
        return _existing(desk, request, body, existing)
    if len(desk.registry.lanes) >= MAX_LANES:
        raise WireError(
            "LIMIT_EXCEEDED",
            f"there are {MAX_LANES} lanes already; clean one up with lane.cleanup",
            limit=MAX_LANES,
        )
    if desk.expected - desk.lanes.keys():
        # A lane of this name may be among those that are not back yet.
        raise WireError("WORKER_LOST", "lanes are still coming back; try again shortly")
    if not (desk.keeper and desk.listed):
        _await_keeper(desk, request)
        return None
    info = LaneInfo(
        id=desk.new_id("lane"),
        workspace_id=workspace.id,
        name=body.name,
        status=str(LaneState.NEW),
        generation=1,
        project=body.project,
        provider=body.provider,
        created=desk.instant.ts,
        updated=desk.instant.ts,
    )
    _provision(desk, request, info)
    return None


def _await_keeper(desk: Desk, request: Request) -> None:
    """Let a command wait for a keeper, and for its list of the lanes that live."""
    if len(desk.awaiting_keeper) >= MAX_IN_FLIGHT:
        raise WireError("BACKPRESSURE", "too many commands wait for the keeper; try again shortly")
    desk.awaiting_keeper.append(request)
    desk.patience("", request.command)
    if not desk.keeper:
        desk.actions.append(NeedKeeper())


def keeper_overdue(desk: Desk, command_id: str) -> None:
    """Refuse a command for which the keeper's list has not come in time."""
    error = WireError("WORKER_LOST", "the keeper has not listed its lanes in time; see lane status")
    waiting, desk.awaiting_keeper = desk.awaiting_keeper, []
    for request in waiting:
        if request.command.id == command_id:
            desk.refuse(request, [request.route], error.info)
        else:
            desk.awaiting_keeper.append(request)


def attach(desk: Desk, request: Request) -> Struct | None:
    """`lane.attach`: make a lane the active one.

    Raises:
        WireError: INVALID_ARGUMENT, a NOT_FOUND, WORKER_LOST or BACKPRESSURE.
    """
    entry = locate(desk.registry, request.command)
    decode_body(request.command.payload, Nothing, request.command.method)
    ready = readiness(entry.state, request.method)
    if ready is Readiness.WAIT:
        wait(desk, entry, request)
        return None
    if ready is Readiness.AWAY:
        raise away(desk, entry)
    cause = desk.cause(request.command)
    desk.publish_lane("lane.attached", entry, cause)
    context = desk.registry.context
    if context.lane_id != entry.info.id:
        context = Context(workspace_id=entry.info.workspace_id, lane_id=entry.info.id)
    desk.set_context(context, cause)
    return LaneResult(lane=entry.view())


def cleanup(desk: Desk, request: Request) -> Struct | None:
    """`lane.cleanup`: the worker ends everything; without a worker the keeper's sweep does.

    Raises:
        WireError: INVALID_ARGUMENT, a NOT_FOUND, WORKER_LOST or BACKPRESSURE.
    """
    entry = locate(desk.registry, request.command)
    lane = desk.lanes[entry.info.id]
    decode_body(request.command.payload, LaneCleanup, request.command.method)
    ready = readiness(entry.state, request.method)
    returning = ready is Readiness.OPEN and lane.route is None and lane.id in desk.expected
    if ready is Readiness.WAIT or returning:
        wait(desk, entry, request)
        return None
    route = lane.route if ready is Readiness.OPEN else None
    if route is None and not desk.keeper:
        raise WireError(
            "WORKER_LOST", f"lane {entry.info.name} has no worker, and {no_keeper(desk)}"
        )
    desk.undertake(lane, request)
    lane.ending = request.command.id
    desk.change_lane(entry, "clean", desk.cause(request.command))
    if route is not None:
        desk.actions.append(ToWorker(route, lane.words(request), lane.id, request.command.id))
    else:
        # A worker that is late rather than dead must not run beside the sweep.
        sweep(desk, lane, "fence")
    return None


def sweep(desk: Desk, lane: Lane, first: str) -> None:
    """Have the keeper end what is left of a lane: `fence` its worker first, or `sweep` at once."""
    lane.sweeping = True
    if lane.route is not None:
        desk.routes.pop(lane.route, None)
        lane.route = None
    ask_keeper(desk, first, lane.id)
    desk.deadlines.set(Key(Due.SWEEP, lane.id), desk.now + SWEEP_SECONDS)


def ask_keeper(desk: Desk, op: str, lane_id: str, **fields: object) -> None:
    """Ask the keeper something about a lane; its answer carries the id `OP:LANE_ID`."""
    desk.actions.append(ToKeeper({"op": op, "id": f"{op}:{lane_id}", "lane_id": lane_id, **fields}))


def wait(desk: Desk, entry: LaneEntry, request: Request) -> None:
    """Let a command wait for the lane's next state; raises BACKPRESSURE."""
    lane = desk.lanes[entry.info.id]
    if lane.join(request):
        return
    lane.wait(request)
    away_now = entry.state is LaneState.RECOVERING or lane.id in desk.expected
    desk.patience(lane.id, request.command, AWAY_SECONDS if away_now else math.inf)


def away(desk: Desk, entry: LaneEntry) -> WireError:
    """Return the refusal of a command for a lane that cannot be served now, with what to do."""
    info = entry.info
    why, advice = info.reason, "read its log with lane logs, and clean it up with lane cleanup"
    if entry.state is not LaneState.FAILED and info.id in desk.expected:
        why, advice = why or "its worker has not registered yet", "try again shortly"
    elif entry.state is LaneState.RECOVERING:
        advice = "try again shortly"
    elif why is not None and why.endswith(restoring.RECOVER):
        why, advice = why.removesuffix(f"; {restoring.RECOVER}"), restoring.RECOVER
    message = f"lane {info.name} is {info.status} ({why or 'its worker is gone'}); {advice}"
    return WireError("WORKER_LOST", message, status=str(info.status))


def created(desk: Desk, entry: LaneEntry) -> None:
    """Finish a `lane.create`: its worker has registered and the lane is ready."""
    lane = desk.lanes[entry.info.id]
    desk.deadlines.clear(Key(Due.CREATE, lane.id))
    command_id = lane.creating or ""
    pending = desk.take(lane, command_id)
    lane.creating = None
    desk.creating.pop(command_id, None)
    cause = desk.own_cause() if pending is None else desk.cause(pending.request.command)
    desk.change_lane(entry, "ready", cause)
    desk.publish_lane("lane.created", entry, cause)
    if pending is not None:
        result = LaneResult(lane=entry.view(), created=True)
        desk.timings.created(pending.request, ok=True)
        desk.answer(pending.request, pending.callers, result)
    desk.release(lane)


def creation_failed(desk: Desk, entry: LaneEntry, error: ErrorInfo) -> None:
    """End a `lane.create` that has not worked; the name is free again."""
    lane = desk.lanes[entry.info.id]
    command_id = lane.creating or ""
    pending = desk.take(lane, command_id)
    desk.creating.pop(command_id, None)
    cause = desk.own_cause() if pending is None else desk.cause(pending.request.command)
    desk.change_lane(entry, "fail", cause, error.message)
    happened = Happened(error=error, reason=error.message)
    desk.publish_lane("lane.create.failed", entry, cause, happened)
    desk.abandon(lane.id)
    if pending is not None:
        desk.timings.created(pending.request, ok=False)
        desk.refuse(pending.request, pending.callers, error, keep=True)
    desk.forget_lane(lane)


def cleaned(desk: Desk, entry: LaneEntry, ended: Ended, response: bytes | None = None) -> None:
    """Finish a `lane.cleanup`; `response` is the worker's own, if a worker has done it."""
    lane = desk.lanes[entry.info.id]
    pending = desk.take(lane, lane.ending or "")
    cause = desk.own_cause() if pending is None else desk.cause(pending.request.command)
    desk.change_lane(entry, "close", cause)
    desk.publish_lane("lane.cleaned", entry, cause, Happened(ended=ended))
    if desk.registry.context.lane_id == lane.id:
        desk.set_context(Context(workspace_id=entry.info.workspace_id), cause)
    if pending is not None and response is not None:
        desk.timings.command(pending.request, ok=True)
        desk.give(pending.request, pending.callers, response, keep=True)
    elif pending is not None:
        desk.answer(pending.request, pending.callers, ended)
    desk.abandon(lane.id)
    drop_pending(desk, lane, ErrorInfo(code="LANE_NOT_FOUND", message="the lane was cleaned up"))
    desk.forget_lane(lane)


def cleanup_failed(desk: Desk, entry: LaneEntry, error: ErrorInfo) -> None:
    """Note that a `lane.cleanup` has not worked: the lane is `failed` and can be cleaned again."""
    lane = desk.lanes[entry.info.id]
    pending = desk.take(lane, lane.ending or "")
    lane.ending = None
    lane.sweeping = False
    for due in (Due.SWEEP, Due.DYING):
        desk.deadlines.clear(Key(due, lane.id))
    cause = desk.own_cause() if pending is None else desk.cause(pending.request.command)
    desk.change_lane(entry, "fail", cause, f"clean-up failed: {error.message}")
    if pending is not None:
        desk.refuse(pending.request, pending.callers, error)
    desk.release(lane)


def drop_pending(desk: Desk, lane: Lane, error: ErrorInfo) -> None:
    """Answer everything that is in flight to a lane with one error."""
    for command_id in list(lane.pending):
        pending = desk.take(lane, command_id)
        if pending is not None:
            desk.refuse(pending.request, pending.callers, error)


def _existing(
    desk: Desk, request: Request, body: LaneCreate, entry: LaneEntry
) -> LaneResult | None:
    coming = entry.state in {LaneState.PROVISIONING, LaneState.RECOVERING}
    if entry.state is LaneState.CLEANING or (body.ensure and coming):
        wait(desk, entry, request)
        return None
    if not body.ensure:
        raise WireError(
            "ALREADY_EXISTS",
            f"lane {body.name} exists ({entry.info.id}); use it, or choose another name",
            lane_id=entry.info.id,
        )
    if readiness(entry.state, request.method) is Readiness.AWAY:
        raise away(desk, entry)
    return LaneResult(lane=entry.view())


def _provision(desk: Desk, request: Request, info: LaneInfo) -> None:
    command = request.command
    cause = desk.cause(command)
    lane = Lane(info.id, creating=command.id)
    desk.undertake(lane, request)
    desk.lanes[lane.id] = lane
    desk.creating[command.id] = lane.id
    desk.publish("lane.create.started", Happened(lane=info), Ids(info.workspace_id, info.id), cause)
    desk.change_lane(desk.registry.lanes[lane.id], "provision", cause)
    grant(desk, info, cause.correlation_id)


def grant(desk: Desk, info: LaneInfo, correlation_id: str) -> None:
    """Ask the keeper for a worker for a lane that is being made."""
    assignment = Assignment(
        lane_id=info.id,
        workspace_id=info.workspace_id,
        workspace=desk.registry.workspaces[info.workspace_id].name,
        name=info.name,
        generation=info.generation,
        created=info.created,
        project=info.project,
        provider=info.provider,
        correlation_id=correlation_id,
    )
    ask_keeper(desk, "grant", info.id, lane=msgspec.to_builtins(assignment))
    desk.deadlines.set(Key(Due.CREATE, info.id), desk.now + CREATE_SECONDS)

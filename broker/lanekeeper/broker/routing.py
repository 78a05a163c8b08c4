"""Commands for a lane on their way to its worker, and what becomes of them when it is away.

Forwards the bytes unchanged: the envelope was decoded once, the payload never. Owns the time-outs
and what an undeliverable message means. Sans-IO handlers of the core.
"""

from lanekeeper.broker import deaths, diagnostics, lanes, orphans, recovery, returning
from lanekeeper.broker.addresses import locate
from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Desk
from lanekeeper.broker.lane import Readiness, Request, readiness
from lanekeeper.broker.stimuli import ToWorker, Undelivered
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.states import LANE, LaneState

TIMED_BY_LANE = frozenset({"terminal.wait", "terminal.screen"})
"""Methods that a lane itself refuses in time, with more to say than the broker has."""
AFTER_LANE = 0.25
"""Seconds that the broker leaves such a refusal to arrive."""


def forward(desk: Desk, request: Request) -> None:
    """Send a command to its lane's worker, or let it wait for the lane.

    Raises:
        WireError: a NOT_FOUND, WORKER_LOST or BACKPRESSURE.
    """
    command = request.command
    if command.lane_id in desk.expected and command.lane_id not in desk.registry.lanes:
        raise returning.coming(desk)
    entry = locate(desk.registry, command)
    lane = desk.lanes[entry.info.id]
    if lane.join(request):
        return
    ready = readiness(entry.state, request.method)
    here = lane.route is not None or lane.id not in desk.expected
    if ready is Readiness.WAIT or not here:
        lanes.wait(desk, entry, request)
    elif ready is Readiness.AWAY or lane.route is None:
        raise lanes.away(desk, entry)
    else:
        desk.budget.admit(command, desk.registry.terminals())
        try:
            lane.send(request)
        except WireError:
            desk.budget.settle(command.id)
            raise
        desk.admitted(command)
        if not request.method.one_way:
            later = AFTER_LANE if command.method in TIMED_BY_LANE else 0.0
            desk.patience(lane.id, command, later=later)
        desk.counters["commands.forwarded"] += 1
        desk.actions.append(ToWorker(lane.route, lane.words(request), lane.id, command.id))


def undelivered(desk: Desk, stimulus: Undelivered) -> None:
    """Answer for a message that its worker could not be given."""
    if diagnostics.undelivered(desk, stimulus):
        return
    lane = desk.lanes.get(stimulus.lane_id)
    entry = desk.registry.lanes.get(stimulus.lane_id)
    if lane is None or entry is None or lane.route != stimulus.route:
        return
    if stimulus.full:
        desk.counters["workers.full"] += 1
        _refuse_one(desk, stimulus)
        return
    desk.counters["workers.unreachable"] += 1
    desk.routes.pop(stimulus.route, None)
    lane.route = None
    if "lost" in LANE[entry.state]:
        desk.change_lane(entry, "lost", desk.own_cause(), "its worker is not connected")
        if not desk.keeper:
            lanes.drop_pending(desk, lane, lanes.away(desk, entry).info)
    elif entry.state is LaneState.CLEANING:
        lane.obituary = "its worker is not connected"
        deaths.buried(desk, entry)


def overdue(desk: Desk, key: Key) -> None:
    """Act on a deadline that has passed."""
    lane = desk.lanes.get(key.lane_id)
    entry = desk.registry.lanes.get(key.lane_id)
    if lane is None or entry is None:
        _overdue_alone(desk, key)
        return
    if key.due is Due.COMMAND:
        _time_out(desk, key)
    elif key.due is Due.CREATE and lane.creating is not None:
        lanes.ask_keeper(desk, "fence", lane.id)
        error = WireError(
            "SPAWN_FAILED", f"no worker within {lanes.CREATE_SECONDS:.0f} s; see lane logs nursery"
        )
        lanes.creation_failed(desk, entry, error.info)
    elif key.due is Due.DYING and entry.state is LaneState.CLEANING:
        deaths.buried(desk, entry)
    elif key.due is Due.RETURN and lane.reviving is not None:
        recovery.overdue(desk, entry)
    elif key.due is Due.RETURN:
        returning.overdue(desk, entry)
    elif key.due is Due.SWEEP and entry.state is LaneState.CLEANING:
        error = WireError("TIMEOUT", "the keeper has not ended what the lane's worker left")
        lanes.cleanup_failed(desk, entry, error.info)


def _overdue_alone(desk: Desk, key: Key) -> None:
    """Act on a deadline that is no known lane's."""
    if key.due in {Due.LOOK, Due.WATCH}:
        orphans.due(desk, key.due)
    elif key.due is Due.DIAGNOSIS:
        diagnostics.overdue(desk, key)
    elif key.due is Due.RETURN:
        desk.expected.discard(key.lane_id)
    elif key.due is Due.COMMAND:
        lanes.keeper_overdue(desk, key.command_id)


def _time_out(desk: Desk, key: Key) -> None:
    lane = desk.lanes[key.lane_id]
    waiting = lane.waiting.pop(key.command_id, None)
    pending = waiting or lane.pending.get(key.command_id)
    if pending is None:
        return
    entry = desk.registry.lanes[key.lane_id]
    if waiting is not None and (entry.state is LaneState.RECOVERING or lane.id in desk.expected):
        # Nobody was given it yet, so nothing is unknown about it.
        desk.refuse(waiting.request, waiting.callers, lanes.away(desk, entry).info)
        return
    callers = pending.callers
    if pending.lasting:
        pending.callers = []
    else:
        lane.pending.pop(key.command_id, None)
        desk.budget.settle(key.command_id)
    desk.counters["commands.timed_out"] += 1
    command = pending.request.command
    message = (
        f"no answer to {command.method} in time; what became of it is unknown: "
        "look at the present state, or repeat the command with the same id"
    )
    desk.refuse(pending.request, callers, WireError("TIMEOUT", message).info)


def _refuse_one(desk: Desk, stimulus: Undelivered) -> None:
    lane = desk.lanes[stimulus.lane_id]
    error = WireError("BACKPRESSURE", "the lane's worker is behind; try again shortly").info
    if stimulus.command_id == lane.ending:
        lanes.cleanup_failed(desk, desk.registry.lanes[lane.id], error)
        return
    pending = desk.take(lane, stimulus.command_id)
    if pending is not None:
        desk.refuse(pending.request, pending.callers, error)
    elif stimulus.command_id in lane.one_way:
        desk.counters["one_way.dropped"] += 1
        del lane.one_way[stimulus.command_id]

"""What workers say: registrations, events and answers.

Owns which route speaks for which lane. Nothing of a message is believed before it has been checked
against that: an event names its own lane and entities of it, an answer a command in flight. A
refused registration is told to the worker as an error response with the event's id. Sans-IO
handlers of the core.
"""

from typing import Final

from msgspec.structs import replace

from lanekeeper.broker import deaths, diagnostics, lanes, recovery, restoring
from lanekeeper.broker.deadlines import Due, Key
from lanekeeper.broker.desk import Cause, Desk, Ids
from lanekeeper.broker.lane import Lane
from lanekeeper.broker.registry import LaneEntry
from lanekeeper.broker.stimuli import INFO, WARNING, FromWorker, Reply, ToWorker
from lanekeeper.broker.story import Chapter
from lanekeeper.wire.codec import decode_body, decode_upward, encode
from lanekeeper.wire.envelope import Event, Response, raw
from lanekeeper.wire.errors import ErrorInfo, WireError
from lanekeeper.wire.ids import is_id, is_name
from lanekeeper.wire.limits import MAX_LANES, MAX_WORKSPACES
from lanekeeper.wire.messages.events import Assignment, Happened, Registration
from lanekeeper.wire.messages.lane import Ended
from lanekeeper.wire.messages.plane import Context, WorkspaceInfo
from lanekeeper.wire.states import LaneState
from lanekeeper.wire.topics import PUBLISHED, REQUIRED_IDS, WORKER_REGISTERED
from lanekeeper.wire.version import SUPPORTED, VERSION

_REPORTED: Final = frozenset(
    topic
    for topic in PUBLISHED
    if topic.partition(".")[0] in {"session", "terminal"} and topic != "terminal.output"
)
_AWAY: Final = frozenset({LaneState.FAILED, LaneState.RECOVERING})


def hear(desk: Desk, stimulus: FromWorker, chapter: Chapter) -> None:
    """Act on a message of a worker; what cannot be believed is counted, noted and dropped."""
    lane_id = desk.routes.get(stimulus.route)
    try:
        message = decode_upward(single(stimulus.frames))
        chapter.id, chapter.lane_id = message.id, lane_id or ""
        if diagnostics.hear(desk, stimulus.route, message):
            chapter.what = "collector"
        elif isinstance(message, Response):
            chapter.what = "answer"
            _answered(desk, lane_id, message, stimulus.frames[0])
        else:
            chapter.what = message.topic
            _happened(desk, stimulus.route, lane_id, message)
    except WireError as error:
        desk.counters["worker.refused"] += 1
        desk.note(WARNING, f"refused a worker's message: {error}", lane_id)


def single(frames: list[bytes]) -> bytes:
    """Return the only frame of a message.

    Raises:
        WireError: INVALID_ENVELOPE, there is another number of them.
    """
    if len(frames) != 1:
        raise WireError(
            "INVALID_ENVELOPE",
            f"a message is one frame here, not {len(frames)}; connect with a DEALER",
        )
    return frames[0]


def _answered(desk: Desk, lane_id: str | None, response: Response, data: bytes) -> None:
    if lane_id is None:
        raise WireError("INVALID_ENVELOPE", "an answer from a worker that has not registered")
    lane = desk.lanes[lane_id]
    if response.id == lane.ending:
        _cleaned(desk, desk.registry.lanes[lane_id], response, data)
        return
    pending = desk.take(lane, response.id)
    if pending is not None:
        desk.timings.command(pending.request, ok=response.error is None)
        for caller in pending.callers:
            desk.actions.append(Reply(caller, data))
        return
    if response.id in lane.one_way:
        desk.actions.append(Reply(lane.one_way.pop(response.id), data))
    else:
        desk.counters["answers.late"] += 1


def _cleaned(desk: Desk, entry: LaneEntry, response: Response, data: bytes) -> None:
    if response.error is None:
        lanes.cleaned(desk, entry, decode_body(response.result, Ended, "lane.cleanup"), data)
    else:
        lanes.cleanup_failed(desk, entry, response.error)


def _happened(desk: Desk, route: bytes, lane_id: str | None, event: Event) -> None:
    if event.v not in SUPPORTED:
        raise WireError("UNSUPPORTED_VERSION", f"an event of version {event.v}")
    if event.topic == WORKER_REGISTERED:
        _register(desk, route, event)
        return
    if event.topic not in _REPORTED:
        raise WireError("INVALID_ARGUMENT", f"a worker cannot report {event.topic}")
    if lane_id is None:
        # What was reported while there was no broker comes before the registration.
        if event.lane_id not in desk.expected or not desk.early.keep(route, event):
            raise WireError("INVALID_ENVELOPE", "an event from a worker that has not registered")
        return
    _reported(desk, desk.registry.lanes[lane_id], event)


def _reported(desk: Desk, entry: LaneEntry, event: Event) -> None:
    happened = decode_body(event.payload, Happened, event.topic)
    happened = _checked(desk, entry, event, happened)
    event.payload = raw(happened)
    cause = Cause(event.correlation_id, event.actor)
    desk.emit(event, happened)
    _follow_activity(desk, entry, cause)
    _follow_context(desk, event, cause)


def _checked(desk: Desk, entry: LaneEntry, event: Event, happened: Happened) -> Happened:
    """Return what a worker reports, in our words, with the event's ids filled in."""
    info = entry.info
    session, terminal = happened.session, happened.terminal
    registry = desk.registry
    foreign = (
        event.lane_id not in {None, info.id}
        or (session is not None and session.lane_id != info.id)
        or (terminal is not None and terminal.lane_id != info.id)
        or (session and registry.lane_of_session.get(session.id, info.id) != info.id)
        or (terminal and registry.lane_of_terminal.get(terminal.id, info.id) != info.id)
    )
    if foreign:
        raise WireError("INVALID_ARGUMENT", f"{event.topic} names things of another lane")
    event.workspace_id, event.lane_id = info.workspace_id, info.id
    if session is not None:
        session = replace(session, workspace_id=info.workspace_id)
        event.session_id = session.id
    if terminal is not None:
        terminal = replace(terminal, workspace_id=info.workspace_id)
        event.session_id, event.terminal_id = terminal.session_id, terminal.id
    for name in REQUIRED_IDS.get(event.topic, ()):
        if getattr(event, name) is None:
            raise WireError("INVALID_ENVELOPE", f"{event.topic} needs {name}")
    return replace(
        happened, workspace=None, lane=None, context=None, session=session, terminal=terminal
    )


def _follow_activity(desk: Desk, entry: LaneEntry, cause: Cause) -> None:
    running = bool(entry.running_terminals())
    if running and entry.state is LaneState.READY:
        desk.change_lane(entry, "busy", cause)
    elif not running and entry.state in {LaneState.RUNNING, LaneState.BLOCKED, LaneState.SHARED}:
        desk.change_lane(entry, "quiet", cause)


def _follow_context(desk: Desk, event: Event, cause: Cause) -> None:
    context = desk.registry.context
    if event.topic == "terminal.spawned":
        context = Context(
            workspace_id=event.workspace_id,
            lane_id=event.lane_id,
            session_id=event.session_id,
            terminal_id=event.terminal_id,
        )
    elif event.topic == "session.attached" and context.session_id != event.session_id:
        context = Context(
            workspace_id=event.workspace_id, lane_id=event.lane_id, session_id=event.session_id
        )
    elif event.topic == "terminal.closed" and context.terminal_id == event.terminal_id:
        context = replace(context, terminal_id=None)
    elif event.topic == "session.terminated" and context.session_id == event.session_id:
        context = replace(context, session_id=None, terminal_id=None)
    desk.set_context(context, cause)


def _register(desk: Desk, route: bytes, event: Event) -> None:
    registration = decode_body(event.payload, Registration, event.topic)
    assignment = registration.assignment
    try:
        _check_assignment(desk, assignment)
        known_workspace = _workspace(desk, assignment)
        _check_claim(desk, registration, known_workspace, route)
        workspace_id = known_workspace or _make_workspace(desk, assignment, event.correlation_id)
    except WireError as error:
        _tell(desk, route, event, error.info)
        if assignment.lane_id in desk.abandoned and desk.keeper:
            lanes.ask_keeper(desk, "fence", assignment.lane_id)
        raise
    lane = desk.lanes.setdefault(assignment.lane_id, Lane(assignment.lane_id))
    was = _overtaken(desk, lane, assignment, route)
    moved = _take_route(desk, lane, route)
    lane.worker_workspace = assignment.workspace_id
    desk.register(registration, workspace_id)
    desk.expected.discard(lane.id)
    desk.deadlines.clear(Key(Due.RETURN, lane.id))
    entry = desk.registry.lanes[lane.id]
    cause = Cause(event.correlation_id, event.actor)
    if entry.state is LaneState.PROVISIONING:
        lanes.created(desk, entry)
    elif entry.state is LaneState.FAILED:
        desk.change_lane(entry, "recover", cause, "a worker has registered")
    if entry.state is LaneState.RECOVERING:
        desk.change_lane(entry, "ready", cause)
    restoring.completed(desk, entry, was, cause)
    _follow_activity(desk, entry, cause)
    recovery.registered(desk, entry)
    desk.note(INFO, f"lane {entry.info.name} registered", lane.id)
    if moved:
        _send_again(desk, lane, route)
    desk.release(lane)


def _overtaken(desk: Desk, lane: Lane, assignment: Assignment, route: bytes) -> restoring.Before:
    """Return what the lane held; first take in what was reported, and the death nobody told of."""
    entry = desk.registry.lanes.get(lane.id)
    if entry is None:
        return restoring.Before({}, {})
    for early in desk.early.take(route):
        try:
            _reported(desk, entry, early)
        except WireError as error:
            desk.counters["worker.refused"] += 1
            desk.note(WARNING, f"refused a worker's message: {error}", lane.id)
    if entry.info.pid is not None and assignment.generation > entry.info.generation:
        deaths.orphaned(desk, entry, "its worker died; a successor took over")
    return restoring.before(entry)


def _take_route(desk: Desk, lane: Lane, route: bytes) -> bool:
    """Note where the lane's worker is; return whether that is another place than before."""
    if lane.route == route:
        return False
    if lane.route is not None:
        desk.routes.pop(lane.route, None)
    lane.route = route
    desk.routes[route] = lane.id
    return True


def _send_again(desk: Desk, lane: Lane, route: bytes) -> None:
    """Give a worker what its predecessor, or another connection of its own, may not have got.

    It answers what was done already, and joins what is being done.
    """
    for request in lane.forwarded():
        desk.counters["commands.again"] += 1
        desk.actions.append(ToWorker(route, lane.words(request), lane.id, request.command.id))


def _check_assignment(desk: Desk, assignment: Assignment) -> None:
    if not is_id(assignment.lane_id, "lane"):
        raise WireError("INVALID_ARGUMENT", f"{assignment.lane_id!r} is not a lane id")
    for name in (assignment.name, assignment.workspace):
        if not is_name(name):
            raise WireError("INVALID_ARGUMENT", f"{name!r} is not a name")
    if assignment.lane_id in desk.abandoned:
        raise WireError("LANE_NOT_FOUND", f"lane {assignment.lane_id} is not wanted any more")


def _check_claim(
    desk: Desk, registration: Registration, workspace_id: str | None, route: bytes
) -> None:
    assignment = registration.assignment
    owned = desk.routes.get(route)
    if owned not in {None, assignment.lane_id}:
        raise WireError("INVALID_ARGUMENT", f"this worker serves lane {owned} already")
    claimed = {session.lane_id for session in registration.sessions}
    claimed |= {terminal.lane_id for terminal in registration.terminals}
    if claimed - {assignment.lane_id}:
        raise WireError("INVALID_ARGUMENT", "a registration names things of another lane")
    named = desk.registry.lane_named(workspace_id or "", assignment.name)
    if named is not None and named.info.id != assignment.lane_id:
        raise WireError("ALREADY_EXISTS", f"lane {assignment.name} is served by another worker")
    entry = desk.registry.lanes.get(assignment.lane_id)
    if entry is None:
        if len(desk.registry.lanes) >= MAX_LANES:
            raise WireError("LIMIT_EXCEEDED", f"there are {MAX_LANES} lanes already")
        return
    same = (entry.info.pid, entry.info.start_time) == (registration.pid, registration.start_time)
    newer = assignment.generation > entry.info.generation
    settled = entry.info.pid is None or same or newer
    if assignment.generation < entry.info.generation or not (settled or entry.state in _AWAY):
        raise WireError(
            "ALREADY_EXISTS",
            f"lane {assignment.name} is served by generation {entry.info.generation}, "
            f"pid {entry.info.pid}",
        )


def _workspace(desk: Desk, assignment: Assignment) -> str | None:
    """Return the id that the workspace of a worker's lane has here."""
    registry = desk.registry
    known = registry.lanes.get(assignment.lane_id)
    if known is not None:
        return known.info.workspace_id
    if assignment.workspace_id in registry.workspaces:
        return assignment.workspace_id
    named = registry.workspace_named(assignment.workspace)
    return None if named is None else named.id


def _make_workspace(desk: Desk, assignment: Assignment, correlation_id: str) -> str:
    registry = desk.registry
    if len(registry.workspaces) >= MAX_WORKSPACES:
        raise WireError("LIMIT_EXCEEDED", f"there are {MAX_WORKSPACES} workspaces already")
    workspace_id = assignment.workspace_id
    if not is_id(workspace_id, "workspace"):
        workspace_id = desk.new_id("workspace")
    ts = desk.instant.ts
    info = WorkspaceInfo(id=workspace_id, name=assignment.workspace, created=ts, updated=ts)
    happened = Happened(workspace=info)
    desk.publish("workspace.created", happened, Ids(workspace_id), Cause(correlation_id))
    return workspace_id


def _tell(desk: Desk, route: bytes, event: Event, error: ErrorInfo) -> None:
    response = Response(v=VERSION, id=event.id, ts=desk.instant.ts, status="error", error=error)
    desk.actions.append(ToWorker(route, encode(response), "", event.id))

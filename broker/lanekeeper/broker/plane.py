"""The methods that the broker answers from what it knows: plane, workspaces, context, listings.

Each handler takes the desk and a request, and returns the result or raises a refusal; nothing has
changed when it raises. The methods of lanes are in `lanes`. Sans-IO.
"""

from typing import Final

from msgspec import Raw, Struct

from lanekeeper.broker.addresses import check_name, locate, resolve, workspace_by_id
from lanekeeper.broker.desk import Desk, Ids
from lanekeeper.broker.lane import Request
from lanekeeper.broker.listings import fit, page
from lanekeeper.wire import limits
from lanekeeper.wire.codec import decode_body
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.lane import LaneList, LaneListRequest
from lanekeeper.wire.messages.plane import (
    Context,
    Hello,
    HelloResult,
    ListRequest,
    Nothing,
    Replay,
    Resolve,
    Resolved,
    Statistics,
    WorkspaceCreate,
    WorkspaceInfo,
    WorkspaceList,
    WorkspaceOpen,
    WorkspaceResult,
)
from lanekeeper.wire.messages.session import SessionList, SessionListRequest
from lanekeeper.wire.messages.terminal import TerminalList, TerminalListRequest
from lanekeeper.wire.methods import METHODS
from lanekeeper.wire.version import PRODUCT, PROTOCOL, SUPPORTED

ANNOUNCED: Final = {
    name.lower(): value
    for name, value in vars(limits).items()
    if name.isupper() and isinstance(value, int)
}
"""Every whole-number limit under its own name."""

CAPABILITIES: Final = sorted(name for name, method in METHODS.items() if method.executor)

_RESOLVED_BYTES: Final = limits.MAX_CONTROL // 3
"""Bytes of each of the lists in an `address.resolve` answer."""


class ReplayPage(Struct, kw_only=True):
    """A `ReplayResult` whose events stay the bytes that were published."""

    epoch: str
    first: int
    last: int
    events: list[Raw]


def hello(desk: Desk, request: Request) -> Struct:
    """`plane.hello`."""
    decode_body(request.command.payload, Hello, request.command.method)
    return HelloResult(
        protocol=PROTOCOL,
        versions=list(SUPPORTED),
        product=PRODUCT,
        epoch=desk.state.history.epoch,
        complete=complete(desk),
        limits=ANNOUNCED | {"log_budget": desk.budget.limit},
        capabilities=CAPABILITIES,
        events_endpoint=desk.events_endpoint,
    )


def statistics(desk: Desk, request: Request) -> Struct:
    """`plane.statistics`."""
    decode_body(request.command.payload, Nothing, request.command.method)
    registry, history, answers = desk.registry, desk.state.history, desk.state.answers.statistics()
    values: dict[str, object] = dict(sorted(desk.counters.items()))
    values |= {
        "workspaces": len(registry.workspaces),
        "lanes": len(registry.lanes),
        "lanes.expected": len(desk.expected),
        "sessions": sum(len(entry.live_sessions()) for entry in registry.lanes.values()),
        "terminals": sum(len(entry.terminals) for entry in registry.lanes.values()),
        "log_budget.limit": desk.budget.limit,
        "log_budget.used": desk.budget.used(registry.terminals()),
        "workers": len(desk.routes),
        "commands.pending": sum(len(lane.pending) for lane in desk.lanes.values()),
        "commands.waiting": sum(len(lane.waiting) for lane in desk.lanes.values()),
        "deadlines": len(desk.deadlines),
        "events.last": history.last,
        "events.first": history.first,
        "events.bytes": history.size,
        "answers.kept": answers.kept,
        "answers.tombstones": answers.tombstones,
        "answers.bytes": answers.bytes,
        "answers.repeated": answers.repeated,
        "answers.indeterminate": answers.indeterminate,
        "stimuli": desk.story.number,
        "keeper": desk.keeper,
    }
    return Statistics(values=values)


def workspace_create(desk: Desk, request: Request) -> Struct:
    """`workspace.create`; raises INVALID_ARGUMENT, ALREADY_EXISTS or LIMIT_EXCEEDED."""
    command = request.command
    body = decode_body(command.payload, WorkspaceCreate, command.method)
    check_name(body.name, "the workspace's name")
    existing = desk.registry.workspace_named(body.name)
    if existing is not None and body.ensure:
        return WorkspaceResult(workspace=desk.registry.workspace_view(existing.id))
    if existing is not None:
        raise WireError(
            "ALREADY_EXISTS",
            f"workspace {body.name} exists ({existing.id}); use it, or choose another name",
            workspace_id=existing.id,
        )
    if len(desk.registry.workspaces) >= limits.MAX_WORKSPACES:
        raise WireError(
            "LIMIT_EXCEEDED",
            f"there are {limits.MAX_WORKSPACES} workspaces already; use one of them",
            limit=limits.MAX_WORKSPACES,
        )
    info = WorkspaceInfo(
        id=desk.new_id("workspace"),
        name=body.name,
        roots=body.roots,
        created=desk.instant.ts,
        updated=desk.instant.ts,
    )
    happened = Happened(workspace=info)
    desk.publish("workspace.created", happened, Ids(info.id), desk.cause(command))
    return WorkspaceResult(workspace=info, created=True)


def workspace_open(desk: Desk, request: Request) -> Struct:
    """`workspace.open`; raises INVALID_ARGUMENT or WORKSPACE_NOT_FOUND."""
    command = request.command
    body = decode_body(command.payload, WorkspaceOpen, command.method)
    if command.workspace_id is not None:
        info = workspace_by_id(desk.registry, command.workspace_id)
        if body.name not in {None, info.name}:
            raise WireError(
                "WORKSPACE_NOT_FOUND", f"{command.workspace_id} is {info.name}, not {body.name}"
            )
    else:
        info = _named(desk, body.name)
    view = desk.registry.workspace_view(info.id)
    cause = desk.cause(command)
    desk.publish("workspace.opened", Happened(workspace=view), Ids(info.id), cause)
    if desk.registry.context.workspace_id != info.id:
        desk.set_context(Context(workspace_id=info.id), cause)
    return WorkspaceResult(workspace=view)


def workspace_list(desk: Desk, request: Request) -> Struct:
    """`workspace.list`."""
    body = decode_body(request.command.payload, ListRequest, request.command.method)
    views = (
        desk.registry.workspace_view(info.id)
        for info in desk.registry.workspaces.values()
        if body.name in {None, info.name}
    )
    found = page(views, body.after, body.limit)
    return WorkspaceList(workspaces=found.entries, next=found.next)


def context_get(desk: Desk, request: Request) -> Struct:
    """`context.get`."""
    decode_body(request.command.payload, Nothing, request.command.method)
    return desk.registry.context


def address_resolve(desk: Desk, request: Request) -> Struct:
    """`address.resolve`; raises INVALID_ARGUMENT or a NOT_FOUND."""
    body = decode_body(request.command.payload, Resolve, request.command.method)
    place = resolve(desk.registry, body.address)
    sessions = list(place.lane.sessions.values())
    terminals = list(place.lane.terminals.values())
    live = place.lane.live_sessions() or sessions
    session = place.session or (live[0] if len(live) == 1 else None)
    running = place.lane.running_terminals()
    choices = running or terminals
    if place.session is not None:
        inside = [t for t in terminals if t.session_id == place.session.id]
        choices = [t for t in running if t.session_id == place.session.id] or inside
    terminal = place.terminal or (choices[0] if len(choices) == 1 else None)
    return Resolved(
        workspace=desk.registry.workspace_view(place.workspace.id),
        lane=place.lane.view(),
        session=session,
        terminal=terminal,
        sessions=fit(sessions, _RESOLVED_BYTES),
        terminals=fit(terminals, _RESOLVED_BYTES),
    )


def events_replay(desk: Desk, request: Request) -> Struct:
    """`events.replay`; of another epoch than ours, everything that is kept."""
    body = decode_body(request.command.payload, Replay, request.command.method)
    history = desk.state.history
    since = body.since if body.epoch in {None, history.epoch} else 0
    events = [Raw(data) for data in history.after(since, body.limit)]
    return ReplayPage(epoch=history.epoch, first=history.first, last=history.last, events=events)


def lane_list(desk: Desk, request: Request) -> Struct:
    """`lane.list`; raises WORKSPACE_NOT_FOUND."""
    body = decode_body(request.command.payload, LaneListRequest, request.command.method)
    workspace_id = request.command.workspace_id
    if workspace_id is not None:
        workspace_by_id(desk.registry, workspace_id)
    views = (
        entry.view()
        for entry in desk.registry.lanes_of(workspace_id)
        if body.name in {None, entry.info.name}
    )
    found = page(views, body.after, body.limit)
    return LaneList(lanes=found.entries, complete=complete(desk), next=found.next)


def session_list(desk: Desk, request: Request) -> Struct:
    """`session.list`; raises a NOT_FOUND."""
    body = decode_body(request.command.payload, SessionListRequest, request.command.method)
    session_id = request.command.session_id
    sessions = (
        session
        for lane_id in _lanes_asked_for(desk, request)
        for session in desk.registry.lanes[lane_id].sessions.values()
        if session_id in {None, session.id}
    )
    found = page(sessions, body.after, body.limit)
    return SessionList(sessions=found.entries, complete=complete(desk), next=found.next)


def terminal_list(desk: Desk, request: Request) -> Struct:
    """`terminal.list`; raises a NOT_FOUND."""
    body = decode_body(request.command.payload, TerminalListRequest, request.command.method)
    session_id = request.command.session_id
    terminals = (
        terminal
        for lane_id in _lanes_asked_for(desk, request)
        for terminal in desk.registry.lanes[lane_id].terminals.values()
        if session_id in {None, terminal.session_id}
    )
    found = page(terminals, body.after, body.limit)
    return TerminalList(terminals=found.entries, complete=complete(desk), next=found.next)


def complete(desk: Desk) -> bool:
    """Return whether every lane that is known to live has registered."""
    return desk.listed and not desk.expected


def _lanes_asked_for(desk: Desk, request: Request) -> list[str]:
    command = request.command
    if command.session_id is None and command.lane_id is None:
        if command.workspace_id is not None:
            workspace_by_id(desk.registry, command.workspace_id)
        return [entry.info.id for entry in desk.registry.lanes_of(command.workspace_id)]
    entry = locate(desk.registry, command)
    if command.session_id is not None and command.session_id not in entry.sessions:
        raise WireError(
            "SESSION_NOT_FOUND",
            f"no session {command.session_id} in lane {entry.info.name}; session.list gives those "
            "there are",
        )
    return [entry.info.id]


def _named(desk: Desk, name: str | None) -> WorkspaceInfo:
    if name is None:
        raise WireError("INVALID_ARGUMENT", "workspace.open needs a workspace_id or a name")
    info = desk.registry.workspace_named(name)
    if info is None:
        raise WireError(
            "WORKSPACE_NOT_FOUND", f"no workspace {name}; make it with workspace.create"
        )
    return info

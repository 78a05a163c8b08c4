"""What a client does on a plane, each written once as a generator over `effects`.

Owns the order of commands inside a composite operation and the choice of the path: what changes
the life of things goes through the broker, input and reads go straight to the lane. Knows no
socket and no clock. Both shells drive these; `following` holds the long-lived ones.
"""

from msgspec import Struct

from lanekeeper.client.effects import Call, Drop, Hold, Ids, Operation, ask
from lanekeeper.client.errors import LaneError, TimedOutError, error_for
from lanekeeper.client.feeding import InputQueue
from lanekeeper.client.leases import Lease
from lanekeeper.wire.ids import DEFAULT_WORKSPACE, DEFAULT_WORKSPACE_ID
from lanekeeper.wire.limits import MAX_DEADLINE_MS
from lanekeeper.wire.messages import lane, plane, screen, session, terminal, waiting
from lanekeeper.wire.version import PRODUCT

CREATE_SECONDS = 12.0
"""Patience with `lane.create`: a little more than the broker has with the keeper."""
ENDING_SECONDS = 10.0
"""Patience with an ending beside its grace."""
DETACH_SECONDS = 1.0
INPUT_SECONDS = MAX_DEADLINE_MS / 1000
"""Input waits as long as the program does not read."""
WAIT_SLICE = 3600.0
"""Seconds of one `terminal.wait` of a caller who waits for ever."""


def hello(timeout: float) -> Operation[plane.HelloResult]:
    """Return what the broker says of itself."""
    body = plane.Hello(client="python", client_version=PRODUCT)
    return (yield from ask(Call("plane.hello", plane.HelloResult, body, timeout=timeout)))


def list_workspaces() -> Operation[list[plane.WorkspaceInfo]]:
    """Return all workspaces."""
    found: list[plane.WorkspaceInfo] = []
    after: str | None = None
    while True:
        body = plane.ListRequest(after=after)
        page = yield from ask(Call("workspace.list", plane.WorkspaceList, body))
        found += page.workspaces
        after = page.next
        if after is None:
            return found


def ensure_workspace(
    name: str, correlation_id: str | None = None
) -> Operation[plane.WorkspaceInfo]:
    """Return the workspace of this name, making it if need be."""
    body = plane.WorkspaceCreate(name=name, ensure=True)
    call = Call("workspace.create", plane.WorkspaceResult, body, correlation_id=correlation_id)
    return (yield from ask(call)).workspace


def workspace_id(name: str, correlation_id: str | None) -> Operation[str]:
    """Return the id of the workspace of this name, making it if need be."""
    if name == DEFAULT_WORKSPACE:
        return DEFAULT_WORKSPACE_ID
    return (yield from ensure_workspace(name, correlation_id)).id


def find_workspace(name: str) -> Operation[plane.WorkspaceInfo]:
    """Return the workspace of this name or id; WORKSPACE_NOT_FOUND otherwise."""
    for workspace in (yield from list_workspaces()):
        if name in {workspace.name, workspace.id}:
            return workspace
    raise error_for("WORKSPACE_NOT_FOUND", f"there is no workspace {name}; list them, or create it")


def list_lanes(workspace: str | None) -> Operation[tuple[list[lane.LaneInfo], bool]]:
    """Return all lanes (of one workspace, by name or id) and whether the listing is complete."""
    ids = Ids()
    if workspace is not None:
        ids = Ids(workspace_id=(yield from find_workspace(workspace)).id)
    found: list[lane.LaneInfo] = []
    complete = True
    after: str | None = None
    while True:
        body = lane.LaneListRequest(after=after)
        page = yield from ask(Call("lane.list", lane.LaneList, body, ids))
        found += page.lanes
        complete = complete and page.complete
        after = page.next
        if after is None:
            return found, complete


def resolve(address: str) -> Operation[plane.Resolved]:
    """Return what an address means."""
    return (yield from ask(Call("address.resolve", plane.Resolved, plane.Resolve(address=address))))


def create_lane(
    name: str, workspace: str, *, ensure: bool, correlation_id: str | None = None
) -> Operation[lane.LaneInfo]:
    """Return a lane of this name, made now or, with `ensure`, found."""
    call = Call(
        "lane.create",
        lane.LaneResult,
        lane.LaneCreate(name=name, ensure=ensure),
        Ids(workspace_id=(yield from workspace_id(workspace, correlation_id))),
        timeout=CREATE_SECONDS,
        correlation_id=correlation_id,
    )
    return (yield from ask(call)).lane


def find_lane(name: str, workspace: str) -> Operation[lane.LaneInfo]:
    """Return the lane of this name or id; LANE_NOT_FOUND otherwise."""
    return (yield from resolve(f"{workspace}/{name}")).lane


def refresh_lane(lane_id: str) -> Operation[lane.LaneInfo]:
    """Return the lane as the broker knows it now."""
    return (yield from resolve(lane_id)).lane


def attach_lane(lane_id: str) -> Operation[lane.LaneInfo]:
    """Make a lane the active one."""
    return (yield from ask(Call("lane.attach", lane.LaneResult, ids=Ids(lane_id=lane_id)))).lane


def recover_lane(lane_id: str, *, without_screen: bool) -> Operation[lane.LaneInfo]:
    """Give a failed lane a new worker."""
    call = Call(
        "lane.recover",
        lane.LaneResult,
        lane.LaneRecover(without_screen=without_screen),
        Ids(lane_id=lane_id),
        timeout=ENDING_SECONDS,
    )
    return (yield from ask(call)).lane


def cleanup_lane(lane_id: str, grace_s: float) -> Operation[lane.Ended]:
    """End a lane with everything in it."""
    call = Call(
        "lane.cleanup",
        lane.Ended,
        lane.LaneCleanup(grace_s=grace_s),
        Ids(lane_id=lane_id),
        timeout=grace_s + ENDING_SECONDS,
    )
    return (yield from ask(call))


def ensure_session(
    lane_id: str, body: session.SessionCreate, correlation_id: str | None = None
) -> Operation[session.SessionInfo]:
    """Return a session of the lane, made if need be."""
    ids = Ids(lane_id=lane_id)
    call = Call("session.create", session.SessionResult, body, ids, correlation_id=correlation_id)
    return (yield from ask(call)).session


def terminate_session(ids: Ids, grace_s: float) -> Operation[lane.Ended]:
    """End a session with everything in it."""
    call = Call(
        "session.terminate",
        lane.Ended,
        session.SessionTerminate(grace_s=grace_s),
        ids,
        timeout=grace_s + ENDING_SECONDS,
    )
    return (yield from ask(call))


def attach_session(
    ids: Ids, correlation_id: str | None = None, *, restore: bool = False
) -> Operation[tuple[Lease, session.SessionAttached]]:
    """Attach to a session; its lease is renewed until it is dropped.

    With `restore` the answer says of each terminal what a crash has left of it.
    """
    call = Call(
        "session.attach",
        session.SessionAttached,
        session.SessionAttach(restore=restore),
        Ids(ids.workspace_id, ids.lane_id, ids.session_id),
        correlation_id=correlation_id,
    )
    attached = yield from ask(call)
    lease = Lease(
        lease_id=attached.lease_id,
        lane_id=attached.session.lane_id,
        session_id=attached.session.id,
        link=attached.endpoints.control,
        beat=attached.beat_s,
    )
    yield Hold(lease)
    return lease, attached


def detach(lease: Lease) -> Operation[None]:
    """Give a lease back; a lane that does not answer lets it expire."""
    yield Drop(lease)
    if lease.lost is not None:
        return
    call = Call(
        "session.detach",
        plane.Nothing,
        session.Lease(lease_id=lease.lease_id),
        Ids(lane_id=lease.lane_id, session_id=lease.session_id),
        timeout=DETACH_SECONDS,
    )
    try:
        yield from ask(call)
    except LaneError as error:
        lease.lost = error


def spawn(
    ids: Ids, body: terminal.Spawn, correlation_id: str, command_id: str | None = None
) -> Operation[terminal.Spawned]:
    """Start a program on a new terminal; a repeated `command_id` returns the first one's."""
    call = Call(
        "terminal.spawn",
        terminal.Spawned,
        body,
        ids,
        correlation_id=correlation_id,
        command_id=command_id,
    )
    return (yield from ask(call))


def simple(
    method: str, body: Struct | None, terminal_id: str, link: str | None = None
) -> Operation[terminal.TerminalInfo]:
    """Do something with a terminal that answers with the terminal as it is then."""
    call = Call(method, terminal.TerminalResult, body, Ids(terminal_id=terminal_id), link)
    return (yield from ask(call)).terminal


def within_lane(ids: Ids) -> Ids:
    """Return the ids for a change of a terminal through the broker.

    The lane is among them: it keeps the answer, and is still there when the terminal is not.
    """
    return Ids(lane_id=ids.lane_id, terminal_id=ids.terminal_id)


def respawn(ids: Ids) -> Operation[terminal.Spawned]:
    """Start the program of an ended terminal again."""
    call = Call("terminal.respawn", terminal.Spawned, terminal.Respawn(), within_lane(ids))
    return (yield from ask(call))


def close_terminal(ids: Ids, grace_s: float) -> Operation[lane.Ended]:
    """End a terminal's program and forget the terminal."""
    call = Call(
        "terminal.close",
        lane.Ended,
        terminal.Close(grace_s=grace_s),
        within_lane(ids),
        timeout=grace_s + ENDING_SECONDS,
    )
    return (yield from ask(call))


def read(terminal_id: str, body: terminal.Read, link: str | None) -> Operation[terminal.ReadResult]:
    """Return a range of output."""
    call = Call("terminal.read", terminal.ReadResult, body, Ids(terminal_id=terminal_id), link)
    return (yield from ask(call))


def list_consumers(terminal_id: str, link: str | None) -> Operation[list[terminal.ConsumerInfo]]:
    """Return the registered consumers of a terminal."""
    ids = Ids(terminal_id=terminal_id)
    call = Call("terminal.consumers", terminal.ConsumerList, plane.Nothing(), ids, link)
    return (yield from ask(call)).consumers


def show(
    terminal_id: str, body: screen.ScreenRequest, link: str | None
) -> Operation[screen.Screen]:
    """Return the screen of a terminal."""
    call = Call("terminal.screen", screen.Screen, body, Ids(terminal_id=terminal_id), link)
    return (yield from ask(call))


def wait_exit(terminal_id: str, timeout: float | None) -> Operation[terminal.ExitStatus]:
    """Return how the program ended; wait `timeout` seconds (None: for ever)."""
    while True:
        seconds = WAIT_SLICE if timeout is None else timeout
        call = Call(
            "terminal.wait",
            waiting.WaitResult,
            waiting.Wait(),
            Ids(terminal_id=terminal_id),
            timeout=seconds,
        )
        try:
            result = yield from ask(call)
        except TimedOutError as error:
            if timeout is not None:
                raise error_for(
                    "TIMEOUT",
                    f"terminal {terminal_id} still runs after {timeout:g} s; wait again or end it",
                    retryable=True,
                ) from error
        else:
            return result.exit or terminal.ExitStatus(kind="unknown")


def deliver(queue: InputQueue, terminal_id: str, link: str | None) -> Operation[None]:
    """Send everything in an input queue, in order, one command at a time."""
    queue.running = True
    try:
        while (chunk := queue.next_chunk()) is not None:
            call = Call(
                "terminal.input",
                terminal.InputResult,
                terminal.Input(
                    data=chunk.data,
                    eof=chunk.eof,
                    paste=chunk.parcel.paste,
                    more=chunk.more,
                    writer_id=queue.writer_id,
                ),
                Ids(terminal_id=terminal_id),
                link,
                INPUT_SECONDS,
            )
            result = yield from ask(call)
            if chunk.parcel.sent == 0:
                queue.head = result.head
            queue.delivered(chunk)
    except LaneError as error:
        queue.fail(error)
    finally:
        queue.running = False

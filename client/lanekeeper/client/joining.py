"""Finding the plane to connect to, and choosing a terminal: what both shells need before they wait.

Refuses a runtime directory that is unsafe or missing. Called by `connect` of both shells.
"""

import os
from typing import TypedDict

from msgspec import Struct

from lanekeeper.client import operations
from lanekeeper.client.effects import Call, Ids, Operation, T, ask
from lanekeeper.client.errors import TimedOutError, error_for
from lanekeeper.client.hub import Hub, Settings
from lanekeeper.client.session import Observer
from lanekeeper.keeper.rundir import Rundir, RundirError, RundirMissingError, resolve
from lanekeeper.wire.endpoints import PlaneEndpoints
from lanekeeper.wire.envelope import Actor
from lanekeeper.wire.messages.lane import Endpoints, LaneInfo
from lanekeeper.wire.messages.plane import HelloResult, Resolved
from lanekeeper.wire.messages.terminal import TerminalInfo


class CallOptions(TypedDict, total=False):
    """Options of `call`: envelope ids, correlation and command id, timeout in seconds."""

    workspace_id: str | None
    lane_id: str | None
    session_id: str | None
    terminal_id: str | None
    correlation_id: str | None
    command_id: str | None
    timeout: float | None


class Patience(TypedDict, total=False):
    """How long to wait: `timeout` in seconds (None: for ever)."""

    timeout: float | None


class Pasting(TypedDict, total=False):
    """How input is pasted: `paste` brackets it if the program asked for that; `more` follows."""

    paste: bool
    more: bool


class SendOptions(Patience, Pasting, total=False):
    """How input is sent: how long to wait for the program to read it, and how it is pasted."""


class ConnectOptions(TypedDict, total=False):
    """Options of `connect`: `timeout` in seconds (5); `actor` and `observer` of all commands."""

    timeout: float
    actor: Actor | None
    observer: Observer | None


CONNECT_SECONDS = 5.0


class Place(Struct, frozen=True):
    """A terminal and the endpoints of its lane."""

    info: TerminalInfo
    endpoints: Endpoints

    @property
    def ids(self) -> Ids:
        """All four ids."""
        info = self.info
        return Ids(info.workspace_id, info.lane_id, info.session_id, info.id)


def find(runtime_dir: str | os.PathLike[str] | None) -> Rundir:
    """Return the checked runtime directory.

    Raises:
        UnreachableError: it does not exist: no plane runs there.
        RefusedError: it is unsafe, or its path is too long for sockets.
    """
    explicit = None if runtime_dir is None else os.fspath(runtime_dir)
    rundir = resolve(explicit, os.environ, os.getuid())
    try:
        rundir.check()
    except RundirMissingError as error:
        raise error_for("UNREACHABLE", str(error)) from None
    except RundirError as error:
        raise error_for("INVALID_ARGUMENT", str(error)) from None
    return rundir


def open_hub(
    rundir: Rundir, timeout: float, actor: Actor | None, observer: Observer | None = None
) -> Hub:
    """Return a hub on the plane of a runtime directory."""
    who = actor or Actor(kind="program", id=f"pid-{os.getpid()}")
    return Hub(PlaneEndpoints(str(rundir.path)), Settings(who, timeout, observer))


def greet(rundir: Rundir, timeout: float) -> Operation[HelloResult]:
    """Return the broker's hello; nobody answering in time is UNREACHABLE."""
    try:
        return (yield from operations.hello(timeout))
    except TimedOutError:
        raise error_for(
            "UNREACHABLE",
            f"no broker answers in {rundir.path} within {timeout:g} s; look with `lane status`, "
            "start a plane with `lane up`",
            retryable=True,
        ) from None


def any_call(
    method: str, payload: Struct | None, result: type[T], options: CallOptions
) -> Operation[T]:
    """Return the result of any method."""
    call = Call(
        method,
        result,
        payload,
        Ids(
            options.get("workspace_id"),
            options.get("lane_id"),
            options.get("session_id"),
            options.get("terminal_id"),
        ),
        timeout=options.get("timeout"),
        correlation_id=options.get("correlation_id"),
        command_id=options.get("command_id"),
    )
    return (yield from ask(call))


def choose_terminal(address: str) -> Operation[tuple[LaneInfo, TerminalInfo]]:
    """Return the one terminal an address means, with its lane.

    Raises:
        LaneError: TERMINAL_NOT_FOUND when the lane has none; INVALID_ARGUMENT with the choices
            when there are several.
    """
    found: Resolved = yield from operations.resolve(address)
    if found.terminal is not None:
        return found.lane, found.terminal
    terminals = found.terminals
    if found.session is not None:
        terminals = [one for one in terminals if one.session_id == found.session.id]
    if not terminals:
        raise error_for("TERMINAL_NOT_FOUND", f"{address} has no terminal; start one with spawn")
    sessions = {session.id: session.name for session in found.sessions}
    choices = [
        f"{found.workspace.name}/{found.lane.name}:{sessions.get(one.session_id, one.session_id)}"
        f".{one.name}"
        for one in terminals
    ]
    raise error_for(
        "INVALID_ARGUMENT",
        f"{address} means several terminals; name one of: {', '.join(choices)}",
        details={"choices": choices},
    )


def endpoints_of(rundir: Rundir, lane: LaneInfo) -> Endpoints:
    """Return where a lane is reached: as it says, else where its layout puts it."""
    if lane.endpoints is not None:
        return lane.endpoints
    plane = PlaneEndpoints(str(rundir.path))
    return Endpoints(output=plane.output(lane.id), control=plane.control(lane.id))

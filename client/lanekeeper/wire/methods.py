"""Every method of the bus: who executes it, what it needs, what it carries.

`formal` methods are those of the specification; the rest are extensions. A method without an
executor is deferred: it answers NOT_IMPLEMENTED and names its phase.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from lanekeeper.wire.messages import (
    diagnostics,
    lane,
    orphans,
    plane,
    recording,
    screen,
    session,
    terminal,
    waiting,
)


class Executor(StrEnum):
    """Who executes a method."""

    BROKER = "broker"
    LANE = "lane"


class Boundary(StrEnum):
    """The protocol boundary a method belongs to; there is no fall-through from one to another."""

    LOCAL = "local_bus"
    TOOL = "tool_bridge"
    AGENT = "a2a_bridge"


class Method(Struct, frozen=True):
    """What is fixed about one method.

    Attributes:
        payload: the Struct of its payload.
        result: the Struct of its result.
        executor: who runs it; None for a deferred method.
        requires: envelope ids that must be there.
        mutates: whether its answer is kept for retries of the same command id.
        lifecycle: whether the envelope must carry a `correlation_id`.
        formal: whether the specification names it.
        one_way: whether success is not answered.
        by_broker: whether a lane takes it from the broker alone, which has to know of it first.
        phase: for a deferred method, when it comes.
    """

    payload: type[Struct] = plane.Nothing
    result: type[Struct] = plane.Nothing
    executor: Executor | None = None
    requires: tuple[str, ...] = ()
    mutates: bool = False
    lifecycle: bool = False
    formal: bool = False
    one_way: bool = False
    by_broker: bool = False
    boundary: Boundary = Boundary.LOCAL
    phase: str = ""


_W, _L, _S, _T = "workspace_id", "lane_id", "session_id", "terminal_id"


def _broker(payload: type[Struct], result: type[Struct], *requires: str) -> Method:
    """Return a reading extension that the broker answers."""
    return Method(payload, result, Executor.BROKER, requires)


def _lane(payload: type[Struct], result: type[Struct], *requires: str) -> Method:
    """Return a reading extension that the lane's worker answers."""
    return Method(payload, result, Executor.LANE, requires)


def _change(  # the arguments are the columns of the table below
    payload: type[Struct],
    result: type[Struct],
    *requires: str,
    executor: Executor = Executor.LANE,
    lifecycle: bool = True,
    formal: bool = False,
) -> Method:
    """Return a method that changes something."""
    return Method(
        payload, result, executor, requires, mutates=True, lifecycle=lifecycle, formal=formal
    )


def _known(
    payload: type[Struct], result: type[Struct], *requires: str, formal: bool = False
) -> Method:
    """Return a method that changes what the broker counts or keeps, and passes it first."""
    return Method(
        payload,
        result,
        Executor.LANE,
        requires,
        mutates=True,
        lifecycle=True,
        formal=formal,
        by_broker=True,
    )


def _deferred(phase: str, boundary: Boundary = Boundary.LOCAL, *, formal: bool = True) -> Method:
    return Method(formal=formal, boundary=boundary, phase=phase)


_B = Executor.BROKER
_TOOL, _A2A = Boundary.TOOL, Boundary.AGENT
_AGENTS: Final = "the providers and agents step"
_SURFACE: Final = "the step that completes the formal surface"

METHODS: Final[dict[str, Method]] = {
    # the broker's own
    "plane.hello": _broker(plane.Hello, plane.HelloResult),
    "plane.statistics": _broker(plane.Nothing, plane.Statistics),
    "workspace.create": _change(
        plane.WorkspaceCreate, plane.WorkspaceResult, executor=_B, formal=True
    ),
    "workspace.open": _change(plane.WorkspaceOpen, plane.WorkspaceResult, executor=_B, formal=True),
    "workspace.list": _broker(plane.ListRequest, plane.WorkspaceList),
    "context.get": _broker(plane.Nothing, plane.Context),
    "address.resolve": _broker(plane.Resolve, plane.Resolved),
    "events.replay": _broker(plane.Replay, plane.ReplayResult),
    "lane.create": _change(lane.LaneCreate, lane.LaneResult, _W, executor=_B, formal=True),
    "lane.attach": _change(plane.Nothing, lane.LaneResult, _L, executor=_B, formal=True),
    "lane.recover": _change(lane.LaneRecover, lane.LaneResult, _L, executor=_B),
    "lane.list": _broker(lane.LaneListRequest, lane.LaneList),
    "session.list": _broker(session.SessionListRequest, session.SessionList),
    "terminal.list": _broker(terminal.TerminalListRequest, terminal.TerminalList),
    "diagnostics.get": _broker(diagnostics.DiagnosticsRequest, diagnostics.Diagnostics),
    "orphans.list": _broker(plane.Nothing, orphans.OrphanList),
    "orphans.clean": _change(
        orphans.OrphanClean, orphans.OrphansCleaned, executor=_B, lifecycle=False
    ),
    # the lane's
    "lane.cleanup": _known(lane.LaneCleanup, lane.Ended, _L, formal=True),
    "session.create": _change(session.SessionCreate, session.SessionResult, _L, formal=True),
    "session.attach": _change(
        session.SessionAttach, session.SessionAttached, _W, _L, _S, formal=True
    ),
    "session.detach": _change(session.Lease, plane.Nothing, _L, _S),
    "session.terminate": _change(session.SessionTerminate, lane.Ended, _L, _S, formal=True),
    "lease.renew": Method(session.Lease, plane.Nothing, Executor.LANE, (_L,), one_way=True),
    "terminal.spawn": _known(terminal.Spawn, terminal.Spawned, _W, _L, _S, formal=True),
    "terminal.respawn": _known(terminal.Respawn, terminal.Spawned, _T),
    "terminal.close": _change(terminal.Close, lane.Ended, _T),
    "terminal.input": _change(
        terminal.Input, terminal.InputResult, _T, lifecycle=False, formal=True
    ),
    "terminal.resize": _change(
        terminal.Resize, terminal.TerminalResult, _T, lifecycle=False, formal=True
    ),
    "terminal.signal": _change(terminal.Signal, terminal.TerminalResult, _T, lifecycle=False),
    "terminal.get": _lane(plane.Nothing, terminal.TerminalResult, _T),
    "terminal.read": _lane(terminal.Read, terminal.ReadResult, _T),
    "terminal.wait": _lane(waiting.Wait, waiting.WaitResult, _T),
    "terminal.timeline": _lane(recording.Timeline, recording.TimelineResult, _T),
    "terminal.lease": _change(terminal.Write, terminal.Writing, _T, lifecycle=False),
    "terminal.unlease": _change(terminal.Unlease, plane.Nothing, _T, lifecycle=False),
    "terminal.consume": _change(terminal.Consume, terminal.Consuming, _T, lifecycle=False),
    "terminal.release": _change(terminal.Release, plane.Nothing, _T, lifecycle=False),
    "terminal.ack": Method(terminal.Ack, plane.Nothing, Executor.LANE, (_T,), one_way=True),
    "terminal.consumers": _lane(plane.Nothing, terminal.ConsumerList, _T),
    "terminal.screen": _lane(screen.ScreenRequest, screen.Screen, _T),
    # boundaries
    "boundary.local.dispatch": Method(
        plane.Dispatch, plane.Nothing, Executor.BROKER, lifecycle=True, formal=True
    ),
    "boundary.tool.dispatch": _deferred(_AGENTS, _TOOL),
    "boundary.a2a.dispatch": _deferred(_AGENTS, _A2A),
    # deferred
    "project.clone": _deferred(_SURFACE),
    "project.init": _deferred(_SURFACE),
    "renderer.switch": _deferred(_SURFACE),
    "renderer.capabilities": _deferred(_SURFACE),
    "agent.run": _deferred(_AGENTS, _A2A),
    "agent.cancel": _deferred(_AGENTS, _A2A),
    "approval.request.resolve": _deferred(_AGENTS, _TOOL),
    "share.upterm.start": _deferred(_SURFACE, _TOOL),
    "share.upterm.stop": _deferred(_SURFACE, _TOOL),
    "share.tmate.start": _deferred(_SURFACE, _TOOL),
    "share.tmate.stop": _deferred(_SURFACE, _TOOL),
    "zmx.checkpoint": _deferred(_SURFACE, _TOOL),
    "zmx.restore": _deferred(_SURFACE, _TOOL),
    "audit.list": _deferred("the hardening step", formal=False),
    "audit.export": _deferred("the hardening step", formal=False),
    "harness.status.get": _deferred(_AGENTS, formal=False),
}
"""`boundary.local.dispatch` answers with the result of the method inside it."""

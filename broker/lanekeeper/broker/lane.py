"""The broker's side of one lane that no journal holds: who waits for what, and over which route.

Owns the commands in flight, those that wait while the lane is being made or ended, and the callers
of one-way commands. Bounded by `MAX_IN_FLIGHT`. The lane's state itself is in the registry and
follows `wire.states.LANE`; `readiness` says what it means for a command. Sans-IO.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from enum import Enum, auto
from typing import Final

from msgspec.structs import replace

from lanekeeper.wire.codec import encode
from lanekeeper.wire.envelope import Command
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_IN_FLIGHT
from lanekeeper.wire.methods import METHODS, Executor, Method
from lanekeeper.wire.states import LaneState

CALLERS_MAX: Final = 8
"""Connections that wait for one command: its client and the retries after a reconnection."""

ONE_WAY_KEPT: Final = 256
"""Callers of one-way commands remembered, so that a refusal can reach them."""


@dataclass(slots=True)
class Request:
    """One command on its way.

    Attributes:
        route: the client's routing id.
        command: the decoded envelope.
        data: its bytes, forwarded unchanged.
        method: its row in the table of methods.
        came: when a client sent it (monotonic seconds); None once it was timed, or never is.
    """

    route: bytes
    command: Command
    data: bytes
    method: Method
    came: float | None = None


@dataclass(slots=True)
class Pending:
    """A command without an answer yet; `lasting` ones outlive the patience of their callers."""

    request: Request
    callers: list[bytes]
    lasting: bool = False


class Readiness(Enum):
    """What a command for a lane can do now."""

    OPEN = auto()
    WAIT = auto()
    ENDING = auto()
    AWAY = auto()


_READINESS: Final = {
    LaneState.NEW: Readiness.WAIT,
    LaneState.PROVISIONING: Readiness.WAIT,
    LaneState.READY: Readiness.OPEN,
    LaneState.RUNNING: Readiness.OPEN,
    LaneState.BLOCKED: Readiness.OPEN,
    LaneState.SHARED: Readiness.OPEN,
    LaneState.RECOVERING: Readiness.WAIT,
    LaneState.FAILED: Readiness.AWAY,
    LaneState.CLEANING: Readiness.ENDING,
    LaneState.CLOSED: Readiness.AWAY,
}


def readiness(state: LaneState, method: Method) -> Readiness:
    """Return what a command of `method` can do in this state.

    While a lane ends, what changes its lifecycle waits; the rest still goes to the worker. A lane
    that recovers can be cleaned up.
    """
    ready = _READINESS[state]
    if state is LaneState.RECOVERING and method is METHODS["lane.cleanup"]:
        return Readiness.AWAY
    if ready is Readiness.ENDING:
        return Readiness.WAIT if method.lifecycle else Readiness.OPEN
    return ready


@dataclass(slots=True)
class Lane:
    """The volatile side of one lane.

    Attributes:
        route: routing id of its worker; None while there is none.
        worker_workspace: the workspace id that the worker uses for it.
        ending: the id of the `lane.cleanup` in progress.
        creating: the id of the `lane.create` in progress.
        reviving: the id of the `lane.recover` in progress.
        sweeping: whether the keeper ends it, in place of its worker.
        obituary: how its worker ended, while its last words may still be on their way.
        lost_at: when the death of its worker was learned, until a successor serves.
    """

    id: str
    route: bytes | None = None
    worker_workspace: str | None = None
    ending: str | None = None
    creating: str | None = None
    reviving: str | None = None
    sweeping: bool = False
    obituary: str | None = None
    lost_at: float | None = None
    pending: dict[str, Pending] = field(default_factory=dict)
    waiting: dict[str, Pending] = field(default_factory=dict)
    one_way: OrderedDict[str, bytes] = field(default_factory=OrderedDict)

    def join(self, request: Request) -> bool:
        """Add the caller of a command that is pending already; False when it is not."""
        command_id = request.command.id
        pending = self.pending.get(command_id) or self.waiting.get(command_id)
        if pending is None:
            return False
        if request.route not in pending.callers:
            pending.callers = [*pending.callers[1 - CALLERS_MAX :], request.route]
        return True

    def send(self, request: Request, *, lasting: bool = False) -> None:
        """Take a command as sent to the worker, or as the broker's own work for this lane.

        Raises:
            WireError: BACKPRESSURE, too many are in flight.
        """
        if request.method.one_way:
            self.one_way[request.command.id] = request.route
            if len(self.one_way) > ONE_WAY_KEPT:
                self.one_way.popitem(last=False)
            return
        self._admit()
        self.pending[request.command.id] = Pending(request, [request.route], lasting)

    def words(self, request: Request) -> bytes:
        """Return the bytes of a command as its worker understands them.

        They are unchanged, unless a worker that was started by hand knows its workspace by another
        id than the rest of the plane.
        """
        if request.command.workspace_id in {None, self.worker_workspace}:
            return request.data
        return encode(replace(request.command, workspace_id=self.worker_workspace))

    def forwarded(self) -> list[Request]:
        """Return what a worker has been given and has not answered, in order."""
        return [
            pending.request
            for pending in self.pending.values()
            if pending.request.method.executor is Executor.LANE
        ]

    def wait(self, request: Request) -> None:
        """Let a command wait until the lane's state has changed.

        Raises:
            WireError: BACKPRESSURE, too many are in flight.
        """
        self._admit()
        self.waiting[request.command.id] = Pending(request, [request.route])

    def release(self) -> list[Request]:
        """Return what has waited, once per caller and in order, to be dispatched again."""
        requests = [
            replaced(p.request, route=caller, came=p.request.came if caller is first else None)
            for p in self.waiting.values()
            for first in p.callers[:1]
            for caller in p.callers
        ]
        self.waiting.clear()
        return requests

    def _admit(self) -> None:
        if len(self.pending) + len(self.waiting) >= MAX_IN_FLIGHT:
            raise WireError(
                "BACKPRESSURE",
                f"{MAX_IN_FLIGHT} commands of this lane are without an answer; "
                "wait for answers, then try again",
                limit=MAX_IN_FLIGHT,
            )

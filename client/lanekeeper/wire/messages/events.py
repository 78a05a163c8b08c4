"""What lifecycle events carry, and what a worker reports when it registers with the broker."""

from msgspec import Struct

from lanekeeper.wire.errors import ErrorInfo
from lanekeeper.wire.messages.diagnostics import MetricChanged
from lanekeeper.wire.messages.lane import Ended, Endpoints, LaneInfo
from lanekeeper.wire.messages.orphans import Orphan
from lanekeeper.wire.messages.plane import Context, WorkspaceInfo
from lanekeeper.wire.messages.session import SessionInfo, TerminalOutcome
from lanekeeper.wire.messages.terminal import TerminalInfo


class Happened(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The payload of every lifecycle event; a topic fills in what `docs/protocol.md` says.

    An entity is given as it is after the event; `previous` is its state before it.
    """

    workspace: WorkspaceInfo | None = None
    lane: LaneInfo | None = None
    session: SessionInfo | None = None
    terminal: TerminalInfo | None = None
    context: Context | None = None
    lease_id: str | None = None
    previous: str | None = None
    reason: str | None = None
    method: str | None = None
    error: ErrorInfo | None = None
    ended: Ended | None = None
    restored: list[TerminalOutcome] | None = None
    orphan: Orphan | None = None
    metric: MetricChanged | None = None


class Assignment(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a worker is told of the lane it serves: by the keeper on behalf of the broker.

    `correlation_id` is that of the `lane.create` it stands for. Without `screen` the worker draws
    no screens.
    """

    lane_id: str
    workspace_id: str
    workspace: str
    name: str
    generation: int
    created: str
    project: str | None = None
    provider: str | None = None
    correlation_id: str | None = None
    screen: bool = True


class Registration(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """`worker.registered`: the truth of one lane, sent to every new broker before anything else."""

    assignment: Assignment
    pid: int
    start_time: int
    endpoints: Endpoints
    sessions: list[SessionInfo] = []
    terminals: list[TerminalInfo] = []

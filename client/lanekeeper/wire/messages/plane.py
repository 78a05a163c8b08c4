"""Bodies of `plane.*`, `workspace.*`, `context.*`, `address.*`, `events.*` and `boundary.*`."""

from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from lanekeeper.wire.envelope import EMPTY_MAP, Event, Identifier, Word
from lanekeeper.wire.limits import EVENT_REPLAY, MAX_LIST, MAX_PATH
from lanekeeper.wire.messages.lane import LaneInfo
from lanekeeper.wire.messages.session import SessionInfo
from lanekeeper.wire.messages.terminal import TerminalInfo

Path = Annotated[str, Meta(min_length=1, max_length=MAX_PATH)]
Count = Annotated[int, Meta(ge=1, le=MAX_LIST)]


class Nothing(Struct, forbid_unknown_fields=True):
    """An empty body."""


class Hello(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a client says of itself; both fields are for the diagnostics only."""

    client: Word = "unnamed"
    client_version: Word = "0"


class HelloResult(Struct, forbid_unknown_fields=True, kw_only=True):
    """Versions, epoch, limits and capabilities of the broker.

    `complete` is false while vaulted lanes have not registered again. `limits` maps the names of
    `docs/protocol.md` to numbers.
    """

    protocol: str
    versions: list[int]
    product: str
    epoch: str
    complete: bool
    limits: dict[str, int]
    capabilities: list[str]
    events_endpoint: str


class WorkspaceInfo(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One workspace. Times are RFC 3339, UTC; `renderer` is `raw` or `screen`."""

    id: str
    name: str
    roots: list[str] = []
    renderer: str = "raw"
    created: str
    updated: str
    lanes: int = 0


class WorkspaceCreate(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Make a workspace. With `ensure` an existing one of that name is the answer."""

    name: Word
    roots: Annotated[list[Path], Meta(max_length=64)] = []
    ensure: bool = False


class WorkspaceResult(Struct, forbid_unknown_fields=True, kw_only=True):
    """A workspace and whether this command made it."""

    workspace: WorkspaceInfo
    created: bool = False


class WorkspaceOpen(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Make a workspace the active one, by the envelope's `workspace_id` or by `name`."""

    name: Word | None = None


class ListRequest(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask for a listing, in order of creation; `after` is the `next` of the page before."""

    limit: Count = MAX_LIST
    after: Identifier | None = None
    name: Word | None = None


class WorkspaceList(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Workspaces. `next` is set when there are more."""

    workspaces: list[WorkspaceInfo]
    next: str | None = None


class Context(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The active context: what every view shows as current."""

    workspace_id: str | None = None
    lane_id: str | None = None
    session_id: str | None = None
    terminal_id: str | None = None
    updated: str | None = None


class Resolve(Struct, forbid_unknown_fields=True, kw_only=True):
    """Find what `[workspace/]lane[:session][.terminal]` means; names or ids in every place."""

    address: Annotated[str, Meta(min_length=1, max_length=512)]


class Resolved(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What an address means.

    Without a session or a terminal in the address these are filled in when there is exactly one
    live choice (or, when none lives, exactly one at all); `sessions` and `terminals` list all of
    the lane.
    """

    workspace: WorkspaceInfo
    lane: LaneInfo
    session: SessionInfo | None = None
    terminal: TerminalInfo | None = None
    sessions: list[SessionInfo] = []
    terminals: list[TerminalInfo] = []


class Replay(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask for lifecycle events after `since` (0 for all that are kept) of one epoch."""

    since: Annotated[int, Meta(ge=0)] = 0
    epoch: str | None = None
    limit: Annotated[int, Meta(ge=1, le=EVENT_REPLAY)] = EVENT_REPLAY


class ReplayResult(Struct, forbid_unknown_fields=True, kw_only=True):
    """Events with `seq` greater than `since`, oldest first.

    `first` and `last` are the bounds of what is kept; `since < first - 1` means that events are
    gone. Ask again with the last `seq` received until `events` is empty or ends at `last`.
    """

    epoch: str
    first: int
    last: int
    events: list[Event]


class Dispatch(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A local control command inside `boundary.local.dispatch`; ids stay in the envelope."""

    method: Word
    payload: Raw = EMPTY_MAP


class Statistics(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """`plane.statistics`: counters and gauges of the broker by name, for people and tests."""

    values: dict[str, Any]

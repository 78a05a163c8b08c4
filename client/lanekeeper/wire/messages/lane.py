"""Bodies of `lane.*`."""

from typing import Annotated

from msgspec import Meta, Struct

from lanekeeper.wire.envelope import Identifier, Word
from lanekeeper.wire.limits import GRACE_SECONDS, MAX_GRACE_SECONDS


class Endpoints(Struct, forbid_unknown_fields=True, kw_only=True):
    """Where a lane is reached directly: `output` is its XPUB, `control` its ROUTER."""

    output: str
    control: str


class LaneInfo(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One lane.

    `generation` counts the workers that have served it, from 1; it is the `epoch` of its output
    messages. `writers` counts the terminals that have a writer. `reason` says why a lane is
    `failed` or `recovering`. Times are RFC 3339, UTC.
    """

    id: str
    workspace_id: str
    name: str
    status: str
    generation: int = 0
    reason: str | None = None
    project: str | None = None
    provider: str | None = None
    created: str
    updated: str
    pid: int | None = None
    start_time: int | None = None
    sessions: int = 0
    terminals: int = 0
    running: int = 0
    writers: int = 0
    endpoints: Endpoints | None = None


class LaneCreate(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Make a lane with its own worker process.

    With `ensure` an existing one of that name is the answer.
    """

    name: Word
    project: Annotated[str, Meta(max_length=256)] | None = None
    provider: Word | None = None
    ensure: bool = False


class LaneResult(Struct, forbid_unknown_fields=True, kw_only=True):
    """A lane and whether this command made it."""

    lane: LaneInfo
    created: bool = False


class LaneRecover(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Give a failed lane a new worker, if the vault still holds what it needs.

    With `without_screen` the new worker draws no screens, for output that kills what draws it.
    """

    without_screen: bool = False


class LaneListRequest(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask for lanes, of the envelope's workspace if given; `after` is the `next` of a page."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 500
    after: Identifier | None = None
    name: Word | None = None


class LaneList(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Lanes. `complete` is false while lanes that are known to live have not registered again."""

    lanes: list[LaneInfo]
    complete: bool = True
    next: str | None = None


class LaneCleanup(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """End everything in a lane, then its worker, and forget it.

    `grace_s` is the time from SIGHUP to SIGKILL (with SIGTERM after a third of it).
    """

    grace_s: Annotated[float, Meta(ge=0, le=MAX_GRACE_SECONDS)] = GRACE_SECONDS


class Ended(Struct, forbid_unknown_fields=True, kw_only=True):
    """What was ended: sessions, terminals and processes, these with every descendant."""

    sessions: int = 0
    terminals: int = 0
    processes: int = 0
    killed: int = 0

"""Bodies of `session.*` and `lease.*`."""

from typing import Annotated

from msgspec import Meta, Struct

from lanekeeper.wire.envelope import Identifier, Word
from lanekeeper.wire.limits import GRACE_SECONDS, MAX_GRACE_SECONDS
from lanekeeper.wire.messages.lane import Endpoints


class SessionInfo(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One session. `leases` counts the clients attached now; times are RFC 3339, UTC."""

    id: str
    lane_id: str
    workspace_id: str
    name: str
    status: str
    codex_session_id: str | None = None
    provider: str | None = None
    transport: str | None = None
    created: str
    updated: str
    leases: int = 0
    terminals: int = 0


class SessionCreate(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ensure a session: that of this agent session id, else that of this name, is reused."""

    name: Word = "main"
    codex_session_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    provider: Word | None = None
    transport: Word | None = None


class SessionResult(Struct, forbid_unknown_fields=True, kw_only=True):
    """A session and whether this command made it."""

    session: SessionInfo
    created: bool = False


class TerminalOutcome(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What became of one terminal when its session was restored.

    `outcome` is `recovered` (its program and output go on, or wait as they ended), `ended` (it
    ended meanwhile) or `lost`; a loss has its `reason` and a `remedy`. `state` is the terminal's
    now, or `gone`.
    """

    terminal_id: str
    name: str
    outcome: str
    state: str
    reason: str | None = None
    remedy: str | None = None


class SessionAttach(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Attach to a session.

    With `restore` each of its terminals is looked at first, and the answer says what a crash has
    left of it.
    """

    restore: bool = False


class SessionAttached(Struct, forbid_unknown_fields=True, kw_only=True):
    """An attachment: renew `lease_id` every `beat_s` seconds, or it expires after `ttl_s`.

    `restored` answers `restore`. A session is `attached` while at least one lease on it lives.
    """

    session: SessionInfo
    lease_id: str
    beat_s: float
    ttl_s: float
    endpoints: Endpoints
    generation: int
    restored: list[TerminalOutcome] = []


class Lease(Struct, forbid_unknown_fields=True, kw_only=True):
    """Names a lease, for `lease.renew` and `session.detach`."""

    lease_id: Identifier


class SessionListRequest(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask for sessions, of the envelope's lane if it is given; `after` is the `next` of a page."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 500
    after: Identifier | None = None


class SessionList(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Sessions; `complete` as in `lane.list`."""

    sessions: list[SessionInfo]
    complete: bool = True
    next: str | None = None


class SessionTerminate(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """End everything in a session; `grace_s` as in `lane.cleanup`."""

    grace_s: Annotated[float, Meta(ge=0, le=MAX_GRACE_SECONDS)] = GRACE_SECONDS

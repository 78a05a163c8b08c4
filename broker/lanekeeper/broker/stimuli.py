"""What goes into the core and what comes out of it: plain values.

    Stimulus    a message, a notice or the passing of time, with nothing decoded yet
    Action      what the shell is to do, in the order given: a journal record comes before the
                answer or the event that it stands for

Made and carried out by `server`; the core knows nothing else of the world.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lanekeeper.keeper.facts import Facts, Finding, Outcome

_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks.

    Attributes:
        monotonic: seconds, for deadlines.
        wall_ns: nanoseconds since the epoch, for timestamps.
    """

    monotonic: float
    wall_ns: int

    @property
    def ts(self) -> str:
        """The RFC 3339 timestamp, UTC, in microseconds."""
        seconds, rest = divmod(self.wall_ns, _NS)
        moment = datetime.fromtimestamp(seconds, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


@dataclass(slots=True)
class FromClient:
    """A message on the clients' ROUTER; `route` is its routing id."""

    route: bytes
    frames: list[bytes]


@dataclass(slots=True)
class FromWorker:
    """A message on the workers' ROUTER; `route` is its routing id."""

    route: bytes
    frames: list[bytes]


@dataclass(slots=True)
class FromKeeper:
    """A message on the keeper's channel."""

    message: dict[str, Any]


@dataclass(slots=True)
class KeeperUp:
    """The keeper's channel is open."""


@dataclass(slots=True)
class KeeperDown:
    """The keeper's channel has closed, or could not be opened when it was needed."""


@dataclass(slots=True)
class Subscription:
    """The XPUB has seen a subscription; `topic` is the raw prefix."""

    topic: bytes


@dataclass(slots=True)
class Undelivered:
    """A `ToWorker` could not be sent: the peer is gone, or `full` and not reading."""

    route: bytes
    lane_id: str
    command_id: str
    full: bool


@dataclass(slots=True)
class Tick:
    """Time has passed: look at the deadlines."""


@dataclass(slots=True)
class Looked:
    """What a `Look` saw; None when it failed."""

    facts: Facts | None


@dataclass(slots=True)
class Tidied:
    """What a `Tidy` did."""

    key: str
    outcomes: list[Outcome]


Notice = FromKeeper | KeeperUp | KeeperDown | Subscription | Undelivered | Tick
Stimulus = FromClient | FromWorker | Looked | Tidied | Notice


@dataclass(slots=True)
class Reply:
    """Send one frame to a client; one that has gone is counted and forgotten."""

    route: bytes
    data: bytes


@dataclass(slots=True)
class ToWorker:
    """Send one frame to a worker; when it cannot be sent the core hears `Undelivered`."""

    route: bytes
    data: bytes
    lane_id: str
    command_id: str


@dataclass(slots=True)
class Publish:
    """Send frames on the XPUB."""

    topic: bytes
    data: bytes


@dataclass(slots=True)
class ToKeeper:
    """Send a message on the keeper's channel."""

    message: dict[str, Any]


@dataclass(slots=True)
class NeedKeeper:
    """Try to open the keeper's channel, and tell the core at once with KeeperUp or KeeperDown."""


@dataclass(slots=True)
class Look:
    """Look for what has to do with planes, and tell the core with `Looked`."""


@dataclass(slots=True)
class Tidy:
    """Clean findings of this moment, and tell the core with `Tidied`."""

    key: str
    findings: list[Finding]


@dataclass(slots=True)
class Write:
    """Append a record to the journal."""

    record: bytes


@dataclass(slots=True)
class Note:
    """Write a line to the log."""

    level: int
    text: str
    lane: str | None = None


Action = Reply | ToWorker | Publish | ToKeeper | NeedKeeper | Look | Tidy | Write | Note

DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30
"""Levels of a `Note`, the numbers of the logging module."""

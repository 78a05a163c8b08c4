"""What was seen of this uid's planes at one moment, and what is found wrong with it: plain values.

    Facts      processes, directories and cgroups, as /proc and the file system show them
    Index      what broker and keeper of the own plane know; None while they cannot be asked
    Finding    one thing that is left over, with the signals that say so and one remedy

Made by `survey`, judged by `findings`, cleaned by `tidy`. Sans-IO.
"""

from dataclasses import dataclass
from enum import StrEnum

Identity = tuple[int, int]
"""Pid and start time in clock ticks after boot."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One process that has to do with a plane; empty strings where nothing is known."""

    identity: Identity
    ppid: int
    comm: str
    age: float
    """Seconds since it started."""

    role: str = ""
    """keeper, broker, collector, nursery or worker; empty for what a terminal started."""

    directory: str = ""
    lane_id: str = ""
    terminal_id: str = ""
    brand: int | None = None
    cgroup: str = ""
    """The cgroup of a terminal that it is in, as a path."""


@dataclass(frozen=True, slots=True)
class Place:
    """One runtime directory."""

    directory: str
    keeper: int | None
    """The pid that holds the lock."""

    wanted: bool = False
    files: tuple[str, ...] = ()
    """The plane's own sockets, lock and mark, as far as they exist."""

    unheard: tuple[str, ...] = ()
    """Sockets among all of them that nobody listens on."""


@dataclass(frozen=True, slots=True)
class Group:
    """One cgroup of a lane or a terminal."""

    path: str
    directory: str
    lane_id: str = ""
    """Empty for the cgroup of a whole plane."""

    terminal_id: str = ""
    """Empty for the cgroup of a whole lane."""

    pids: tuple[int, ...] = ()
    age: float = 0.0
    """Seconds since it was made."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was seen at one moment."""

    own: str
    """The runtime directory that was asked about."""

    processes: tuple[Seen, ...] = ()
    places: tuple[Place, ...] = ()
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class LaneFact:
    """A lane as the broker lists it."""

    id: str
    name: str
    state: str
    worker: Identity | None


@dataclass(frozen=True, slots=True)
class Index:
    """What the own plane knows of itself, asked after the facts were gathered."""

    complete: bool
    """Whether every lane that is known to live has registered."""

    lanes: tuple[LaneFact, ...] = ()
    terminals: frozenset[str] = frozenset()
    brands: frozenset[int] = frozenset()
    """The brands of these terminals."""

    workers: frozenset[Identity] | None = None
    """All processes the keeper counts as the plane's; None when it was not asked."""

    served: frozenset[str] = frozenset()
    """Lane ids for which the keeper has a worker."""

    vault: tuple[tuple[str, int], ...] | None = None
    """Lane ids the keeper holds descriptors of, and how many; None when it was not asked."""


class Kind(StrEnum):
    """What is left over."""

    PLANE = "plane-without-keeper"
    LANE = "lane-without-worker"
    WORKER = "worker-without-lane"
    CHILD = "child-without-terminal"
    VAULT = "vault-entry-without-owner"
    SOCKET = "stale-socket"
    FILE = "stale-file"
    CGROUP = "leftover-cgroup"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is left over."""

    id: str
    """The same for as long as it is the same thing: made of identities, not of names."""

    kind: Kind
    directory: str
    text: str
    remedy: str
    """One command, or what to do instead."""

    signals: tuple[str, ...]
    """What says so; at least two independent ones for whatever may be killed."""

    recoverable: bool = False
    """Whether something would be lost by cleaning it: then it is cleaned only by its id."""

    lane_id: str = ""
    processes: tuple[Identity, ...] = ()
    paths: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def cleanable(self) -> bool:
        """Whether `clean` has something to do; otherwise the remedy is the only way."""
        return bool(self.processes or self.paths or self.groups or self.kind is Kind.VAULT)


def readable(text: str) -> str:
    """Return a text for people and encoders: bytes of /proc that are no UTF-8 are written out."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What cleaning one finding did."""

    id: str
    killed: int = 0
    removed: int = 0
    error: str = ""
    """Why something is left; empty when nothing is."""

"""What the supervisor is told and what it asks for: its whole vocabulary.

Owns the events that go in and the actions that come out, as values. Refuses behaviour. The shell
makes events of what the kernel and the peers say, and carries actions out in their order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NURSERY: Final = "nursery"
BROKER: Final = "broker"
COLLECTOR: Final = "collector"
WORKER: Final = "worker"
CLIENT: Final = "client"
KEEPER: Final = "keeper"

DAEMONS: Final = (NURSERY, BROKER, COLLECTOR)
PEER_ROLES: Final = (*DAEMONS, WORKER, CLIENT)

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A process of the plane that lived when the keeper began."""

    role: str
    pid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class Started:
    """The keeper serves; the plane may be brought up, or taken over as it was found.

    `asked` says that the keeper before was to be replaced.
    """

    found: tuple[Found, ...] | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Launched:
    """A daemon was started."""

    role: str
    pid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """A daemon could not be started."""

    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeerOpened:
    """Somebody connected and has not said who it is."""

    peer: int


@dataclass(frozen=True, slots=True)
class PeerSaid:
    """A peer sent a message; of a `hello`, pid and start time are true.

    Its descriptors belong to the core now: it keeps each or has it dropped.
    """

    peer: int
    message: Message
    fds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerGone:
    """A peer's channel ended."""

    peer: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A watched process ended; without `known` somebody else has its status."""

    pid: int
    code: int | None = None
    signal: int | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """The keeper got SIGINT or SIGTERM."""

    signal: int


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep signalled this many processes, which are watched from now on."""

    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; deadlines may be due. `late` is by how many seconds the loop came late."""

    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Orphaned:
    """A program of a lane has ended as our own child; again until its worker has been told."""

    lane_id: str
    pid: int
    start_time: int
    code: int | None
    signal: int | None
    core: bool


@dataclass(frozen=True, slots=True)
class Damaged:
    """Sockets of the plane were gone from the runtime directory; `keeper`: our own is a new one."""

    keeper: bool


@dataclass(frozen=True, slots=True)
class Stalled:
    """The keeper itself stood still for a while."""


Event = (
    Started
    | Launched
    | LaunchFailed
    | PeerOpened
    | PeerSaid
    | PeerGone
    | Ended
    | Asked
    | Swept
    | Tick
    | Orphaned
    | Damaged
    | Stalled
)


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a daemon; answered by `Launched` or `LaunchFailed`."""

    role: str
    anew: bool = False
    """Whether in an interpreter of its own, whatever a fork would save."""


@dataclass(frozen=True, slots=True)
class Beget:
    """Ask the nursery, this peer, to fork a daemon."""

    peer: int
    number: str
    role: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch a process; answered by `Ended`, at once if it is gone."""

    pid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class Kill:
    """Signal a watched process."""

    pid: int
    signal: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to a peer, with duplicates of descriptors."""

    peer: int
    message: Message
    fds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Discard:
    """Close descriptors that nobody needs any more."""

    fds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reap:
    """Reap a program, whose worker has been told, once the vault has let go of it."""

    pid: int


@dataclass(frozen=True, slots=True)
class Entrust:
    """Give a peer what it needs to start the next keeper."""

    peer: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close a peer's channel after what was sent to it."""

    peer: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """Signal all that is left of what terminals started; answered by `Swept`."""

    signal: int


@dataclass(frozen=True, slots=True)
class Cleanse:
    """Kill what a lane whose worker is dead has left behind, and tell the peer how much it was."""

    peer: int
    request: Message
    lane_id: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell whoever started the keeper that the plane is ready, or why it is not."""

    line: str


@dataclass(frozen=True, slots=True)
class Note:
    """Log something."""

    text: str
    level: str = "info"
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retire:
    """Exit and leave everything as it is: the next keeper takes it over."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Clean up and exit."""

    code: int


Action = (
    Launch
    | Beget
    | Watch
    | Kill
    | Send
    | Discard
    | Reap
    | Entrust
    | Close
    | Sweep
    | Cleanse
    | Announce
    | Note
    | Retire
    | Finish
)


class RequestError(Exception):
    """A peer asked for something that is not done; it is told why."""

    def __init__(self, code: str, message: str) -> None:
        """Refuse with a code of the wire and a sentence."""
        super().__init__(message)
        self.code = code


def answer(request: Message, op: str, /, **fields: object) -> dict[str, Any]:
    """Return the answer to a request, with its id."""
    return {"op": op, "id": request.get("id"), **fields}


def require_text(request: Message, name: str) -> str:
    """Return a field that must be a non-empty string.

    Raises:
        RequestError: it is not.
    """
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise RequestError("INVALID_ARGUMENT", f"{name!r} must be a non-empty string")
    return value


def require_number(request: Message, name: str) -> int:
    """Return a field that must be a number from 0 on.

    Raises:
        RequestError: it is not.
    """
    value = request.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RequestError("INVALID_ARGUMENT", f"{name!r} must be a whole number from 0 on")
    return value

"""What an operation may ask of the hub: values that a generator yields and the answers it gets.

An operation is written once, as a generator over these; `hub` performs them without blocking, so
that the blocking and the asyncio shell drive the same logic. Nothing here touches a socket.

    Call        send a command, be resumed with its decoded result or with a `LaneError`
    Notify      send a one-way command
    Pause       be resumed when a condition holds (True) or a delay has passed (False)
    Subscribe   open a SUB socket into a sink; `Unsubscribe` closes it
    Hold, Drop  have a lease renewed from now on, or no longer
    Fresh       a new random id
    Start       run another operation beside this one
"""

from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar, cast

from msgspec import Struct

from lanekeeper.client.errors import LaneError
from lanekeeper.client.leases import Lease

T = TypeVar("T")
R = TypeVar("R")


class Ids(Struct, frozen=True):
    """The ids of an envelope."""

    workspace_id: str | None = None
    lane_id: str | None = None
    session_id: str | None = None
    terminal_id: str | None = None


class Call(Struct, Generic[T], frozen=True):
    """One command.

    Attributes:
        method: a method of the bus.
        result: the Struct its result is decoded as.
        payload: its payload; None for an empty one.
        ids: the ids of the envelope.
        link: the endpoint of a lane's hot path; None for the broker.
        timeout: seconds until it fails; None for the plane's default.
        correlation_id: given to everything it causes; made fresh when it is needed and missing.
        command_id: a retry with the id of an earlier command gets that command's answer.
    """

    method: str
    result: type[T]
    payload: Struct | None = None
    ids: Ids = Ids()
    link: str | None = None
    timeout: float | None = None
    correlation_id: str | None = None
    command_id: str | None = None


AnyCall = Call[Any]


class Notify(Struct, frozen=True):
    """A one-way command; `refused` is called if it is refused."""

    call: AnyCall
    refused: Callable[[LaneError], None]


class Pause(Struct, frozen=True):
    """Wait for `ready`, at most `delay` seconds."""

    ready: Callable[[], bool]
    delay: float | None = None


class Sink(Protocol):
    """What takes the messages of a subscription."""

    @property
    def full(self) -> bool:
        """Whether it takes no more for now; the rest waits in the socket."""
        ...

    def receive(self, frames: list[bytes]) -> None:
        """Take one message; a malformed one is counted and dropped."""
        ...


class Feed(Protocol):
    """An open subscription."""

    @property
    def endpoint(self) -> str:
        """Where it is connected to."""
        ...


class Subscribe(Struct, frozen=True):
    """Open a subscription to `topics` (prefixes), in this order, into `sink`."""

    endpoint: str
    topics: tuple[str, ...]
    sink: Sink


class Unsubscribe(Struct, frozen=True):
    """Close a subscription."""

    feed: Feed


class Hold(Struct, frozen=True):
    """Renew a lease from now on."""

    lease: Lease


class Drop(Struct, frozen=True):
    """Renew a lease no longer."""

    lease: Lease


class Fresh(Struct, frozen=True):
    """Make an id of this kind."""

    kind: str


class Start(Struct, frozen=True):
    """Run an operation beside this one; its errors stay with it."""

    operation: Generator["Effect", object, object]


Effect = AnyCall | Notify | Pause | Subscribe | Unsubscribe | Hold | Drop | Fresh | Start
Operation = Generator[Effect, object, R]


def ask(call: Call[T]) -> Operation[T]:
    """Return the result of a call, with its type."""
    answer = yield call
    if not isinstance(answer, call.result):
        raise TypeError(f"{call.method} was resumed with {type(answer).__name__}")
    return answer


def fresh(kind: str) -> Operation[str]:
    """Return a new id of this kind."""
    answer = yield Fresh(kind)
    return str(answer)


def pause(ready: Callable[[], bool], delay: float | None = None) -> Operation[bool]:
    """Return whether the condition came to hold within `delay` seconds."""
    return bool((yield Pause(ready, delay)))


def subscribe(endpoint: str, topics: tuple[str, ...], sink: Sink) -> Operation[Feed]:
    """Return an open subscription."""
    return cast("Feed", (yield Subscribe(endpoint, topics, sink)))

"""Holding a terminal's writer lease: taking it, noticing its loss, giving it back.

Sans-IO. The lease lives by one on the session, which is renewed like any other. Whoever takes it
over is announced by an event that names the loser; one that was missed shows as NOT_WRITER at the
next input. Driven by both shells; `writers` has the handles.
"""

from msgspec import Struct

from lanekeeper.client import operations
from lanekeeper.client.effects import Call, Feed, Ids, Operation, Unsubscribe, ask, subscribe
from lanekeeper.client.errors import LaneError, error_for
from lanekeeper.client.leases import Lease
from lanekeeper.wire.codec import decode_body, decode_event
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages import terminal
from lanekeeper.wire.messages.events import Happened

TOPIC = "terminal.writer.changed"


class Hold(Struct, eq=False):
    """A writer lease that this client has taken.

    Attributes:
        ids: of the terminal, all four.
        lease: on the session; the writer lease ends with it.
        writer_id: goes with every input and size.
        tty: whether this client says that it is a terminal.
        taken: how it was lost to another client; None while it was not.
        full: as a `Sink`, it takes every event at once.
    """

    ids: Ids
    lease: Lease
    writer_id: str
    tty: bool
    taken: LaneError | None = None
    feed: Feed | None = None
    full: bool = False

    @property
    def lost(self) -> LaneError | None:
        """Why it is no longer held; NOT_WRITER when another client has taken it."""
        return self.taken or self.lease.lost

    def receive(self, frames: list[bytes]) -> None:
        """Take one event; only the one that names this lease as the loser counts."""
        try:
            event = decode_event(frames[-1])
            if event.terminal_id == self.ids.terminal_id:
                self.told(decode_body(event.payload, Happened, event.topic))
        except WireError:
            return  # not an event of this version: input that is refused will tell

    def told(self, happened: Happened) -> None:
        """Note what an event of this terminal says."""
        if happened.lease_id != self.lease.lease_id:
            return
        writer = happened.terminal.writer if happened.terminal is not None else None
        if writer is not None:
            actor = writer.actor
            who = "another client" if actor is None else f"{actor.kind} {actor.id}"
            message = f"{who} has taken over the writing"
            self.taken = error_for("NOT_WRITER", message, details={"who": who})


def take(ids: Ids, link: str, *, tty: bool, take_over: bool) -> Operation[Hold]:
    """Take a terminal's writer lease; NOT_WRITER when another client holds it.

    `link` is the lane's hot path.
    """
    lease, _ = yield from operations.attach_session(ids)
    try:
        writing = yield from claim(
            ids, link, terminal.Write(lease_id=lease.lease_id, tty=tty, take=take_over)
        )
    except LaneError:
        yield from operations.detach(lease)
        raise
    return Hold(ids, lease, writing.writer_id, tty)


def claim(ids: Ids, link: str, body: terminal.Write) -> Operation[terminal.Writing]:
    """Make a lease on the session the writer; NOT_WRITER when another is and `body` takes none."""
    only = Ids(terminal_id=ids.terminal_id)
    return (yield from ask(Call("terminal.lease", terminal.Writing, body, only, link)))


def watch(hold: Hold, endpoint: str) -> Operation[None]:
    """Have a hold hear, at the broker's `endpoint` for events, that it was taken over."""
    hold.feed = yield from subscribe(endpoint, (TOPIC,), hold)


def hold_on(ids: Ids, link: str, endpoint: str, *, tty: bool, take_over: bool) -> Operation[Hold]:
    """Take a terminal's writer lease and watch over it by the events at `endpoint`."""
    hold = yield from take(ids, link, tty=tty, take_over=take_over)
    yield from watch(hold, endpoint)
    return hold


def give_back(hold: Hold) -> Operation[None]:
    """Give a writer lease back, with the lease on the session that it lives by."""
    if hold.feed is not None:
        yield Unsubscribe(hold.feed)
        hold.feed = None
    yield from operations.detach(hold.lease)

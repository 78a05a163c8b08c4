"""The long-lived operations: one terminal's output and the plane's events, kept complete.

`tend` attaches and registers as far as the policy asks for it, subscribes, reads what is missing,
acknowledges what was processed, attaches again when its lease was lost, and gives everything back
at the end. `follow_events` does the same for events. `run` is a whole command. They drive the
sans-IO machines of `stream` and `story`; the shells only take items out.
"""

from typing import Final

from msgspec import Struct

from lanekeeper.client import operations
from lanekeeper.client.effects import (
    Call,
    Feed,
    Ids,
    Notify,
    Operation,
    Unsubscribe,
    ask,
    fresh,
    pause,
    subscribe,
)
from lanekeeper.client.errors import LaneError, TimedOutError, error_for
from lanekeeper.client.leases import Lease
from lanekeeper.client.story import Story
from lanekeeper.client.stream import Assembly, ReadNeeded
from lanekeeper.wire.messages import plane, terminal

QUIET_SECONDS: Final = 5.0
"""Silence after which the log, or the broker, is looked at: a lost lane shows itself."""
QUIET_LEASED: Final = 2.0
"""The same while a lease is renewed at that beat anyway."""
STALL_SECONDS: Final = 0.05
"""Pause after a read that brought nothing although the log is said to have more."""
READ_SECONDS: Final = 2.0
DEAF_MOST: Final = 6
"""Reads in vain, of 7 s each, while the broker answers: a hung worker is ended after 15 to 22 s."""
REPLAY_SECONDS: Final = 5.0


class OutputFlow(Struct, eq=False):
    """One output stream between the caller and its `tend`.

    Attributes:
        ids: of the terminal, all four.
        endpoint: the lane's output socket.
        link: the lane's hot path.
        policy: `block`, `forever`, or `drop` for an observer without lease and registration.
        lease: the attachment it lives by, and `consumer_id` its registration; taken over from a
            spawn, or made by `tend`.
        closed: set by the caller, to end it.
        over: set by `tend` when nothing more will come; `released` when all is given back.
        error: why it ended before its time.
    """

    ids: Ids
    endpoint: str
    link: str
    policy: str
    assembly: Assembly
    lease: Lease | None = None
    consumer_id: str | None = None
    closed: bool = False
    over: bool = False
    released: bool = False
    error: LaneError | None = None
    demoted: LaneError | None = None
    deaf: int = 0
    """Reads in a row that nobody answered."""

    @property
    def ready(self) -> bool:
        """Whether the caller has something to take, or nothing more will come."""
        return self.assembly.pending > 0 or self.ended

    @property
    def ended(self) -> bool:
        """Whether nothing more will come after what is queued."""
        return self.closed or self.assembly.finished or self.error is not None or self.over

    def wants(self) -> bool:
        """Whether `tend` has something to do."""
        return (
            self.spent
            or self.assembly.wants_read
            or (self.consumer_id is not None and self.assembly.wants_ack)
            or self.unleased
        )

    @property
    def spent(self) -> bool:
        """Whether `tend` should give everything back."""
        return self.closed or (self.assembly.finished and not self.assembly.pending)

    @property
    def unleased(self) -> bool:
        """Whether the registration must be made again."""
        lost = self.lease is not None and self.lease.lost is not None
        return lost or (self.demoted is not None and self.policy == "forever")


def tend(flow: OutputFlow) -> Operation[None]:
    """Keep one output stream complete until it is over."""
    feed: Feed | None = None
    try:
        token = flow.assembly.token = yield from fresh("token")
        if flow.policy != "drop" and flow.lease is None:
            yield from _register(flow)
        topics = (str(flow.ids.terminal_id), token)
        feed = yield from subscribe(flow.endpoint, topics, flow.assembly)
        while not flow.spent:
            yield from _once(flow)
    except LaneError as error:
        flow.error = error
    finally:
        flow.over = True
    if feed is not None:
        yield Unsubscribe(feed)
    if flow.lease is not None:
        yield from operations.detach(flow.lease)
    flow.released = True


def _once(flow: OutputFlow) -> Operation[None]:
    """Wait until something is due and do it."""
    quiet = QUIET_SECONDS if flow.lease is None else QUIET_LEASED
    heard = flow.assembly.heard
    woken = yield from pause(flow.wants, quiet)
    silent = not woken and heard == flow.assembly.heard
    if silent:
        flow.assembly.look()
    if flow.spent:
        return
    if flow.unleased:
        yield from _register(flow)
    if flow.consumer_id is not None:
        yield from _acknowledge(flow, flow.consumer_id)
    need = flow.assembly.begin_read()
    if need is not None:
        yield from _fill(flow, need, through_broker=silent)


def _register(flow: OutputFlow) -> Operation[None]:
    flow.demoted = None
    flow.lease, _ = yield from operations.attach_session(flow.ids)
    body = terminal.Consume(
        lease_id=flow.lease.lease_id,
        policy="forever" if flow.policy == "forever" else "block",
        offset=flow.assembly.position or 0,
    )
    ids = operations.within_lane(flow.ids)
    call = Call("terminal.consume", terminal.Consuming, body, ids)
    consuming = yield from ask(call)
    flow.consumer_id = consuming.consumer_id
    flow.assembly.registered(consuming.offset)
    flow.assembly.look()


def _acknowledge(flow: OutputFlow, consumer_id: str) -> Operation[None]:
    offset = flow.assembly.begin_ack()
    if offset is None:
        return

    def refused(error: LaneError) -> None:
        if flow.consumer_id == consumer_id:
            flow.consumer_id, flow.demoted = None, error

    body = terminal.Ack(consumer_id=consumer_id, offset=offset)
    ids = Ids(terminal_id=flow.ids.terminal_id)
    yield Notify(Call("terminal.ack", plane.Nothing, body, ids, flow.link), refused)


def _fill(flow: OutputFlow, need: ReadNeeded, *, through_broker: bool) -> Operation[None]:
    body = terminal.Read(offset=need.offset, max=need.size)
    paths = (None, flow.link) if through_broker else (flow.link, None)
    for path in paths:
        call = Call(
            "terminal.read",
            terminal.ReadResult,
            body,
            Ids(terminal_id=flow.ids.terminal_id),
            path,
            READ_SECONDS if path else None,
        )
        try:
            result = yield from ask(call)
        except TimedOutError:
            continue
        flow.deaf = 0
        if not flow.assembly.answer(result) and flow.assembly.wants_read:
            yield from pause(lambda: flow.closed, STALL_SECONDS)
        return
    flow.assembly.read_failed()
    flow.deaf += 1
    if flow.deaf < DEAF_MOST and (yield from _plane_lives()):
        return  # its worker hangs, and is about to be replaced
    raise error_for(
        "UNREACHABLE",
        "neither the lane nor the broker answers; look with lane status and follow again from "
        f"offset {need.offset}",
        retryable=True,
    )


def _plane_lives() -> Operation[bool]:
    """Return whether the broker answers."""
    try:
        yield from operations.hello(READ_SECONDS)
    except TimedOutError:
        return False
    return True


class EventFlow(Struct, eq=False):
    """One stream of events between the caller and its `follow_events`."""

    endpoint: str
    story: Story
    closed: bool = False
    over: bool = False
    error: LaneError | None = None

    @property
    def ready(self) -> bool:
        """Whether the caller has something to take, or nothing more will come."""
        return self.story.pending > 0 or self.ended

    @property
    def ended(self) -> bool:
        """Whether nothing more will come after what is queued."""
        return self.closed or self.story.finished or self.error is not None or self.over

    def wants(self) -> bool:
        """Whether `follow_events` has something to do."""
        return self.closed or self.story.finished or self.story.wants_replay


def follow_events(flow: EventFlow) -> Operation[None]:
    """Keep one stream of events complete until it is over."""
    feed: Feed | None = None
    try:
        token = flow.story.token = yield from fresh("token")
        feed = yield from subscribe(flow.endpoint, ("", token), flow.story)
        while not (flow.closed or flow.story.finished):
            if not (yield from pause(flow.wants, QUIET_SECONDS)):
                flow.story.look()
            since = flow.story.begin_replay()
            if since is not None:
                yield from _replay(flow.story, since)
    except LaneError as error:
        flow.error = error
    finally:
        flow.over = True
    if feed is not None:
        yield Unsubscribe(feed)


def _replay(story: Story, since: int) -> Operation[None]:
    body = plane.Replay(since=since)
    call = Call("events.replay", plane.ReplayResult, body, timeout=REPLAY_SECONDS)
    try:
        story.answer((yield from ask(call)))
    except LaneError:
        story.replay_failed()
        raise

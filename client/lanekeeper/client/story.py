"""The lifecycle events of the plane in their order, without holes.

Sans-IO. Events of one epoch count from 1. Live events that continue at `position` are delivered;
a jump, a new epoch and every `joined` ask for a replay; what the broker no longer has is reported
once as an `EventsLostError`, in its place. Everything is received and filtered here, because a
subscription by topic would make holes invisible. Fed by `following`; emptied by the shells.
"""

from collections import deque
from typing import Final

import msgspec

from lanekeeper.client.errors import LaneError, error_for
from lanekeeper.wire.codec import decode_event
from lanekeeper.wire.envelope import Event
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.plane import ReplayResult

QUEUE_EVENTS: Final = 2_000
"""Events queued for a slow caller before no more is taken from the socket."""
FRAMES: Final = 2
_JOINED: Final = msgspec.msgpack.Decoder(tuple[int, str, str, int])


class Story:
    """Events after `since` (None: from now on; 0: all that are kept), of `topics` (empty: all).

    With `follow` false it finishes where the events ended when it was first looked at.
    """

    def __init__(
        self, since: int | None, *, follow: bool = True, topics: tuple[str, ...] = ()
    ) -> None:
        """Deliver events after `since`."""
        self.position = since
        self.epoch: str | None = None
        self.finished = False
        self.token: str | None = None
        self.malformed = 0
        self._lenient = since == 0
        self._follow = follow
        self._topics = topics
        self._stop: int | None = None
        self._queue: deque[Event | LaneError] = deque()
        self._look = since is not None
        self._asking = False

    @property
    def full(self) -> bool:
        """Whether the caller is so far behind that no more should be received."""
        return len(self._queue) >= QUEUE_EVENTS

    @property
    def pending(self) -> int:
        """How many events wait for the caller."""
        return len(self._queue)

    def receive(self, frames: list[bytes]) -> None:
        """Take one message of the broker's events socket; a malformed one is counted."""
        try:
            if len(frames) == FRAMES and frames[0].decode("ascii", "replace") == self.token:
                _, _, epoch, last = _JOINED.decode(frames[1])
                self.joined(epoch, last)
            else:
                self.event(decode_event(frames[-1]))
        except (WireError, msgspec.DecodeError):
            self.malformed += 1

    def joined(self, epoch: str, last: int) -> None:
        """Note that everything after `last` of `epoch` will be received."""
        if self.position is None:
            self.position, self.epoch = last, epoch
            self._stop = None if self._follow else last
            self.finished = not self._follow
            return
        self._look = self._look or self.epoch != epoch or last != self.position

    def event(self, event: Event) -> None:
        """Take one live event."""
        if self.position is None or self.epoch is None or self.finished:
            return
        if event.epoch != self.epoch or event.seq > self.position + 1:
            self._look = True
        elif event.seq == self.position + 1:
            self._deliver(event)

    def look(self) -> None:
        """Have the broker asked once more, in case the last event was dropped."""
        self._look = self._look or self.position is not None

    @property
    def wants_replay(self) -> bool:
        """Whether `begin_replay` would return something."""
        return (
            self._look
            and self.position is not None
            and not (self._asking or self.full or self.finished)
        )

    def begin_replay(self) -> int | None:
        """Return after which event to ask now, or None; an answer or a failure must follow."""
        if not self.wants_replay:
            return None
        self._asking, self._look = True, False
        return self.position

    def replay_failed(self) -> None:
        """Note that a replay got no answer; it is needed again."""
        self._asking, self._look = False, True

    def answer(self, result: ReplayResult) -> None:
        """Take the answer of a replay."""
        self._asking = False
        if self.position is None:
            return
        if self.epoch is not None and result.epoch != self.epoch:
            self._lose(self.position + 1, None, self.epoch)
            self.position, self.epoch, self._look = 0, result.epoch, True
            self._lenient = True
            return
        self.epoch = result.epoch
        if not self._follow and self._stop is None:
            self._stop = result.last
        if self.position < result.first - 1:
            if not self._lenient:
                self._lose(self.position + 1, result.first, result.epoch)
            self.position = result.first - 1
        self._lenient = False
        for event in result.events:
            if event.seq == self.position + 1:
                self._deliver(event)
        self._look = self._look or (self.position < result.last and bool(result.events))
        self.finished = self._stop is not None and self.position >= self._stop

    @property
    def troubled(self) -> bool:
        """Whether the next thing to take is a report of lost events."""
        return bool(self._queue) and isinstance(self._queue[0], LaneError)

    def take(self) -> Event | LaneError | None:
        """Return the next event, or the report of lost ones, or None."""
        return self._queue.popleft() if self._queue else None

    def _deliver(self, event: Event) -> None:
        self.position = event.seq
        if self._stop is not None and event.seq > self._stop:
            return
        if not self._topics or event.topic in self._topics:
            self._queue.append(event)

    def _lose(self, start: int, end: int | None, epoch: str) -> None:
        upto = "the end of that broker's epoch" if end is None else f"{end - 1}"
        self._queue.append(
            error_for(
                "EVENTS_LOST",
                f"events from {start} to {upto} are gone; list what you follow to see its state, "
                "then go on",
                details={"start": start, "end": end, "epoch": epoch},
            )
        )

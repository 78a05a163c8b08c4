"""One terminal's output, put together: order, duplicates, holes, gaps, epochs, the end.

Sans-IO. Theory: the log of the terminal is the truth and every message carries its offset. Messages
that continue at `position` are delivered; what lies ahead waits (bounded); what is missing between
is asked for (`begin_read`); what the log no longer has becomes a `Gap` in its place; the end is
delivered only after everything before it. Messages of an older epoch are discarded.
Warning: `joined`, a new epoch and a queue that was full mean that messages may have been missed, so
the log is looked at again. Fed by `following`; emptied by the shells through `take`.
"""

import heapq
from collections import deque
from typing import Final

from msgspec import Struct

from lanekeeper.client.items import Data, Ended, Gap, Item, Resized
from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.wire.messages.terminal import ExitStatus, ReadResult
from lanekeeper.wire.output import Kind, OutputMessage, decode_exit, decode_output, decode_size

ACK_PAUSE_BYTES: Final = 16 * 1024
"""Half of the log holds the program back: this is well below half of the smallest log."""
ACK_BYTES: Final = 256 * 1024
"""Processed bytes after which an acknowledgement is due at the latest."""
AHEAD_BYTES: Final = 1024 * 1024
"""Bytes kept that lie behind a hole; more is read again from the log."""
QUEUE_BYTES: Final = 1024 * 1024
"""Bytes queued for a slow caller before no more is taken from the socket."""
ITEM_COST: Final = 64
"""What an item counts beside its bytes, so that a flood of tiny ones is bounded too."""


class ReadNeeded(Struct, frozen=True):
    """A range to ask the lane for: from `offset` (None: the oldest kept), at most `size` bytes."""

    offset: int | None
    size: int


class Assembly:
    """The output of one terminal from `start` on (None: from the oldest byte that is kept).

    With `follow` false it finishes where the log ended when it was first looked at.
    """

    def __init__(self, start: int | None, *, follow: bool = True) -> None:
        """Deliver from `start` on."""
        self.position = start
        self.epoch = 0
        self.finished = False
        self.token: str | None = None
        self.heard = 0
        self.stale = 0
        self.malformed = 0
        self._follow = follow
        self._stop: int | None = None
        self._head = 0
        self._end: tuple[int, ExitStatus] | None = None
        self._ahead: list[tuple[int, int, OutputMessage]] = []
        self._ahead_bytes = 0
        self._arrivals = 0
        self._items: deque[Item] = deque()
        self._queued = 0
        self._was_full = False
        self._look = True
        self._reading = False
        self._given = start
        self._processed = start
        self._acked = start
        self._quiet = False

    @property
    def full(self) -> bool:
        """Whether the caller is so far behind that no more should be received."""
        return self._queued >= QUEUE_BYTES

    @property
    def pending(self) -> int:
        """How many items wait for the caller."""
        return len(self._items)

    def receive(self, frames: list[bytes]) -> None:
        """Take one message of the lane's output socket; a malformed one is counted."""
        try:
            self.message(decode_output(frames))
        except WireError:
            self.malformed += 1

    def message(self, message: OutputMessage) -> None:
        """Take one decoded message.

        Raises:
            WireError: INVALID_ENVELOPE, the body of an `end` or a `resize` is malformed.
        """
        if message.epoch < self.epoch:
            self.stale += 1
            return
        self.heard += 1
        if message.epoch > self.epoch:
            self._new_epoch(message.epoch)
        if message.kind is Kind.JOINED:
            if message.topic == self.token:
                self._look = True
            return
        if message.kind is Kind.END:
            self._note_end(message.offset, decode_exit(message.data))
        if message.kind is Kind.RESIZE:
            decode_size(message.data)
        self._head = max(self._head, message.end)
        self._quiet = message.kind is not Kind.DATA
        if message.kind in {Kind.DATA, Kind.RESIZE}:
            self._put_ahead(message)
        self._advance()

    def look(self) -> None:
        """Have the log looked at once more."""
        self._look = True

    def begin_read(self) -> ReadNeeded | None:
        """Return what to ask the lane for now, or None; `answer` or `read_failed` must follow."""
        if self.finished or self._reading or self.full:
            return None
        if self.position is None:
            size = MAX_CHUNK
        else:
            upto = self._ahead[0][0] if self._ahead else self._head
            missing = upto - self.position
            if missing <= 0 and not self._look:
                return None
            size = min(missing, MAX_CHUNK) if missing > 0 else MAX_CHUNK
        self._reading = True
        self._look = False
        return ReadNeeded(self.position, size)

    @property
    def wants_read(self) -> bool:
        """Whether `begin_read` would return something."""
        if self.finished or self._reading or self.full:
            return False
        if self.position is None or self._look:
            return True
        return (self._ahead[0][0] if self._ahead else self._head) > self.position

    def read_failed(self) -> None:
        """Note that a read got no answer; it is needed again."""
        self._reading = False
        self._look = True

    def answer(self, result: ReadResult) -> bool:
        """Take the answer of a read; return whether it brought anything on."""
        self._reading = False
        self.heard += 1
        if result.epoch < self.epoch:
            self.stale += 1
            self._look = True
            return False
        self._new_epoch(result.epoch)
        before = (self.position, self.finished)
        self._head = max(self._head, result.head)
        self._quiet = True
        if not self._follow and self._stop is None:
            self._stop = result.head
        if self.position is None:
            self._start_at(result.gap.end if result.gap else result.offset)
        if result.end is not None:
            self._note_end(result.end, result.exit or ExitStatus(kind="unknown"))
        if result.gap is not None:
            self._skip_to(result.gap.end)
        if result.data:
            self._skip_to(result.offset)
            self._deliver(result.offset, result.data)
        self._advance()
        return before != (self.position, self.finished)

    def take(self) -> Item | None:
        """Return the next item, or None; everything taken before counts as processed."""
        self.take_nothing()
        if not self._items:
            return None
        item = self._items.popleft()
        self._queued -= _cost(item)
        if self._was_full and self._queued <= QUEUE_BYTES // 2:
            # What was published to a full queue may be dropped, the last of it and the end too.
            self._was_full = False
            self._look = True
        if isinstance(item, Data | Gap):
            self._given = item.end
        return item

    def take_nothing(self) -> None:
        """Count everything taken so far as processed."""
        self._processed = self._given

    def registered(self, offset: int) -> None:
        """Note the offset a registration starts with: everything before it is acknowledged."""
        self._acked = offset

    def begin_ack(self) -> int | None:
        """Return the offset to acknowledge now, or None.

        Every 256 KiB; 16 KiB at a pause; and less only when the lane has told its silence, so that
        an echo is not followed by an acknowledgement that delays the next one.
        """
        processed = self._processed
        if processed is None or not self.wants_ack:
            return None
        self._acked = processed
        return processed

    @property
    def wants_ack(self) -> bool:
        """Whether an acknowledgement is due."""
        if self._processed is None:
            return False
        behind = self._processed - (self._acked or 0)
        if behind < ACK_BYTES and self._items:
            return False
        return behind >= ACK_PAUSE_BYTES or (behind > 0 and self._quiet)

    def _new_epoch(self, epoch: int) -> None:
        """Note whose messages come now; an acknowledgement on its way to a dead worker is lost."""
        if epoch > self.epoch > 0:
            self._look = True
            self._acked = 0
        self.epoch = epoch

    def _start_at(self, offset: int) -> None:
        self.position = self._given = self._processed = self._acked = offset
        if self._end is not None and self._end[0] < offset:
            self._end = None

    def _put_ahead(self, message: OutputMessage) -> None:
        if self.position is None or self.finished:
            return
        if message.kind is Kind.DATA and message.end <= self.position:
            return
        if message.offset > self.position:
            size = len(message.data) + ITEM_COST
            if self._ahead_bytes + size > AHEAD_BYTES:
                return
        self._arrivals += 1
        heapq.heappush(self._ahead, (message.offset, self._arrivals, message))
        self._ahead_bytes += len(message.data) + ITEM_COST

    def _note_end(self, offset: int, status: ExitStatus) -> None:
        """Note an end; one that lies behind is that of a program before a respawn."""
        if self.position is not None and offset < self.position:
            return
        if self._end is None or offset < self._end[0]:
            self._end = (offset, status)

    def _advance(self) -> None:
        if self.finished:
            return
        position = self.position
        while position is not None and self._ahead and self._ahead[0][0] <= position:
            message = heapq.heappop(self._ahead)[2]
            self._ahead_bytes -= len(message.data) + ITEM_COST
            if message.kind is Kind.RESIZE:
                self._put(Resized(*decode_size(message.data)))
            else:
                self._deliver(message.offset, message.data)
                position = self.position
        if position is None or self.finished:
            return
        if self._end is not None and position > self._end[0]:
            self._end = None
        if self._end is not None and position == self._end[0]:
            self._put(Ended(*self._end))
            self.finished = True
        elif self._stop is not None and position >= self._stop:
            self.finished = True

    def _deliver(self, offset: int, data: bytes) -> None:
        if self.position is None or self.finished or offset > self.position:
            return
        # What follows an end belongs to a program that was started after it.
        upto = None if self._end is None else max(0, self._end[0] - offset)
        fresh = data[self.position - offset : upto]
        if fresh:
            self._put(Data(self.position, fresh))
            self.position += len(fresh)

    def _skip_to(self, offset: int) -> None:
        """Deliver what is there before `offset`, and gaps for what is not."""
        while self.position is not None and self.position < offset:
            self._advance()
            if self.finished or self.position >= offset:
                return
            upto = min(self._ahead[0][0], offset) if self._ahead else offset
            if self._end is not None:
                upto = min(upto, self._end[0])
            self._put(Gap(self.position, upto))
            self.position = upto

    def _put(self, item: Item) -> None:
        self._items.append(item)
        self._queued += _cost(item)
        self._was_full = self._was_full or self.full


def _cost(item: Item) -> int:
    return ITEM_COST + (len(item.data) if isinstance(item, Data) else 0)

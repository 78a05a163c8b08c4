"""The numbering of events and their bounded history.

Owns `epoch` and `seq`: from 1, without holes, within one epoch. Keeps the newest events as the
bytes that were published, bounded by count and by size, for `events.replay`. Sans-IO.
"""

from collections import deque
from typing import Final

from lanekeeper.wire.limits import EVENTS_KEPT, MAX_CONTROL

EVENTS_BYTES: Final = 32 * 1024 * 1024
"""Bytes of the whole history: 10,000 events have about 6 MB, unless their argv are huge."""

PAGE_BYTES: Final = MAX_CONTROL
"""Bytes of events or entries in one answer, which with its envelope must fit into one frame."""


class History:
    """The last events and the number of the newest."""

    def __init__(self, kept: int = EVENTS_KEPT, size: int = EVENTS_BYTES) -> None:
        """Start empty, without an epoch."""
        self._kept = kept
        self._size_max = size
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self.epoch = ""
        self.last = 0

    @property
    def first(self) -> int:
        """The number of the oldest event that is kept; `last + 1` when there is none."""
        return self.last - len(self._events) + 1

    @property
    def size(self) -> int:
        """Bytes of all events kept."""
        return self._bytes

    def begin(self, epoch: str, seq: int) -> None:
        """Start an epoch; the next event is `seq` + 1."""
        self._events.clear()
        self._bytes = 0
        self.epoch = epoch
        self.last = seq

    def add(self, data: bytes) -> None:
        """Keep the event numbered `last` + 1."""
        self.last += 1
        self.keep(data)

    def keep(self, data: bytes) -> None:
        """Keep an event without numbering it: the next newer one of a compacted past."""
        self._events.append(data)
        self._bytes += len(data)
        while len(self._events) > self._kept or self._bytes > self._size_max:
            self._bytes -= len(self._events.popleft())

    def after(self, since: int, limit: int) -> list[bytes]:
        """Return at most `limit` events newer than `since`, oldest first, within `PAGE_BYTES`.

        One event is given even when it is larger than a page.
        """
        start = max(since + 1 - self.first, 0)
        page: list[bytes] = []
        size = 0
        for index in range(start, min(start + limit, len(self._events))):
            data = self._events[index]
            size += len(data)
            if page and size > PAGE_BYTES:
                break
            page.append(data)
        return page

    def all(self) -> list[bytes]:
        """Return every event kept, oldest first."""
        return list(self._events)

"""Input on its way to one terminal: cut into chunks, sent in order, one at a time.

Sans-IO. One command at a time keeps the order even when one of them is refused for now or sent
again; whoever hands data in need not wait, up to `QUEUE_BYTES`. `operations.deliver` drives it.
"""

from collections import deque
from typing import Final

from msgspec import Struct

from lanekeeper.client.errors import LaneError, error_for
from lanekeeper.wire.limits import MAX_CHUNK

QUEUE_BYTES: Final = 16 * 1024 * 1024
"""Bytes that may wait in the client for one terminal."""


class Parcel(Struct, eq=False):
    """One piece of input as the caller gave it; `paste` and `more` as in `terminal.input`."""

    data: bytes
    eof: bool
    paste: bool = False
    more: bool = False
    sent: int = 0
    done: bool = False
    error: LaneError | None = None

    def late(self) -> LaneError:
        """Return the error of a caller who waited for its delivery too long."""
        return error_for(
            "TIMEOUT",
            f"{len(self.data) - self.sent} bytes of input wait for a program that does not read; "
            "wait longer, or end it",
            retryable=True,
            details={"delivered": self.sent},
        )


class Chunk(Struct, frozen=True):
    """What one `terminal.input` carries."""

    parcel: Parcel
    data: bytes
    eof: bool
    more: bool = False


class InputQueue:
    """The input of one terminal that is not yet delivered.

    Attributes:
        running: whether it is being delivered now.
        writer_id: the writer lease it goes under; None for none.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._parcels: deque[Parcel] = deque()
        self.running = False
        self.writer_id: str | None = None

    @property
    def waiting(self) -> int:
        """Bytes not yet delivered."""
        return sum(len(parcel.data) - parcel.sent for parcel in self._parcels)

    def put(
        self, data: bytes, *, eof: bool = False, paste: bool = False, more: bool = False
    ) -> Parcel:
        """Take input.

        Raises:
            LaneError: BACKPRESSURE, when more than `QUEUE_BYTES` would wait.
        """
        if self._parcels and self.waiting + len(data) > QUEUE_BYTES:
            raise error_for(
                "BACKPRESSURE",
                f"{self.waiting} bytes of input wait already; send more when some are delivered",
                retryable=True,
                details={"limit": QUEUE_BYTES},
            )
        parcel = Parcel(data, eof, paste, more)
        self._parcels.append(parcel)
        return parcel

    def next_chunk(self) -> Chunk | None:
        """Return what to send next, or None."""
        if not self._parcels:
            return None
        parcel = self._parcels[0]
        data = parcel.data[parcel.sent : parcel.sent + MAX_CHUNK]
        last = parcel.sent + len(data) == len(parcel.data)
        return Chunk(parcel, data, parcel.eof and last, (parcel.paste and not last) or parcel.more)

    def delivered(self, chunk: Chunk) -> None:
        """Note that a chunk has reached the program's terminal."""
        parcel = chunk.parcel
        parcel.sent += len(chunk.data)
        if parcel.sent == len(parcel.data):
            parcel.done = True
            if self._parcels and self._parcels[0] is parcel:
                self._parcels.popleft()

    def withdraw(self, parcel: Parcel, error: LaneError) -> None:
        """Give up the rest of one parcel."""
        if not parcel.done:
            parcel.done, parcel.error = True, error
            if parcel in self._parcels:
                self._parcels.remove(parcel)

    def fail(self, error: LaneError) -> None:
        """Give up everything that waits."""
        while self._parcels:
            self.withdraw(self._parcels[0], error)

"""Somebody who watches one terminal through the client library and remembers what came.

Owns the collecting of bytes, gaps and the end, with a deadline on every wait. Refuses to wait for
ever. Called by system tests that hold output against what a program must have written.
"""

import time
from types import TracebackType
from typing import Final, Self

from kit.waiting import WaitedTooLongError, remaining
from lanekeeper.client import Data, Ended, ExitStatus, Gap, Item, Resized, Terminal
from lanekeeper.client.starting import Policy

PATIENCE_S: Final = 15.0
_SHOWN: Final = 400


class Observer:
    """One output stream of a terminal; a context manager that gives it back.

    Attributes:
        data: every byte that came, without the gaps.
        gaps: what was lost, in order.
        sizes: the sizes that came in-band.
        end: the end, once it came.
    """

    def __init__(
        self, terminal: Terminal, offset: int | None = 0, *, policy: Policy = "drop"
    ) -> None:
        """Begin to watch from `offset`."""
        self._stream = terminal.output(offset, policy=policy)
        self.data = bytearray()
        self.gaps: list[Gap] = []
        self.sizes: list[Resized] = []
        self.end: Ended | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the stream."""
        self._stream.close()

    def until(self, what: bytes, timeout: float = PATIENCE_S, *, count: int = 1) -> bytes:
        """Watch until `what` has come `count` times; return everything up to now.

        Raises:
            WaitedTooLongError: it does not come in time, or the program ended before.
        """
        deadline = time.monotonic() + timeout
        while self.data.count(what) < count:
            if self.end is not None or not self._more(deadline):
                raise WaitedTooLongError(
                    f"no {what!r} x {count} within {timeout:g} s; last: {self.data[-_SHOWN:]!r}"
                )
        return bytes(self.data)

    def to_size(self, size: int, timeout: float = PATIENCE_S) -> None:
        """Watch until at least `size` bytes have come.

        Raises:
            WaitedTooLongError: they do not come in time.
        """
        deadline = time.monotonic() + timeout
        while len(self.data) < size:
            if not self._more(deadline):
                raise WaitedTooLongError(f"{len(self.data)} bytes of {size} in {timeout:g} s")

    def to_end(self, timeout: float = PATIENCE_S) -> ExitStatus:
        """Watch to the end of the program; return how it ended.

        Raises:
            WaitedTooLongError: it does not end in time.
        """
        deadline = time.monotonic() + timeout
        while self.end is None:
            if not self._more(deadline):
                raise WaitedTooLongError(f"no end within {timeout:g} s: {self.data[-_SHOWN:]!r}")
        return self.end.exit

    def _more(self, deadline: float) -> bool:
        for item in self._stream.poll(remaining(deadline)):
            self._take(item)
        return bool(remaining(deadline))

    def _take(self, item: Item) -> None:
        match item:
            case Data():
                self.data += item.data
            case Gap():
                self.gaps.append(item)
            case Resized():
                self.sizes.append(item)
            case Ended():
                self.end = item

"""Standard output that never blocks: what the reader does not take waits here, bounded.

While a pager holds `lane run ... | less` still, leases must be renewed: so nothing may block in a
write. The descriptor's flags belong to the shell that started us too and stay as they are; a pipe
or a terminal is opened a second time instead. Called by `relay`.
"""

import contextlib
import os
import select
import stat
import time
from pathlib import Path
from typing import Final

HIGH_WATER: Final = 1024 * 1024
"""Bytes that may wait for the reader; beyond it no more output is taken from the lane."""
SAFE_WRITE: Final = 4096
"""Bytes a blocking pipe that polls writable takes without blocking (PIPE_BUF, pipe(7))."""
WRITE: Final = 64 * 1024
CUT_SHORT: Final = b"\x18\x1b\\"
"""CAN and ST: whatever sequence a terminal was in the middle of is over after them."""


class Sink:
    """A descriptor to write to without waiting."""

    def __init__(self, descriptor: int) -> None:
        """Open the descriptor a second time if that makes it non-blocking."""
        self._twin = non_blocking_twin(descriptor)
        self._descriptor = descriptor if self._twin is None else self._twin
        mode = os.fstat(descriptor).st_mode
        self._file = stat.S_ISREG(mode)
        self._tty = os.isatty(descriptor)
        self._size = WRITE if self._file or self._twin is not None else SAFE_WRITE
        self._buffer = bytearray()

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._descriptor

    @property
    def waiting(self) -> int:
        """Bytes that wait for the reader."""
        return len(self._buffer)

    @property
    def full(self) -> bool:
        """Whether no more should be put."""
        return len(self._buffer) >= HIGH_WATER

    def put(self, data: bytes) -> None:
        """Write what the reader takes now; the rest waits.

        Raises:
            OSError: the reader has gone (BrokenPipeError), the disk is full.
        """
        self._buffer += data
        self.flush()

    def flush(self) -> None:
        """Write what the reader takes now; raises as `put` does."""
        while self._buffer and (self._file or self._twin is not None or self._ready(0.0)):
            with memoryview(self._buffer) as view:
                try:
                    count = os.write(self._descriptor, view[: self._size])
                except BlockingIOError:
                    return
            del self._buffer[:count]

    def leave(self, last: bytes, seconds: float) -> None:
        """Write `last` behind what waits; the reader has so many seconds to take it.

        What waits for a terminal is left out instead: nobody wants to look at it any more, but the
        terminal must be put right.

        Raises:
            OSError: as `put` does.
        """
        if self._tty and self._buffer:
            self._buffer[:] = CUT_SHORT
        deadline = time.monotonic() + seconds
        self.put(last)
        while self._buffer and (left := deadline - time.monotonic()) > 0:
            self._ready(left)
            self.flush()

    def close(self) -> None:
        """Close what was opened here."""
        if self._twin is not None:
            os.close(self._twin)
            self._twin = None

    def _ready(self, seconds: float) -> bool:
        """Return whether there is room, or the reader has gone, within so many seconds."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        return bool(poller.poll(seconds * 1000))


def non_blocking_twin(descriptor: int) -> int | None:
    """Return a non-blocking descriptor of the same pipe or terminal.

    None where that is not possible: a socket, a file, a terminal of another user.
    """
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or os.isatty(descriptor)):
        return None
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        return os.open(Path("/proc/self/fd", str(descriptor)), flags)
    return None

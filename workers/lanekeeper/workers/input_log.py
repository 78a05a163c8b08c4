"""The input log of one terminal: accepted bytes in a memfd, and the cursor up to which they left.

Bytes are appended at the head; `move` has the kernel send them from the file's own position, which
it advances by exactly what the terminal took. The position belongs to the open file description:
whoever holds a duplicate of the descriptor goes on at the same byte after a kill -9 at any instant.
Offsets count from 0 for ever; what has left is erased, so a typed password does not stay.

One writer at a time. Called by `terminal_io`.
"""

import mmap
import os
from typing import Final

from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.workers.holes import punch

ERASE_STEP: Final = 256 * 1024
"""Bytes that have left and are erased while others still wait: one system call per step."""


class InputLog:
    """Accepted input and how far it has got.

    Attributes:
        head: the offset after the last accepted byte.
        cursor: the offset after the last byte that has left; in step with the kernel's.
    """

    def __init__(self, fd: int) -> None:
        """Go on where the file says; the descriptor is closed by `close`."""
        self.fd = fd
        self.cursor = os.lseek(fd, 0, os.SEEK_CUR)
        self.head = max(os.fstat(fd).st_size, self.cursor)
        self._erased = 0 if self.head > self.cursor else self.cursor

    @classmethod
    def create(cls, name: str) -> "InputLog":
        """Make an empty log; OSError when descriptors or memory run out."""
        return cls(os.memfd_create(name, os.MFD_CLOEXEC))

    def append(self, data: bytes) -> int:
        """Take bytes at the head and return the offset after them; all of them or OSError."""
        if os.pwrite(self.fd, data, self.head) < len(data):
            raise OSError(f"{len(data)} bytes of input did not fit in memory")
        self.head += len(data)
        return self.head

    def move(self, sink: int) -> int:
        """Send what waits, as far as `sink` takes it now, and return the number of bytes.

        Raises:
            BlockingIOError: it takes none now.
            OSError: nobody reads any more.
        """
        count = os.sendfile(sink, self.fd, None, min(self.head - self.cursor, MAX_CHUNK))
        self.cursor += count
        if self.cursor - self._erased >= ERASE_STEP:
            self._erase()
        return count

    def peek(self) -> bytes:
        """Return everything that waits."""
        return os.pread(self.fd, self.head - self.cursor, self.cursor)

    def cut(self, end: int) -> None:
        """Give up what waits from the offset `end` on."""
        if end < self.head:
            os.ftruncate(self.fd, end)
            self.head = end

    @property
    def clean(self) -> bool:
        """Whether nothing that has left is still in memory."""
        return self._erased == self.cursor

    def wipe(self) -> None:
        """Erase everything when nothing waits. The next append makes the file long enough again."""
        if self.cursor == self.head:
            os.ftruncate(self.fd, 0)
            self._erased = self.cursor

    def close(self) -> None:
        """Forget everything."""
        os.close(self.fd)

    def _erase(self) -> None:
        """Give back whole pages behind the cursor; a page in part would lose what waits in it."""
        if self.cursor == self.head:
            self.wipe()
            return
        start = self._erased - self._erased % mmap.PAGESIZE
        end = self.cursor - self.cursor % mmap.PAGESIZE
        punch(self.fd, start, end)
        self._erased = end

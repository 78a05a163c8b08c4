"""The output log of one terminal: a memfd whose file offset is the stream offset, for ever.

Bytes never pass through this process on their way in: `fill` splices from the PTY master into a
pipe and from the pipe into the memfd, so whoever holds duplicates of the three descriptors can go
on after a kill -9 at any instant without losing or doubling a byte. `i_size` is the head; old pages
are given back by punching holes.

One writer at a time. Readers re-check `tail` after copying, because punched pages read as zeros.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Mapping
from typing import Final

from lanekeeper.keeper import hooks
from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.workers.holes import punch

PIPE_BYTES: Final = 8 * 1024
"""Two reads of a line discipline fit; default pipes exhaust a user's budget at 1,000 lanes."""
PUNCH_STEP: Final = 256 * 1024
"""Pages go back in steps of this size: one system call per step, not per read."""
SHORT: Final = 2048
"""A read this short has emptied the line discipline; asking again would only cost a system call."""
KINDS: Final = ("log", "drain", "fill")
"""The file, and the two ends of the pipe into it."""
_NONBLOCK: Final = 2


class OutputLog:
    """An addressable log with a bounded memory.

    Attributes:
        capacity: bytes that are kept at least, once they were written.
        head: the offset after the last byte.
        tail: the first offset that is still kept, a multiple of the page size.
    """

    def __init__(self, fds: Mapping[str, int], capacity: int) -> None:
        """Go on with a log that nobody else writes to; its descriptors are closed by `close`.

        What the last splice of a dead writer left in the pipe goes into the log first. The head is
        the file's size, the tail the first page that was not given back.

        Raises:
            OSError: memory ran out.
        """
        self.capacity = capacity
        self.fd, self._drain_end, self._fill_end = (fds[kind] for kind in KINDS)
        self.head = os.fstat(self.fd).st_size
        self._drain_rest()
        self.tail = self._first_kept()

    @classmethod
    def create(cls, name: str, capacity: int) -> "OutputLog":
        """Make an empty log; OSError when descriptors or memory run out."""
        fd = os.memfd_create(name, os.MFD_CLOEXEC)
        try:
            drain, fill = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            os.close(fd)
            raise
        fcntl.fcntl(fill, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return cls(dict(zip(KINDS, (fd, drain, fill), strict=True)), capacity)

    @property
    def fds(self) -> dict[str, int]:
        """The descriptors by kind; whoever holds duplicates can go on with the log."""
        return dict(zip(KINDS, (self.fd, self._drain_end, self._fill_end), strict=True))

    def fill(self, source: int, budget: int) -> tuple[int, bool]:
        """Move what the PTY master `source` has into the log, up to about `budget` bytes.

        Returns:
            The number of bytes moved, and whether the source has ended (EIO: the last slave closed,
            which is how Linux says end of file here).
        """
        moved = 0
        while moved < budget:
            try:
                count = os.splice(source, self._fill_end, PIPE_BYTES, flags=_NONBLOCK)
            except BlockingIOError:
                return moved, False
            except OSError as error:
                if error.errno == errno.EINVAL and not moved:
                    return self._copy(source)
                return moved, True
            if count == 0:
                return moved, True
            moved += count
            hooks.at("worker.output.between")
            self._drain(count)
            if count < SHORT:
                break
        return moved, False

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`; what is older than `tail` is never returned."""
        if offset < self.tail or offset >= self.head:
            return b""
        return os.pread(self.fd, min(count, MAX_CHUNK, self.head - offset), offset)

    def retire(self, floor: int | None) -> None:
        """Give back pages beyond the capacity, but nothing at or after `floor`."""
        limit = self.head - self.capacity
        if floor is not None:
            limit = min(limit, floor)
        limit -= limit % mmap.PAGESIZE
        if limit - self.tail < PUNCH_STEP:
            return
        self._punch(limit)

    def close(self) -> None:
        """Forget everything."""
        for fd in (self.fd, self._drain_end, self._fill_end):
            os.close(fd)

    def _copy(self, source: int) -> tuple[int, bool]:
        """Read and write what `source` has, on a kernel that cannot splice from a terminal.

        Weaker: a kill -9 between the two loses these bytes. `lane doctor` says whether it is so.
        """
        try:
            data = os.read(source, MAX_CHUNK)
        except BlockingIOError:
            return 0, False
        except OSError:
            return 0, True
        written = 0
        while written < len(data):
            written += os.pwrite(self.fd, data[written:], self.head + written)
        self.head += written
        return written, not data

    def _drain_rest(self) -> None:
        """Move what a predecessor left in the pipe into the log."""
        while True:
            try:
                moved = os.splice(
                    self._drain_end, self.fd, PIPE_BYTES, offset_dst=self.head, flags=_NONBLOCK
                )
            except BlockingIOError:
                return
            self.head += moved

    def _first_kept(self) -> int:
        try:
            return os.lseek(self.fd, 0, os.SEEK_DATA)
        except OSError as error:  # ENXIO: there is nothing, not even a hole
            if error.errno != errno.ENXIO:
                raise
            return self.head - self.head % mmap.PAGESIZE

    def _drain(self, count: int) -> None:
        while count:
            moved = os.splice(self._drain_end, self.fd, count, offset_dst=self.head)
            self.head += moved
            count -= moved

    def _punch(self, limit: int) -> None:
        # The tail moves first: a reader must never take punched pages for output.
        start, self.tail = self.tail, limit
        hooks.at("worker.output.punch")
        punch(self.fd, start, limit)

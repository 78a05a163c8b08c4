"""The keeper's lock: which process is the keeper of a runtime directory.

Owns one fcntl record lock. An flock would survive in forked children; a record lock goes with
its process, and the kernel names its holder. Refuses a second keeper. Called by the keeper, and by
whoever wants to know its pid.
"""

import contextlib
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

_FLOCK: Final = struct.Struct("hhqqi4x")
"""`struct flock` of 64-bit Linux: type, whence, start, length, pid."""


class LockedError(Exception):
    """Another keeper runs here; `pid` is its process, 0 when it ended meanwhile."""

    def __init__(self, path: Path, pid: int) -> None:
        """Name the holder."""
        super().__init__(
            f"a keeper already runs in {path.parent} (pid {pid}); "
            "see `lane status`, or end it with `lane down`"
        )
        self.pid = pid


def acquire(path: Path) -> int:
    """Take the lock and return its descriptor, which must stay open.

    Closing any other descriptor of the same file in this process would release the lock.

    Raises:
        LockedError: another process holds it.
        OSError: the file cannot be opened.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = _holder(fd)
            os.close(fd)
            raise LockedError(path, pid or 0) from None
        # A keeper that went down meanwhile has removed the file that we opened.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                return fd
        os.close(fd)


def holder(path: Path) -> int | None:
    """Return the pid of the process that holds the lock; None when nobody does.

    Not for the holder itself: it would lose its lock by looking.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _holder(fd)
    finally:
        os.close(fd)


def _holder(fd: int) -> int | None:
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, wanted))
    return None if kind == fcntl.F_UNLCK else int(pid)

"""Waiting for a directory's files to change, with inotify: no waking while nothing happens."""

import ctypes
import os
import select
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lanekeeper.cli.errors import CliError

IN_MODIFY: Final = 0x0002
IN_MOVED: Final = 0x00C0
IN_CREATE: Final = 0x0100
IN_DELETE: Final = 0x0200
_EVENTS: Final = IN_MODIFY | IN_MOVED | IN_CREATE | IN_DELETE
_BUFFER: Final = 64 * 1024


class Watch:
    """Tells when something in a directory was written, made, moved or removed."""

    def __init__(self, directory: Path) -> None:
        """Start to watch.

        Raises:
            CliError: IO, the kernel refuses (too many watches, no directory).
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise _refused(directory)
        if libc.inotify_add_watch(self._fd, os.fsencode(directory), _EVENTS) < 0:
            failure = _refused(directory)
            os.close(self._fd)
            raise failure

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching."""
        os.close(self._fd)

    def wait(self) -> None:
        """Wait until something has changed since the last time."""
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        poller.poll()
        os.read(self._fd, _BUFFER)


def _refused(directory: Path) -> CliError:
    reason = os.strerror(ctypes.get_errno())
    return CliError("IO", f"{directory} cannot be watched: {reason}", hint="leave out --follow")

"""The runtime directory of a plane that runs: watched, and made again when somebody deletes it.

Owns one inotify descriptor, `wanted`, and the lock of a directory that was made anew. Refuses to
poll: a look follows a deletion, and a second one follows what was made. Called by the keeper's
shell.
"""

import ctypes
import json
import logging
import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from lanekeeper.keeper.clock import Clock
from lanekeeper.keeper.lock import LockedError, acquire
from lanekeeper.keeper.loop import Loop
from lanekeeper.keeper.rundir import Rundir, RundirError
from lanekeeper.keeper.status import PlaneInfo

SETTLE: Final = 0.1
"""Seconds from a deletion to the look: a directory is deleted file by file."""

AGAIN: Final = 0.5
"""Seconds until the look whether all of it is there again."""

TRIES_MOST: Final = 8

_LOGGER: Final = logging.getLogger(__name__)
_IN_DELETE: Final = 0x200
_IN_DELETE_SELF: Final = 0x400
_IN_MOVE_SELF: Final = 0x800
_IN_MOVED_FROM: Final = 0x40
_MASK: Final = _IN_DELETE | _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_MOVED_FROM
_EVENTS_BYTES: Final = 64 * 1024


class Premises:
    """One runtime directory, from the keeper's start to its end."""

    def __init__(
        self,
        rundir: Rundir,
        loop: Loop,
        info: PlaneInfo,
        clock: Clock,
    ) -> None:
        """Watch it.

        Raises:
            OSError: the kernel gives no inotify descriptor, or the directory is gone.
        """
        self._rundir, self._loop, self._info = rundir, loop, info
        self._clock = clock
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no inotify descriptor")
        self._look_at = math.inf
        self._tries = 0
        self._locks: list[int] = []
        loop.watch(self._fd, self._on_deleted)
        self._watch()

    @property
    def deadline(self) -> float:
        """When to look."""
        return self._look_at

    def look(self, expected: Callable[[], Iterable[Path]]) -> list[Path]:
        """Make the directory again if it is time to look; return which sockets are missing in it.

        What cannot be made or is not bound is looked at again, a few times.
        """
        now = self._clock.now()
        if now < self._look_at:
            return []
        self._look_at = math.inf
        try:
            self._rundir.create()
            self._watch()
            self._restore()
        except (OSError, RundirError):
            _LOGGER.exception("cannot make the runtime directory again")
            self._again(now)
            return []
        missing = [path for path in expected() if not path.exists()]
        if missing:
            names = ", ".join(path.name for path in missing)
            _LOGGER.warning("the runtime directory was damaged; binding again: %s", names)
            self._again(now)
        return missing

    def forget(self) -> None:
        """Stop watching: the plane goes down and deletes its own files."""
        if self._fd >= 0:
            self._loop.forget(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._look_at = math.inf

    def _again(self, now: float) -> None:
        self._tries += 1
        if self._tries <= TRIES_MOST:
            self._look_at = now + AGAIN

    def _on_deleted(self) -> None:
        os.read(self._fd, _EVENTS_BYTES)
        self._tries = 0
        self._look_at = min(self._look_at, self._clock.now() + SETTLE)

    def _watch(self) -> None:
        """Watch the directories as they are now; a watch that is there is kept."""
        for directory in (self._rundir.path, self._rundir.lanes):
            self._libc.inotify_add_watch(self._fd, os.fsencode(directory), _MASK)

    def _restore(self) -> None:
        if not self._rundir.wanted.exists():
            write_wanted(self._rundir, self._info)
        if self._rundir.lock.exists():
            return
        try:
            # The old lock is on a file that is no more; its descriptor closes with the process.
            self._locks.append(acquire(self._rundir.lock))
        except LockedError:
            _LOGGER.exception("another keeper was faster in the new directory")


def write_wanted(rundir: Rundir, info: PlaneInfo) -> None:
    """Say in `wanted` which plane is wanted here, for the keeper that takes over.

    In one step: a keeper that is killed here leaves either the old file or the new one.

    Raises:
        OSError: it cannot be written.
    """
    written = rundir.wanted.with_suffix(".new")
    written.touch(mode=0o600)
    written.write_text(json.dumps({"plane": info.plane, "started": info.started}), "ascii")
    written.replace(rundir.wanted)


def read_wanted(rundir: Rundir) -> tuple[str, float] | None:
    """Return id and start of the plane that is wanted here; None when nothing readable says so."""
    try:
        known = json.loads(rundir.wanted.read_text("ascii"))
        return str(known["plane"]), float(known["started"])
    except (OSError, ValueError, LookupError, TypeError):
        return None

"""The keeper's eyes on processes: a pidfd for each, and a second look when there was none.

Owns the pidfds from their opening to the end of their processes. Refuses to take a process for dead
because descriptors ran out: it is watched as soon as there is one. Called by the keeper's shell.
"""

import logging
import math
import os
from collections.abc import Callable
from typing import Final

from lanekeeper.keeper import identity
from lanekeeper.keeper.loop import Loop

AGAIN: Final = 0.5
"""Seconds between two attempts to watch a process for which there was no descriptor."""

_LOGGER: Final = logging.getLogger(__name__)


class Watches:
    """All processes that are watched, by pid."""

    def __init__(self, loop: Loop, ended: Callable[[int], None]) -> None:
        """Call `ended` in the loop, once for each, after its process has ended."""
        self._loop = loop
        self._ended = ended
        self._pidfds: dict[int, int] = {}
        self._unseen: dict[int, identity.Process] = {}
        self.deadline = math.inf
        """When to call `again`."""

    def __contains__(self, pid: object) -> bool:
        """Whether a process is watched, or is to be."""
        return pid in self._pidfds or pid in self._unseen

    def add(self, process: identity.Process, now: float) -> bool:
        """Watch a process; return False when it is gone."""
        if process.pid in self._pidfds:
            return True
        try:
            pidfd = process.open_pidfd()
        except OSError as error:
            _LOGGER.warning("cannot watch pid %d yet: %s", process.pid, error.strerror)
            self._unseen[process.pid] = process
            self.deadline = now + AGAIN
            return True
        if pidfd is None:
            return False
        self._pidfds[process.pid] = pidfd
        self._loop.watch(pidfd, lambda: self._over(process.pid))
        return True

    def again(self, now: float) -> None:
        """Try once more, if it is time to; what has ended meanwhile is told."""
        if now < self.deadline:
            return
        self.deadline = math.inf
        unseen, self._unseen = self._unseen, {}
        for process in unseen.values():
            if not self.add(process, now):
                self._ended(process.pid)

    def kill(self, pid: int, number: int) -> None:
        """Send a signal to a process that is watched, if it is ours to signal; to no other."""
        pidfd = self._pidfds.get(pid)
        if pidfd is not None:
            identity.send(pidfd, number)

    def _over(self, pid: int) -> None:
        pidfd = self._pidfds.pop(pid)
        self._loop.forget(pidfd)
        os.close(pidfd)
        self._ended(pid)

"""Programs whose parent the keeper has become, because their nursery died: how they end.

Owns the search among the vaulted pidfds, and the ends that nobody was told yet: a worker that is
being replaced hears of them when its successor is there. Refuses to reap what was not told, and
what was until its pidfd leaves the vault: a worker that dies before it has noted an end leaves that
to its successor, for whom an unreaped program is how it ended. Called by the keeper's shell.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Final

from lanekeeper.keeper.events import Orphaned
from lanekeeper.keeper.exits import reap, waited
from lanekeeper.keeper.identity import start_time

_PEEK: Final = os.WEXITED | os.WNOWAIT | os.WNOHANG


class Parentage:
    """The ends of such programs, from their sight to their word."""

    def __init__(self, pidfds: Callable[[], Iterable[tuple[str, int]]]) -> None:
        """Search these: lane and pidfd of each program that the vault knows."""
        self._pidfds = pidfds
        self._untold: dict[int, Orphaned] = {}
        self._vaulted: dict[int, tuple[str, int]] = {}

    def __contains__(self, pid: object) -> bool:
        """Whether a process has ended and is not to be reaped yet."""
        return pid in self._vaulted

    def look(self) -> None:
        """Find what has ended; after a SIGCHLD."""
        for lane_id, pidfd in self._pidfds():
            try:
                found = waited(os.waitid(os.P_PIDFD, pidfd, _PEEK))
            except ChildProcessError:
                continue  # its nursery lives and is its parent
            if found is None or found.pid in self._vaulted:
                continue
            began = start_time(found.pid, zombies=True)
            if began is None:
                continue  # for want of a descriptor; with the next one that ends
            self._vaulted[found.pid] = (lane_id, pidfd)
            self._untold[found.pid] = Orphaned(
                lane_id, found.pid, began, found.code, found.signal, core=found.core
            )

    def untold(self) -> list[Orphaned]:
        """Return the ends that are to be told; what nobody will ask for again is reaped."""
        if self._vaulted:
            vaulted = set(self._pidfds())
            lanes = {lane_id for lane_id, _ in vaulted}
            for pid, entry in tuple(self._vaulted.items()):
                named = entry in vaulted and _names(entry[1], pid)
                if not named and (pid not in self._untold or entry[0] not in lanes):
                    self._reap(pid)
        return list(self._untold.values())

    def told(self, pid: int) -> None:
        """Note that the worker of a program has been told of its end."""
        self._untold.pop(pid, None)

    def _reap(self, pid: int) -> None:
        del self._vaulted[pid]
        self._untold.pop(pid, None)
        with contextlib.suppress(ChildProcessError):
            reap(pid)


def _names(pidfd: int, pid: int) -> bool:
    """Return whether a pidfd is still that of an ended child: its number may be another's now."""
    try:
        found = waited(os.waitid(os.P_PIDFD, pidfd, _PEEK))
    except ChildProcessError:
        return False
    return found is not None and found.pid == pid

"""Programs whose parent the keeper has become, because their nursery died: how they end.

Owns the search among the vaulted pidfds, and the ends that nobody was told yet: a worker that is
being replaced hears of them when its successor is there. Refuses to reap what was not told. Called
by the keeper's shell.
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

    def __contains__(self, pid: object) -> bool:
        """Whether a process has ended and waits to be told of."""
        return pid in self._untold

    def look(self) -> None:
        """Find what has ended; after a SIGCHLD."""
        for lane_id, pidfd in self._pidfds():
            try:
                found = waited(os.waitid(os.P_PIDFD, pidfd, _PEEK))
            except ChildProcessError:
                continue  # its nursery lives and is its parent
            if found is None or found.pid in self._untold:
                continue
            began = start_time(found.pid, zombies=True) or 0
            self._untold[found.pid] = Orphaned(
                lane_id, found.pid, began, found.code, found.signal, core=found.core
            )

    def untold(self) -> list[Orphaned]:
        """Return the ends that are to be told; those of lanes that are gone are reaped."""
        if self._untold:
            lanes = {lane_id for lane_id, _ in self._pidfds()}
            for one in [one for one in self._untold.values() if one.lane_id not in lanes]:
                self.told(one.pid)
        return list(self._untold.values())

    def told(self, pid: int) -> None:
        """Reap a program of whose end its worker has been told."""
        if self._untold.pop(pid, None) is not None:
            with contextlib.suppress(ChildProcessError):
                reap(pid)

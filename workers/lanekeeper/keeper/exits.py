"""How processes end: peeking at a status before it is reaped, and reaping orphans.

Owns the calls of waitid and the rule that a status is told before it is taken: a reaper killed
between the two loses nothing. Refuses to reap what its caller tracks. Called by the shells of
keeper and nursery, which are both sub-reapers.
"""

import contextlib
import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lanekeeper.keeper.identity import every_stat

SWEEP_DELAY: Final = 1.0
"""Seconds from a SIGCHLD to the search for orphans: most ends are tracked ones, over by then."""

_PR_SET_CHILD_SUBREAPER: Final = 36


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: by a code or by a signal."""

    pid: int
    code: int | None
    signal: int | None
    core: bool


def become_subreaper() -> None:
    """Make orphaned descendants children of the calling process.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the sub-reaper cannot be set: {os.strerror(number)}")


def peek(pid: int) -> Exit | None:
    """Return how a child ended and leave it to be reaped; None while it runs.

    Raises:
        ChildProcessError: it is not our child, or has been reaped.
    """
    return waited(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG))


def reap(pid: int) -> Exit | None:
    """Reap a child that has ended and return how; None while it runs.

    Raises:
        ChildProcessError: it is not our child, or has been reaped.
    """
    return waited(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG))


class Orphans:
    """Reaps children that nobody tracks, some time after a SIGCHLD and never more often."""

    def __init__(self, tracked: Callable[[int], bool]) -> None:
        """Spare every pid for which `tracked` holds."""
        self._tracked = tracked
        self.deadline: float | None = None

    def notice(self, now: float) -> None:
        """Plan a sweep after a SIGCHLD."""
        if self.deadline is None:
            self.deadline = now + SWEEP_DELAY

    def sweep(self, now: float) -> int:
        """Reap, if it is time, what has ended and is not tracked; return how many."""
        if self.deadline is None or now < self.deadline:
            return 0
        self.deadline = None
        count = 0
        with contextlib.suppress(ChildProcessError):
            # waitid shows one ended child, always the same: a tracked one hides those behind it.
            while found := waited(os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)):
                if self._tracked(found.pid):
                    return count + self._search(now)
                reap(found.pid)
                count += 1
        return count

    def _search(self, now: float) -> int:
        own = os.getpid()
        count = 0
        try:
            seen = list(every_stat())
        except OSError:  # no descriptor for /proc: what has ended waits
            self.deadline = now + SWEEP_DELAY
            return 0
        for found in seen:
            if found.ppid == own and found.gone and not self._tracked(found.pid):
                with contextlib.suppress(ChildProcessError):
                    reap(found.pid)
                    count += 1
        return count


def waited(result: os.waitid_result | None) -> Exit | None:
    """Return what a waitid found, in our words."""
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return Exit(result.si_pid, result.si_status, None, core=False)
    return Exit(result.si_pid, None, result.si_status, core=result.si_code == os.CLD_DUMPED)

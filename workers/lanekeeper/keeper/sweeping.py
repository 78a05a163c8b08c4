"""The end of a plane's way down: what terminals left behind is ended, scan after scan.

Owns the pids of the present sweep and its deadline. A sweep is over when all of its pids have
ended; they may have started others, so the next scan follows, until one finds nothing. Sans-IO:
called by `supervisor` alone, with the time.
"""

import math
import signal
from typing import Final

from lanekeeper.keeper.events import Action, Note, Sweep

SWEEP_TIMEOUT: Final = 2.0
"""Seconds between two sweeps, the first with SIGTERM, the others with SIGKILL."""

SWEEPS_MAX: Final = 6
"""Sweeps after which what cannot be killed is left behind, and said so."""


class Sweeping:
    """What is being swept, and with which signal."""

    def __init__(self) -> None:
        """Begin kindly; nothing is swept yet."""
        self._pids: set[int] = set()
        self._count = 0
        self._signal: int = signal.SIGTERM
        self.deadline = math.inf

    @property
    def forced(self) -> bool:
        """Whether there is no kindness left."""
        return self._signal == signal.SIGKILL

    def force(self) -> None:
        """Use SIGKILL from now on."""
        self._signal = signal.SIGKILL

    def scan(self, now: float) -> list[Action]:
        """Look for what is left and signal it."""
        self.deadline = now + SWEEP_TIMEOUT
        return [Sweep(self._signal)]

    def found(self, pids: tuple[int, ...]) -> bool:
        """Note what a scan has signalled; return whether there was anything."""
        self._pids = set(pids)
        return bool(pids)

    def ended(self, pid: int) -> list[Action]:
        """Note the end of a process; scan again when it was the last one of a sweep."""
        if pid not in self._pids:
            return []
        self._pids.discard(pid)
        return [] if self._pids else [Sweep(self._signal)]

    def late(self, now: float) -> list[Action] | None:
        """Kill what outlived a sweep; None when that was done often enough."""
        self._count += 1
        if self._count >= SWEEPS_MAX:
            return None
        self.force()
        return self.scan(now)

    def give_up(self) -> Note:
        """Return the line that says what is left behind."""
        return Note(f"could not end pids {sorted(self._pids)[:20]}", "error")

    def stop(self) -> None:
        """Be over: nothing is due any more."""
        self.deadline = math.inf

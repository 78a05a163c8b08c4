"""A watcher's own time, which stands still while the watcher itself does.

Owns the rule that nobody is late because the one who waits was stopped: a turn that took over two
seconds longer than asked for is taken out of the time. Refuses to guess what happened meanwhile.
Used by the loops of keeper and nursery.
"""

from collections.abc import Callable
from typing import Final

STALL: Final = 2.0
"""Seconds by which a turn may be longer than its wait before it counts as a stop of our own."""


class Clock:
    """Seconds that pass while the loop turns."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Read the machine's clock with `monotonic`."""
        self._monotonic = monotonic
        self._lost = 0.0
        self._turned = monotonic()
        self._allowed = 0.0

    def now(self) -> float:
        """Return our time."""
        return self._monotonic() - self._lost

    def wait(self, seconds: float | None) -> None:
        """Note that a turn begins, with a wait of so many seconds; None for any number."""
        self.check()
        self._allowed = float("inf") if seconds is None else seconds

    def check(self) -> bool:
        """Note that a turn, or the wait in it, is over; return whether it was a stop of ours."""
        before, self._turned = self._turned, self._monotonic()
        excess = self._turned - before - self._allowed
        self._allowed = 0.0
        if excess <= STALL:
            return False
        self._lost += excess
        return True

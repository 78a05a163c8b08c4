"""The thread that reads and types while something is waited for.

Owns its one loop. Refuses to block longer than a few milliseconds: the flood of the lane under test
must be read, or its program stands still. Called by `faults` and `recovery`.
"""

import time
from collections.abc import Callable
from typing import Final

from lanekeeper.client import Plane
from lanekeeper.soak.outcome import Outcome
from lanekeeper.soak.subject import Subject

_LOOK: Final = 0.005


class Reader:
    """The client of the lane under test."""

    def __init__(self, plane: Plane) -> None:
        """Read through this client."""
        self._plane = plane

    def until(
        self,
        subject: Subject,
        done: Callable[[], bool],
        seconds: float,
        outcome: Outcome | None = None,
    ) -> bool:
        """Read and type until `done`, at most `seconds`; return whether it is.

        The longest time without new output is noted in `outcome`.
        """
        deadline = time.monotonic() + seconds
        arrived, offset = time.monotonic(), subject.judge.offset
        while not done():
            now = time.monotonic()
            if now >= deadline or subject.broken:
                return False
            subject.turn()
            if subject.judge.offset > offset:
                offset = subject.judge.offset
                if outcome is not None:
                    outcome.pause = max(outcome.pause, now - arrived)
                arrived = now
            self._plane.wait(timeout=_LOOK)
        return True

    def pause(self, subject: Subject, seconds: float) -> None:
        """Read and type for so long."""
        self.until(subject, lambda: False, seconds)

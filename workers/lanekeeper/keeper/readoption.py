"""How a new keeper gets its plane back: who must come back, who has, and how long it took.

Owns the list of the processes that lived when the keeper began, each until it has connected and
deposited again all that it declared. Refuses to end one that does not: what the vault does not hold
would be lost with it. Sans-IO: called by `supervisor` alone, with the time.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lanekeeper.keeper.events import Found

PATIENCE: Final = 15.0
"""Seconds a process has to come back; then it is reported."""

NAMED_MOST: Final = 5


@dataclass(slots=True)
class Missing:
    """One process that is not back, or not wholly."""

    found: Found
    declared: int | None = None
    """Descriptors that it says it has; None before its hello."""


class Readoption:
    """The way back of a plane under a new keeper."""

    def __init__(self) -> None:
        """Nothing is missed: this keeper is the plane's first."""
        self._missing: dict[int, Missing] = {}
        self._begun = 0.0
        self._reported = False
        self.expected = 0
        self.deadline = math.inf
        self.window: float | None = None
        """Seconds until everything was back; None while something is missing, or for a first."""

    @property
    def under_way(self) -> bool:
        """Whether something is missing and may still come."""
        return bool(self._missing) and not self._reported

    def begin(self, found: Iterable[Found], now: float) -> None:
        """Miss these processes."""
        self._missing = {one.pid: Missing(one) for one in found}
        self.expected = len(self._missing)
        self._begun = now
        self.deadline = now + PATIENCE if self._missing else math.inf

    def knows(self, pid: int, start_time: int) -> bool:
        """Whether this process lived when we began and is not wholly back."""
        missing = self._missing.get(pid)
        return missing is not None and missing.found.start_time == start_time

    def greeted(self, pid: int, declared: int) -> None:
        """Note a hello, with the number of descriptors to come."""
        missing = self._missing.get(pid)
        if missing is not None:
            missing.declared = declared

    def counted(self, pid: int, held: int, now: float) -> bool:
        """Note how much the vault holds of a process; return whether all are back by that."""
        missing = self._missing.get(pid)
        if missing is None or missing.declared is None or held < missing.declared:
            return False
        return self.gone(pid, now)

    def gone(self, pid: int, now: float) -> bool:
        """Miss a process no longer; return whether it was the last."""
        if self._missing.pop(pid, None) is None or self._missing:
            return False
        self.window = now - self._begun
        self.deadline = math.inf
        return True

    def late(self, now: float) -> list[Found]:
        """Return, once, what has not come back in time."""
        if now < self.deadline:
            return []
        self.deadline = math.inf
        self._reported = True
        return [missing.found for missing in self._missing.values()]

    def hurry(self, deadline: float) -> None:
        """Give what is not back this much time at most; none, if it has had its time."""
        if self._missing:
            self.deadline = -math.inf if self._reported else min(self.deadline, deadline)

    def absent(self) -> Iterator[Found]:
        """Yield what has not said a word to this keeper, and lives."""
        for missing in self._missing.values():
            if missing.declared is None:
                yield missing.found

    def reason(self) -> str:
        """Return what is missing, for people; empty when nothing is."""
        if not self._missing:
            return ""
        named = [f"{one.found.role} {one.found.pid}" for one in self._missing.values()]
        more = f" and {len(named) - NAMED_MOST} more" if len(named) > NAMED_MOST else ""
        text = ", ".join(named[:NAMED_MOST]) + more
        if self._reported:
            return f"stuck since the keeper was replaced, and left alone: {text}"
        return f"back under a new keeper: waiting for {text}"

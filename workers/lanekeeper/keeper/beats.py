"""Who gives signs of life, and who hangs: alive, and silent for too long.

Owns the time of the last beat of each process that beats, and whether the vault held all that it
declared by then. Refuses to judge: what becomes of the silent is the supervisor's. Sans-IO: called
by `supervisor` alone, with the time.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

HANG_AFTER: Final = 15.0
"""Seconds without a sign of life that mean a hang."""


@dataclass(slots=True)
class Heart:
    """One process that beats."""

    peer: int
    pid: int
    role: str
    last: float
    declared: int | None = None
    """Descriptors that it said it had, when it came back to a new keeper."""

    whole: bool = False
    """Whether the vault held all that it had declared, at its last beat or later."""

    stuck: bool = False
    """Whether it is known to hang and is left alone."""


class Beats:
    """All of them, by channel."""

    def __init__(self, after: float) -> None:
        """Take a silence of `after` seconds for a hang."""
        self._after = after
        self._hearts: dict[int, Heart] = {}
        self._check_at = math.inf

    def __iter__(self) -> Iterator[Heart]:
        """Yield them, oldest channel first."""
        return iter(self._hearts.values())

    def get(self, peer: int) -> Heart | None:
        """Return what is known of a channel."""
        return self._hearts.get(peer)

    def joined(self, peer: int, pid: int, role: str, now: float) -> Heart:
        """Expect beats from now on."""
        heart = self._hearts[peer] = Heart(peer, pid, role, now)
        self._check_at = min(self._check_at, now + self._after)
        return heart

    def beat(self, peer: int, now: float) -> Heart | None:
        """Note a sign of life; return whose it was."""
        heart = self._hearts.get(peer)
        if heart is not None:
            heart.last = now
            heart.stuck = False
        return heart

    def left(self, peer: int) -> None:
        """Expect nothing any more."""
        self._hearts.pop(peer, None)

    def stalled(self, now: float) -> None:
        """Give everybody the whole time again: it was us who stood still."""
        for heart in self._hearts.values():
            heart.last = now

    @property
    def deadline(self) -> float:
        """When to look: nobody is late before."""
        return self._check_at

    def late(self, now: float, excused: Callable[[Heart], bool]) -> list[Heart]:
        """Return who has become late, each of them once until it beats again.

        Who is `excused` has the whole time again.
        """
        if now < self._check_at:
            return []
        for heart in self._hearts.values():
            if now - heart.last >= self._after and excused(heart):
                heart.last = now
        late = [
            heart
            for heart in self._hearts.values()
            if not heart.stuck and now - heart.last >= self._after
        ]
        for heart in late:
            heart.stuck = True
        # Beats come in between: looking only when the oldest of them would be late wakes seldom.
        due = [heart.last for heart in self._hearts.values() if not heart.stuck]
        self._check_at = min(due, default=math.inf) + self._after
        return late

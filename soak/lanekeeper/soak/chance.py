"""Choices that follow from a seed, the same on every machine and for every version of Python.

Owns a counter hashed with the seed. Refuses to be secret: this is for replaying. Pure; called by
`plan` and by `subject`.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

_WORD: Final = 8
_ALL: Final = 1 << (8 * _WORD)


class Chance:
    """A sequence of choices."""

    def __init__(self, seed: int) -> None:
        """Begin the sequence of a seed."""
        self._seed = seed
        self._count = 0

    def bytes(self, size: int) -> bytes:
        """Return so many bytes."""
        self._count += 1
        return hashlib.shake_128(b"%d %d" % (self._seed, self._count)).digest(size)

    def below(self, end: int) -> int:
        """Return a whole number from 0 up to but not including `end`."""
        return int.from_bytes(self.bytes(_WORD), "big") % end

    def between(self, low: float, high: float) -> float:
        """Return a number between two."""
        return low + (high - low) * self.below(_ALL) / _ALL

    def choice(self, among: Sequence[T]) -> T:
        """Return one of them."""
        return among[self.below(len(among))]

"""How much published output a terminal's slowest registered consumer has not acknowledged.

Owns where the newest messages of a terminal end. Refuses to remember them all: of more than 1,024
messages the older ones are estimated from their bytes. Sans-IO; called where output is published,
and by `flow` and `figures`, which ask.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.workers.consumers import Consumer

KEPT: Final = 1024
"""Messages of one terminal whose ends are known one by one: 8 KiB."""


class Marks:
    """Where the newest messages of one terminal end."""

    __slots__ = ("_begin", "_count", "_ends", "_floor", "_passed")

    def __init__(self, begin: int = 0) -> None:
        """Know nothing of what was published before `begin`."""
        self._begin = begin
        self._ends: array[int] | None = None
        self._count = 0
        self._floor = begin
        self._passed = 0

    def add(self, end: int) -> None:
        """Note a message that ends at `end`, after all before it."""
        ends = self._ends
        if ends is None:
            ends = self._ends = array("q", bytes(8 * KEPT))
        place = self._count % KEPT
        if self._count >= KEPT:
            self._begin = ends[place]
        ends[place] = end
        self._count += 1

    def after(self, offset: int) -> int:
        """Return how many messages end after `offset`; mostly it is asked for rising offsets."""
        ends, count = self._ends, self._count
        before = -(-max(0, self._begin - offset) // MAX_CHUNK)
        if ends is None:
            return before
        if offset < self._floor:
            self._passed = 0
        passed = max(self._passed, count - KEPT)
        while passed < count and ends[passed % KEPT] <= offset:
            passed += 1
        self._floor, self._passed = offset, passed
        return before + count - passed


@dataclass(frozen=True, slots=True)
class Depth:
    """A backlog, and the consumer that has it; without one, what is not yet published."""

    chunks: int
    bytes: int
    consumer: Consumer | None


def slowest(consumers: Iterable[Consumer]) -> Consumer | None:
    """Return the consumer that has acknowledged least, None without any."""
    return min(consumers, key=_acknowledged, default=None)


def depth(marks: Marks, published: int, extent: tuple[int, int], last: Consumer | None) -> Depth:
    """Return the backlog of a terminal whose log extends over `extent`: tail and head.

    `published` is the cursor, and `last` the slowest registered consumer. What the log no longer
    has is no backlog: nobody can be given it.
    """
    tail, head = extent
    if last is None:
        left = max(0, head - published)
        return Depth(-(-left // MAX_CHUNK), left, None)
    start = min(max(last.offset, tail), published)
    return Depth(marks.after(start), published - start, last)


def _acknowledged(consumer: Consumer) -> int:
    return consumer.offset

"""How much published output a terminal's slowest registered consumer has not acknowledged.

Owns where the newest messages of a terminal end. Refuses to remember them all: of more than 1,024
messages the older ones are estimated from their bytes, whenever somebody asks. Sans-IO; told where
output is published; `flow` asks while there is output, ten times a second, and `figures`.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.workers.consumers import Consumer

KEPT: Final = 1024
"""Messages of one terminal whose ends are known one by one: 8 KiB."""


class Marks:
    """Where the newest messages of one terminal end.

    Attributes:
        add: notes a message that ends at an offset, after all before it.
    """

    __slots__ = ("_begin", "_ends", "add")

    def __init__(self, begin: int = 0) -> None:
        """Know nothing of what was published before `begin`."""
        self._begin = begin
        self._ends = array("q")
        # Called for every message: nothing is cheaper.
        self.add: Callable[[int], None] = self._ends.append

    def after(self, offset: int) -> int:
        """Return how many messages end after `offset`; what is beyond the bound is forgotten."""
        ends = self._ends
        surplus = len(ends) - KEPT
        if surplus > 0:
            self._begin = ends[surplus - 1]
            del ends[:surplus]
        before = -(-max(0, self._begin - offset) // MAX_CHUNK)
        return before + len(ends) - bisect_right(ends, offset)


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
        marks.after(published)  # or it would remember every message until somebody registers
        left = max(0, head - published)
        return Depth(-(-left // MAX_CHUNK), left, None)
    start = min(max(last.offset, tail), published)
    return Depth(marks.after(start), published - start, last)


def _acknowledged(consumer: Consumer) -> int:
    return consumer.offset

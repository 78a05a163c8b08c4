"""Deadlines of commands and lanes: a heap in which what was cleared is skipped.

Setting and clearing cost no search; stale entries are swept when they outnumber the live ones, so
that a flood of quick commands with long deadlines stays bounded. Sans-IO: time is an argument.
"""

import heapq
from enum import StrEnum
from typing import Final, NamedTuple

_SLACK: Final = 1024
"""Stale entries tolerated before a sweep."""


class Due(StrEnum):
    """What a deadline is about."""

    COMMAND = "command"
    CREATE = "create"
    DYING = "dying"
    SWEEP = "sweep"
    RETURN = "return"
    LOOK = "look"
    WATCH = "watch"
    DIAGNOSIS = "diagnosis"


class Key(NamedTuple):
    """Whose deadline it is; `command_id` is empty for a lane's own."""

    due: Due
    lane_id: str
    command_id: str = ""


class Deadlines:
    """At most one deadline per key."""

    def __init__(self) -> None:
        """Start with none."""
        self._heap: list[tuple[float, Key]] = []
        self._live: dict[Key, float] = {}

    def __len__(self) -> int:
        """Return how many are set."""
        return len(self._live)

    def set(self, key: Key, when: float) -> None:
        """Set or move the deadline of `key`; `when` is on the monotonic clock."""
        self._live[key] = when
        heapq.heappush(self._heap, (when, key))
        if len(self._heap) > 2 * len(self._live) + _SLACK:
            self._heap = [(at, live) for live, at in self._live.items()]
            heapq.heapify(self._heap)

    def clear(self, key: Key) -> None:
        """Forget the deadline of `key`, if there is one."""
        self._live.pop(key, None)

    def next(self) -> float | None:
        """Return the earliest deadline."""
        while self._heap:
            when, key = self._heap[0]
            if self._live.get(key) == when:
                return when
            heapq.heappop(self._heap)
        return None

    def take(self, now: float) -> Key | None:
        """Remove and return what is due first; None when nothing is."""
        when = self.next()
        if when is None or when > now:
            return None
        key = heapq.heappop(self._heap)[1]
        del self._live[key]
        return key

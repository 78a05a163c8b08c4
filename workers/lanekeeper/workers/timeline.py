"""When a terminal's output came: offsets with times, coarser the longer ago.

Bounded: when it is full, every second entry of the older half goes. It is replayed from the
journal like all state. Called by the state and by `recording_commands`.
"""

from array import array
from bisect import bisect_right
from typing import Final

ENTRIES_MAX: Final = 4096
"""Entries of one terminal, of 16 bytes each."""
STEP_NS: Final = 20_000_000
"""Output that comes within this time after an entry belongs to it."""

SECOND_NS: Final = 1_000_000_000


class Timeline:
    """Entries of one terminal: from `offset` on, output came at `time_ns` (wall clock)."""

    def __init__(self) -> None:
        """Start with no output."""
        self._offsets = array("Q")
        self._times = array("Q")

    def add(self, samples: list[tuple[int, int]]) -> None:
        """Append entries; one that is not after the last in the output is dropped."""
        for offset, time_ns in samples:
            if self._offsets and offset <= self._offsets[-1]:
                continue
            self._offsets.append(offset)
            self._times.append(max(time_ns, self._times[-1] if self._times else 0))
        if len(self._offsets) > ENTRIES_MAX:
            self._thin()

    @property
    def newest(self) -> int:
        """The time of the last entry, 0 without one."""
        return self._times[-1] if self._times else 0

    def samples(self) -> list[tuple[int, int]]:
        """Return all entries."""
        return list(zip(self._offsets, self._times, strict=True))

    def page(self, offset: int, count: int) -> tuple[list[tuple[int, int]], bool]:
        """Return `count` entries from that which holds for `offset` on, and whether more follow."""
        first = max(0, bisect_right(self._offsets, offset) - 1)
        last = first + count
        entries = zip(self._offsets[first:last], self._times[first:last], strict=True)
        return list(entries), last < len(self._offsets)

    def forget(self, tail: int) -> None:
        """Drop what is older than the log."""
        first = max(0, bisect_right(self._offsets, tail) - 1)
        if first:
            del self._offsets[:first], self._times[:first]

    def _thin(self) -> None:
        half = len(self._offsets) // 2
        for entries in (self._offsets, self._times):
            entries[:half] = entries[:half:2]


class Sampler:
    """Decides when output gets an entry, and with which time.

    It is the wall clock's, but never goes back nor stands still: after the clock was set back, it
    goes on as the monotonic clock does, until the wall clock has caught up.
    """

    def __init__(self) -> None:
        """Start without an entry."""
        self._time_ns = 0
        self._at = 0.0

    def go_on(self, time_ns: int, now: float) -> None:
        """Begin after the last entry of another worker; `now` is the monotonic clock's."""
        self._time_ns, self._at = time_ns, now

    def take(self, now: float, time_ns: int) -> int | None:
        """Return the time of an entry for output of this moment; None when it needs none."""
        time_ns = max(time_ns, self._time_ns + int((now - self._at) * SECOND_NS))
        if time_ns - self._time_ns < STEP_NS:
            return None
        self._time_ns, self._at = time_ns, now
        return time_ns

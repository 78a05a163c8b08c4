"""Processor time of lanes between two looks, with that of children that came and went meanwhile.

What a process has used is its own time and that of the children it has reaped, whose time passes to
it the moment they are gone: over a lane it is neither lost nor counted twice. Refuses to guess what
was used by whom before it was noticed. Sans-IO. Called by `usage`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

Key = tuple[int, int]
"""Pid and start time."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process and the children it has reaped have used, in seconds, for which lane."""

    lane_id: str
    parent: int
    seconds: float


class Spending:
    """The members of all lanes, as the last look and the one under way have found them."""

    def __init__(self) -> None:
        """Start with no look."""
        self._before: dict[Key, Spent] = {}
        self._now: dict[Key, Spent] = {}
        self._grown: dict[str, float] = {}

    def note(self, key: Key, spent: Spent, *, fresh: bool) -> None:
        """Take in a member of a lane; `fresh` says that it was not there at the last look."""
        self._now[key] = spent
        unseen = 0.0 if fresh else spent.seconds
        before = self._before.get(key)
        self._grow(spent.lane_id, spent.seconds - (unseen if before is None else before.seconds))

    def end(self) -> dict[str, float]:
        """End the look and return the seconds that each lane has used since the one before."""
        pids = {key[0]: key for key in self._before}
        for key, spent in self._before.items():
            if key not in self._now and any(one in self._now for one in self._above(spent, pids)):
                self._grow(spent.lane_id, -spent.seconds)
        grown = {lane_id: max(seconds, 0.0) for lane_id, seconds in self._grown.items()}
        self._before, self._now, self._grown = self._now, {}, {}
        return grown

    def _above(self, spent: Spent, pids: dict[int, Key]) -> Iterator[Key]:
        """Yield those of the lane that a process's time passes to, from its parent upwards."""
        for _ in range(len(pids)):
            key = pids.get(spent.parent)
            if key is None or self._before[key].lane_id != spent.lane_id:
                return
            yield key
            spent = self._before[key]

    def _grow(self, lane_id: str, seconds: float) -> None:
        self._grown[lane_id] = self._grown.get(lane_id, 0.0) + seconds

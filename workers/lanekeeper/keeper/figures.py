"""What the keeper measures: deaths, recoveries, crash loops, the way back of a plane.

Owns cumulative counts and histograms of this keeper alone, in the form in which the broker passes
them on to the collector. Refuses to know what a sample is: the standard library is all there is
here. Sans-IO: written by the parts of the supervisor, read by `bulletin`.
"""

import math
from bisect import bisect_left
from collections import Counter, deque
from typing import Any, Final

from lanekeeper.keeper.events import KEEPER

BOUNDS: Final = (0.005, 0.01, 0.025, 0.035, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0, 15.0)
"""Upper bounds of the buckets of a recovery, as the table of metrics has them (seconds)."""

LAG_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.03, 0.06, 0.15, 0.5, 2.0, 5.0)
"""Those of a loop's lag."""

LAG_TOLD: Final = 0.15
"""A lag below this is counted, and is no news by itself."""

RECENT_MAX: Final = 64
"""Observations that are shown one by one."""

_P: Final = "lanekeeper_"
_Labels = tuple[str, ...]


class Spread:
    """One histogram: how many per bucket, their sum, and the newest of them."""

    def __init__(self, bounds: tuple[float, ...] = BOUNDS) -> None:
        """Start with none."""
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.recent: deque[float] = deque(maxlen=RECENT_MAX)

    def observe(self, seconds: float) -> None:
        """Note one observation."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.sum += seconds
        self.recent.append(seconds)


class Figures:
    """Counts of one keeper.

    Attributes:
        observed: how many observations all histograms have.
        crash_loops: lanes that were given up because their workers died too often.
        failed_forks: times the nursery could not fork a worker.
    """

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.observed = 0
        self.crash_loops = 0
        self.failed_forks = 0
        self._restarts: Counter[_Labels] = Counter()
        self._spreads: dict[tuple[str, _Labels], Spread] = {}
        self._died: dict[str, float] = {}
        self._hung: set[int] = set()

    def hung(self, pid: int) -> None:
        """Note that a process is about to be ended because it hangs."""
        self._hung.add(pid)

    def replaced(
        self, role: str, pid: int, code: int | None, number: int | None, *, asked: bool
    ) -> None:
        """Count a process that ended and is followed by another, by why it ended."""
        hung = pid in self._hung
        self._hung.discard(pid)
        if asked:
            reason = "asked"
        elif hung:
            reason = "hang"
        elif number is not None:
            reason = "signal"
        else:
            reason = "unknown" if code is None else "exit"
        self._restarts[role, reason] += 1

    def took_over(self, *, asked: bool) -> None:
        """Count the keeper before this one; nobody knows how one ended that was not to."""
        self._restarts[KEEPER, "asked" if asked else "unknown"] += 1

    def died(self, who: str, now: float) -> None:
        """Note a death, by role or lane; from the first one on until somebody serves again."""
        self._died.setdefault(who, now)

    def serves(self, who: str, role: str, now: float) -> None:
        """Note that somebody serves; that ends a recovery, if there is one."""
        since = self._died.pop(who, None)
        if since is not None:
            self._observe("recovery_seconds", now - since, role)

    def forget(self, who: str) -> None:
        """Note that nobody is to serve there any more."""
        self._died.pop(who, None)

    @property
    def recovering(self) -> bool:
        """Whether anybody is awaited."""
        return bool(self._died)

    def redeposited(self, seconds: float) -> None:
        """Note how long it took until all had deposited again with this keeper."""
        self._observe("keeper_redeposit_seconds", seconds)

    def lag(self, role: str, seconds: object) -> None:
        """Note by how much a loop came late to its heartbeat; what is no time is nothing."""
        if isinstance(seconds, float) and 0 <= seconds < math.inf:
            key = ("loop_lag_seconds", (role,))
            self._spreads.setdefault(key, Spread(LAG_BOUNDS)).observe(seconds)
            self.observed += seconds >= LAG_TOLD

    def values(self) -> list[list[Any]]:
        """Return name, labels and value of everything that is counted."""
        restarts = [
            [_P + "process_restarts_total", list(labels), count]
            for labels, count in self._restarts.items()
        ]
        failed = [[_P + "incidents_total", ["fork.failed"], self.failed_forks]]
        loops = [_P + "crash_loops_total", [], self.crash_loops]
        return [loops, *restarts, *(failed if self.failed_forks else [])]

    def spreads(self) -> list[list[Any]]:
        """Return name, labels, counts, sum and newest observations of every histogram."""
        return [
            [_P + name, list(labels), list(each.counts), each.sum, list(each.recent)]
            for (name, labels), each in self._spreads.items()
        ]

    def shown(self) -> None:
        """Note that the newest observations have been shown."""
        for each in self._spreads.values():
            each.recent.clear()

    def _observe(self, name: str, seconds: float, *labels: str) -> None:
        self.observed += 1
        self._spreads.setdefault((name, labels), Spread()).observe(seconds)

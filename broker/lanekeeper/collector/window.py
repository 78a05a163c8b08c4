"""Windows: what was observed in the last ten minutes, in bounded memory.

A window is cut into slots; the oldest goes when a new one begins. Observations are kept in bins
whose bounds grow by 2 %, so a percentile of those that were shown one by one is at most 1 % off,
and minimum, maximum and the latest are as they were shown. Of others the bucket alone is known:
see `weighed`. The count is exact. Sans-IO: time is an argument. Called by `model` and `findings`.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil, log
from typing import Final

WINDOW_SECONDS: Final = 600.0
"""What findings go back to."""

SLOT_SECONDS: Final = 60.0
_SLOTS: Final = int(WINDOW_SECONDS / SLOT_SECONDS)
_GROWTH: Final = 1.02
_LOG: Final = log(_GROWTH)
_MIDDLE: Final = 2 / (1 + _GROWTH)
"""From a bin's upper bound to the value that is nowhere in it more than 1 % off."""
_LEAST: Final = 1e-6
_NONE: Final = -(10**6)
"""The bin of what is below a microsecond, a byte or a chunk."""


Weighed = tuple[float, float]
"""A value, and how many observations it stands for."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a window that has seen something."""

    count: int
    min: float
    p50: float
    p95: float
    p99: float
    max: float
    latest: float


@dataclass(slots=True)
class _Slot:
    number: int
    count: float = 0.0
    min: float = 0.0
    max: float = 0.0
    bins: dict[int, float] = field(default_factory=dict)


class Window:
    """Observations of one kind."""

    def __init__(self) -> None:
        """Start empty."""
        self._slots: deque[_Slot] = deque(maxlen=_SLOTS)
        self._latest = 0.0

    def add(self, observed: Sequence[Weighed], now: float) -> None:
        """Take in observations, the latest one last."""
        if not observed:
            return
        slot = self._slot(now)
        low, high = min(observed)[0], max(observed)[0]
        slot.min = min(slot.min, low) if slot.count else low
        slot.max = max(slot.max, high)
        for value, weight in observed:
            where = _bin(value)
            slot.bins[where] = slot.bins.get(where, 0.0) + weight
            slot.count += weight
        self._latest = observed[-1][0]

    def summary(self, now: float) -> Summary | None:
        """Return the figures, or None when nothing was observed in the window."""
        slots = [one for one in self._slots if one.number > int(now / SLOT_SECONDS) - _SLOTS]
        if not slots:
            return None
        bins: dict[int, float] = {}
        for slot in slots:
            for where, weight in slot.bins.items():
                bins[where] = bins.get(where, 0.0) + weight
        order = sorted(bins)
        sums = list(accumulate(bins[where] for where in order))
        least, most = min(one.min for one in slots), max(one.max for one in slots)

        def quantile(share: float) -> float:
            at = min(bisect_left(sums, share * sums[-1]), len(order) - 1)
            return min(max(_value(order[at]), least), most)

        return Summary(
            count=round(sum(one.count for one in slots)),
            min=least,
            p50=quantile(0.5),
            p95=quantile(0.95),
            p99=quantile(0.99),
            max=most,
            latest=self._latest,
        )

    def _slot(self, now: float) -> _Slot:
        number = int(now / SLOT_SECONDS)
        if not self._slots or self._slots[-1].number < number:
            self._slots.append(_Slot(number))
        return self._slots[-1]


class Tally:
    """How much something has grown within the window."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._slots: deque[tuple[int, float]] = deque(maxlen=_SLOTS)

    def add(self, amount: float, now: float) -> None:
        """Take in growth."""
        number = int(now / SLOT_SECONDS)
        if self._slots and self._slots[-1][0] >= number:
            last, before = self._slots.pop()
            self._slots.append((last, before + amount))
        else:
            self._slots.append((number, amount))

    def total(self, now: float) -> float:
        """Return the growth within the window."""
        first = int(now / SLOT_SECONDS) - _SLOTS + 1
        return sum(amount for number, amount in self._slots if number >= first)


def weighed(bounds: Sequence[float], grown: Sequence[int], shown: Sequence[float]) -> list[Weighed]:
    """Return what is known of the observations by which a histogram has grown.

    Those that are shown stand for all of their bucket. One of which none is shown has its upper
    bound for all of them, the last its lower one.
    """
    buckets = [bisect_left(bounds, value) for value in shown]
    numbers = Counter(buckets)
    unseen = [
        (bounds[min(bucket, len(bounds) - 1)], float(count))
        for bucket, count in enumerate(grown)
        if count and bucket not in numbers
    ]
    seen = [
        (value, grown[bucket] / numbers[bucket])
        for value, bucket in zip(shown, buckets, strict=True)
        if grown[bucket]
    ]
    return [*unseen, *seen]


def _bin(value: float) -> int:
    return _NONE if value < _LEAST else ceil(log(value) / _LOG)


def _value(where: int) -> float:
    return 0.0 if where == _NONE else float(_GROWTH**where) * _MIDDLE

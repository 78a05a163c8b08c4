"""The meter: what one process measures, and when it pushes that to the collector.

Counts, gauges and histograms of the table in `metrics`, of one process. Refuses names that are not
in the table. Sans-IO: the process owns the socket and the clock. Called by broker and workers;
cheap enough for a hot path, though what is counted there already is better `put` once per sample.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from typing import Final

from lanekeeper.wire.metrics import METRICS
from lanekeeper.wire.sample import (
    RECENT_MAX,
    SAMPLE_SECONDS,
    SAMPLE_VERSION,
    LaneLoad,
    Sample,
    Spread,
    Value,
    encode_sample,
)

FIRST_WITHIN: Final = 1.0
"""Seconds within which the first sample, or one that is wanted again, is pushed."""

LAG_TOLD: Final = 0.15
"""A loop that is later than this is worth a sample of its own (seconds)."""

_Key = tuple[str, tuple[str, ...]]


class _Histogram:
    """Buckets, sum and newest observations of one series."""

    __slots__ = ("bounds", "counts", "meter", "recent", "sum")

    def __init__(self, meter: "Meter", bounds: tuple[float, ...]) -> None:
        self.meter = meter
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.recent: deque[float] = deque(maxlen=RECENT_MAX)

    def observe(self, value: float) -> None:
        self.note(value)
        self.meter.changed = True

    def note(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
        self.recent.append(value)


class Meter:
    """What one process measures.

    A sample is due when something has changed since the last one, at most every 5 s. Processes
    that start together are apart by their pid.

    Attributes:
        changed: whether there is anything to push.
    """

    def __init__(self, role: str, pid: int, start_time: int, now: float) -> None:
        """Measure a process; pid and start time make its incarnation."""
        self._role = role
        self._pid = pid
        self._start_time = start_time
        self._values: dict[_Key, float] = {}
        self._histograms: dict[_Key, _Histogram] = {}
        self.changed = True
        self._apart = FIRST_WITHIN * (pid % 64) / 64
        self._due = now + self._apart

    @property
    def slot(self) -> float:
        """The earliest monotonic time of the next sample, whether or not there is a change."""
        return self._due

    def add(self, name: str, amount: float = 1.0, *labels: str) -> None:
        """Raise a counter."""
        key = (name, labels)
        self.put(name, self._values.get(key, 0.0) + amount, *labels)

    def put(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge, or a counter whose total is kept elsewhere.

        Raises:
            KeyError: there is no such metric.
        """
        key = (name, labels)
        if self._values.get(key) == value:
            return
        if key not in self._values:
            METRICS[name]
        self._values[key] = value
        self.changed = True

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Note one observation of a histogram.

        Raises:
            KeyError: there is no such metric.
        """
        self._histogram(name, labels).observe(value)

    def spread(self, name: str, *labels: str) -> Callable[[float], None]:
        """Return what takes the observations of one histogram, for where there are many.

        Raises:
            KeyError: there is no such metric.
        """
        return self._histogram(name, labels).observe

    def note(self, name: str, value: float, *labels: str) -> None:
        """Note one observation for the next sample, without having one pushed for it.

        Raises:
            KeyError: there is no such metric.
        """
        self._histogram(name, labels).note(value)

    def again(self, now: float) -> None:
        """Have everything pushed within a second: a collector has begun that knows nothing."""
        self.changed = True
        self._due = now + self._apart

    def due(self) -> float | None:
        """Return the monotonic time at which a sample is to be pushed; None without a change."""
        return self._due if self.changed else None

    def take(self, now: float, lane: LaneLoad | None = None, *, last: bool = False) -> bytes | None:
        """Return the sample to push now, or None; the `last` one is due at once.

        It stays due after a pause until `sent` says that it has been taken.
        """
        if not last and (not self.changed or now < self._due):
            return None
        self._due = now + SAMPLE_SECONDS
        values = [
            Value(name, list(labels), value) for (name, labels), value in self._values.items()
        ]
        spreads = [
            Spread(name, list(labels), list(each.counts), each.sum, list(each.recent))
            for (name, labels), each in self._histograms.items()
            if any(each.counts)
        ]
        return encode_sample(
            Sample(
                v=SAMPLE_VERSION,
                role=self._role,
                pid=self._pid,
                start_time=self._start_time,
                values=values,
                spreads=spreads,
                lane=lane,
                last=last,
            )
        )

    def sent(self) -> None:
        """Note that the sample just taken is on its way: what it showed is not shown again."""
        self.changed = False
        for each in self._histograms.values():
            each.recent.clear()

    def _histogram(self, name: str, labels: tuple[str, ...]) -> _Histogram:
        key = (name, labels)
        histogram = self._histograms.get(key)
        if histogram is None:
            histogram = self._histograms[key] = _Histogram(self, METRICS[name].buckets)
        return histogram

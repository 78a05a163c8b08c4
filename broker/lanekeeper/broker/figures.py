"""The broker's figures: gathered from the desk, and made into samples for the collector.

Owns the meter and when a sample is due. Refuses to count over all lanes while nothing has changed.
Sans-IO; the server pushes what `take` returns.
"""

from typing import Final

from lanekeeper.broker.desk import Desk
from lanekeeper.keeper.identity import Process
from lanekeeper.wire.meter import Meter

ROLE: Final = "broker"
_P: Final = "lanekeeper_"
_NOT_INCIDENTS: Final = frozenset({"commands", "commands.forwarded", "samples.dropped"})


class Figures:
    """What the broker measures."""

    def __init__(self, me: Process, desk: Desk, now: float) -> None:
        """Measure the broker whose desk this is."""
        self._meter = Meter(ROLE, me.pid, me.start_time, now)
        self._desk = desk
        self._touched = True

    def touch(self) -> None:
        """Note that something may have changed."""
        self._touched = True

    def due(self) -> float | None:
        """Return when `take` is to be called (monotonic seconds); None while nothing happened."""
        return self._meter.slot if self._touched else None

    def again(self, now: float) -> None:
        """Have everything pushed within a second: a collector has begun."""
        self._meter.again(now)
        self._touched = True

    def take(self, now: float, *, last: bool = False) -> bytes | None:
        """Return the sample to push now, or None; the `last` one is due at once."""
        if not last and (not self._touched or now < self._meter.slot):
            return None
        self._touched = False
        self._gather()
        return self._meter.take(now, last=last)

    def _gather(self) -> None:
        desk, put = self._desk, self._meter.put
        put(_P + "samples_dropped_total", desk.counters["samples.dropped"])
        for reason, count in desk.counters.items():
            if reason not in _NOT_INCIDENTS:
                put(_P + "incidents_total", count, reason)

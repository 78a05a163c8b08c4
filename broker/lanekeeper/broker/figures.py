"""The broker's figures: gathered from the desk, and made into samples for the collector.

Owns the meter, when a sample is due, and the keeper's figures, which are passed on. Refuses to
count over all lanes while nothing has changed. Sans-IO; the server pushes what `take`, `hear` and
`again` return.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lanekeeper.broker.desk import Desk
from lanekeeper.keeper.identity import Process
from lanekeeper.wire.meter import LAG_TOLD, Meter
from lanekeeper.wire.sample import SAMPLE_VERSION, Sample, encode_sample

ROLE: Final = "broker"
_P: Final = "lanekeeper_"
_NOT_INCIDENTS: Final = frozenset({"commands", "commands.forwarded", "samples.dropped"})
_KEEPER_AWAY: Final = "keeper.away"
_LANES_AWAY: Final = "lanes.away"


class Figures:
    """What the broker measures."""

    def __init__(self, me: Process, desk: Desk, now: float) -> None:
        """Measure the broker whose desk this is."""
        self._meter = Meter(ROLE, me.pid, me.start_time, now)
        self._desk = desk
        self._touched = True
        self._owed = False
        # Events before this process began are counted by the broker that published them.
        self._first = desk.state.history.last
        self._counted: tuple[int, int] | None = None
        self._states: set[tuple[str, str]] = set()
        self._reasons: set[str] = set()
        self.keeper = KeeperFigures()

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

    def timed(self, now: float) -> None:
        """Observe how long that took which is done now."""
        self._desk.timings.take(now, self._meter.observe)

    def lag(self, seconds: float) -> None:
        """Note how late the loop came to its beat; only much of it is worth a sample.

        One that was not taken is pushed again now: the beat has the process awake.
        """
        self._touched = self._touched or self._owed
        if seconds < LAG_TOLD:
            self._meter.note(_P + "loop_lag_seconds", seconds)
        else:
            self._meter.observe(_P + "loop_lag_seconds", seconds)
            self._touched = True

    def take(self, now: float, *, last: bool = False) -> bytes | None:
        """Return the sample to push now, or None; the `last` one is due at once.

        `pushed` is to say what became of it.
        """
        if not last and (not self._touched or now < self._meter.slot):
            return None
        self._touched = False
        self._gather()
        return self._meter.take(now, last=last)

    def pushed(self, *, sent: bool) -> None:
        """Note whether the sample just taken is on its way."""
        self._owed = not sent
        if sent:
            self._meter.sent()

    def _gather(self) -> None:
        desk, put = self._desk, self._meter.put
        history = desk.state.history
        put(_P + "samples_dropped_total", desk.counters["samples.dropped"])
        put(_P + "events_total", history.last - self._first)
        for reason, count in desk.counters.items():
            if reason not in _NOT_INCIDENTS:
                put(_P + "incidents_total", count, reason)
        changed = (history.last, desk.registered)
        if changed != self._counted:
            self._counted = changed
            self._count()
        put(_P + "log_budget_bytes", desk.budget.limit)
        self._degraded()

    def _count(self) -> None:
        """Count over all lanes and terminals: only after an event or a registration."""
        registry, counts = self._desk.registry, Counter[tuple[str, str]]()
        sessions = 0
        for entry in registry.lanes.values():
            counts["lanes", str(entry.info.status)] += 1
            sessions += len(entry.live_sessions())
            for terminal in entry.terminals.values():
                counts["terminals", terminal.state] += 1
        reserved = self._desk.budget.used(registry.terminals())
        self._states |= counts.keys()
        for name, state in self._states:
            self._meter.put(_P + name, counts[name, state], state)
        self._meter.put(_P + "sessions", sessions)
        self._meter.put(_P + "log_reserved_bytes", reserved)

    def _degraded(self) -> None:
        reasons = set(self.keeper.degraded) if self._desk.keeper else {_KEEPER_AWAY}
        reasons |= {_LANES_AWAY} if self._desk.expected else set()
        self._reasons |= reasons
        for reason in self._reasons:
            self._meter.put(_P + "degraded", float(reason in reasons), reason)


class _Told(msgspec.Struct):
    """What the keeper says of itself; `figures` is a sample but for who it is of."""

    pid: int
    start_time: int
    values: list[Any] = []
    spreads: list[Any] = []
    degraded: list[str] = []


class KeeperFigures:
    """The newest figures of the keeper, as a sample of its own."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._newest: Sample | None = None
        self.degraded: list[str] = []

    def hear(self, message: Mapping[str, Any]) -> list[bytes]:
        """Take in what the keeper says, and return what to push.

        Raises:
            msgspec.ValidationError: it is no sample.
        """
        told = msgspec.convert(message, _Told)
        sample = {
            "v": SAMPLE_VERSION,
            "role": "keeper",
            "pid": told.pid,
            "start_time": told.start_time,
            "values": told.values,
            "spreads": told.spreads,
        }
        self._newest = msgspec.convert(sample, Sample)
        self.degraded = told.degraded
        return self.again()

    def again(self) -> list[bytes]:
        """Return everything to push to a collector that knows nothing."""
        return [] if self._newest is None else [encode_sample(self._newest)]

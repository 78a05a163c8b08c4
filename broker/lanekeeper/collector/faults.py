"""Recent faults: what died or was given up, and after how long it was made good.

Lanes' faults come from the broker's events, the daemons' from the keeper's counters. Bounded: the
newest are kept. Sans-IO. Called by `server` and by the model as it hears of the keeper's counters.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from lanekeeper.collector.model import Feed
from lanekeeper.collector.window import Weighed
from lanekeeper.wire.messages.diagnostics import Fault
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.metrics import KEEPER, Metric

KEPT: Final = 200
SHOWN: Final = 20
_AWAY: Final = frozenset({"recovering", "failed"})
_WORKER: Final = "worker"
_ASKED: Final = "asked"
"""Why a process was replaced that somebody wanted replaced: no fault."""
_RESTARTS: Final = "lanekeeper_process_restarts_total"
_RECOVERIES: Final = "lanekeeper_recovery_seconds"


class Faults:
    """The newest faults."""

    def __init__(self) -> None:
        """Start with none."""
        self._kept: deque[Fault] = deque(maxlen=KEPT)
        self.ts = ""
        """The time of this turn, RFC 3339: set by the shell."""

    def newest(self) -> list[Fault]:
        """Return the newest first."""
        return list(islice(reversed(self._kept), SHOWN))

    def lane(self, happened: Happened, ts: str) -> None:
        """Hear of a lane's change of state."""
        lane = happened.lane
        if lane is None or happened.previous is None:
            return
        if lane.status in _AWAY and happened.previous not in _AWAY:
            reason = happened.reason or lane.status
            self._kept.append(Fault(ts=ts, role=_WORKER, reason=reason, lane_id=lane.id))
        elif happened.previous in _AWAY and lane.status not in _AWAY:
            fault = self._open(_WORKER, lane.id)
            if fault is not None:
                fault.recovered, fault.seconds = True, _between(fault.ts, ts)

    def feeds(self, metric: Metric, labels: tuple[str, ...]) -> tuple[Feed, ...]:
        """Return who wants to hear of a series; see `Findings.feeds`."""
        named = dict(zip(metric.labels, labels, strict=True))
        role, reason = named.get("role", ""), named.get("reason", "")
        if role == _WORKER or reason == _ASKED:
            return ()

        def died(_observed: Sequence[Weighed], _count: float, _now: float) -> None:
            # It is the next keeper that counts the death of the one before.
            self._kept.append(Fault(ts=self.ts, role=role, reason=reason, recovered=role == KEEPER))

        def recovered(observed: Sequence[Weighed], _count: float, _now: float) -> None:
            fault = self._open(role, None)
            if fault is not None and observed:
                fault.recovered, fault.seconds = True, observed[-1][0]

        return {_RESTARTS: (died,), _RECOVERIES: (recovered,)}.get(metric.name, ())

    def _open(self, role: str, lane_id: str | None) -> Fault | None:
        for fault in reversed(self._kept):
            if fault.role == role and fault.lane_id == lane_id:
                return None if fault.recovered else fault
        return None


def _between(then: str, now: str) -> float | None:
    try:
        seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds()
    except ValueError:
        return None
    return max(seconds, 0.0)

"""The answer to `diagnostics.get`, from everything that the collector knows.

Owns what is shown and how much of it. Sans-IO. Called by `server`.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import nlargest
from typing import Final

from lanekeeper.collector.faults import Faults
from lanekeeper.collector.findings import Findings, worst
from lanekeeper.collector.model import Model, Process, Series
from lanekeeper.collector.usage import Usage
from lanekeeper.collector.window import WINDOW_SECONDS
from lanekeeper.wire.messages.diagnostics import (
    Diagnostics,
    DiagnosticsRequest,
    Finding,
    LaneFigures,
    ProcessLoad,
    SlowConsumer,
)
from lanekeeper.wire.metrics import DAEMONS
from lanekeeper.wire.sample import SAMPLE_SECONDS

SLOW_SHOWN: Final = 20
SILENT_SECONDS: Final = 1.5 * SAMPLE_SECONDS
"""After so long without a sample nothing has come out of a lane."""

_BY: Final[dict[str, Callable[[LaneFigures], float]]] = {
    "cpu": lambda lane: lane.cpu,
    "memory": lambda lane: lane.resident_bytes,
    "output": lambda lane: lane.output_rate,
    "backlog": lambda lane: lane.backlog_bytes,
}


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to show."""

    model: Model
    findings: Findings
    faults: Faults
    usage: Usage
    since: str

    def shown(self) -> list[Series]:
        """Return the series of which anything is known."""
        knows = self.usage.knows
        return [one for one in self.model.series() if knows(one.metric.name, one.labels)]


def diagnose(known: Known, request: DiagnosticsRequest, now: float) -> Diagnostics:
    """Return the diagnostics of this moment."""
    series = known.model.series()
    metrics = look(known, now, series)
    lanes = known.model.lanes()
    return Diagnostics(
        status=worst(finding.status for finding in metrics.values()),
        since=known.since,
        window_seconds=WINDOW_SECONDS,
        metrics=metrics,
        slow=slowest(lanes.values()),
        faults=known.faults.newest(),
        processes=_loads(known),
        lanes=_chosen(known, request, now),
        lanes_total=len(lanes),
    )


def look(known: Known, now: float, series: list[Series] | None = None) -> dict[str, Finding]:
    """Return the findings of this moment."""
    shown = known.model.series() if series is None else series
    return known.findings.look(shown, known.usage.given(), now)


def slowest(workers: Iterable[Process]) -> list[SlowConsumer]:
    """Return the registered consumers that are behind, the greatest lag first."""
    found = [
        SlowConsumer(
            lane_id=worker.lane.lane_id,
            terminal_id=one.terminal_id,
            consumer_id=one.consumer_id,
            policy=one.policy or "",
            lag_bytes=one.backlog_bytes,
            throttled=one.throttled,
        )
        for worker in workers
        if worker.lane is not None
        for one in worker.lane.terminals
        if one.consumer_id is not None and one.backlog_bytes
    ]
    return nlargest(SLOW_SHOWN, found, key=lambda one: one.lag_bytes)


def _chosen(known: Known, request: DiagnosticsRequest, now: float) -> list[LaneFigures]:
    if not request.lanes:
        return []
    shown = (
        figures(lane_id, worker, known.usage, now)
        for lane_id, worker in known.model.lanes().items()
    )
    return nlargest(request.lanes, shown, key=_BY[request.order])


def figures(lane_id: str, worker: Process, usage: Usage, now: float) -> LaneFigures:
    """Return the figures of one lane."""
    terminals = [] if worker.lane is None else worker.lane.terminals
    used = usage.of(lane_id)
    silent = worker.output is None or now - worker.output[1] > SILENT_SECONDS
    return LaneFigures(
        lane_id=lane_id,
        pid=worker.who.pid,
        terminals=len(terminals),
        cpu=used.cpu,
        resident_bytes=used.resident,
        output_bytes=sum(one.output_bytes for one in terminals),
        output_rate=0.0 if silent else worker.rate,
        backlog_bytes=sum(one.backlog_bytes for one in terminals),
        backlog_chunks=sum(one.backlog_chunks for one in terminals),
        log_bytes=sum(one.log_bytes for one in terminals),
        throttled=sum(one.throttled for one in terminals),
    )


def _loads(known: Known) -> list[ProcessLoad]:
    by_role: dict[str, dict[str, float]] = {role: {} for role in DAEMONS}
    for one in known.shown():
        if one.metric.labels == ("role",) and one.labels[0] in by_role:
            by_role[one.labels[0]][one.metric.name] = one.total
    counts = Counter(process.who.role for process in known.model.living())
    return [
        ProcessLoad(
            role=role,
            count=counts[role],
            resident_bytes=_whole(found.get("lanekeeper_resident_bytes")),
            cpu_seconds=found.get("lanekeeper_cpu_seconds_total", 0.0),
            cpu=known.usage.role(role),
            open_fds=_whole(found.get("lanekeeper_open_fds")),
            proportional_bytes=_whole(found.get("lanekeeper_proportional_bytes")),
        )
        for role, found in by_role.items()
        if counts[role]
    ]


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)

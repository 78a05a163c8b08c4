"""Everything that is gathered, put together: model, findings, faults, usage and our own figures.

Owns what is wired to what, and what is kept for a next collector. Reads two files of /proc, for the
machine's pseudo-terminals. Called by `server`.
"""

import importlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from lanekeeper.collector import beginnings, diagnoses, ledger
from lanekeeper.collector.faults import Faults
from lanekeeper.collector.findings import Findings
from lanekeeper.collector.model import Feed, Incarnation, Model
from lanekeeper.collector.usage import Usage
from lanekeeper.wire.messages.diagnostics import (
    Diagnostics,
    DiagnosticsRequest,
    Finding,
    MetricChanged,
    Status,
)
from lanekeeper.wire.metrics import COLLECTOR, DAEMONS, METRICS, Metric
from lanekeeper.wire.version import PRODUCT

KNOWN_TICKS: Final = 1_000
"""Clock ticks (10 s) by which a process may be older than its collector and still be new to it."""

_PTYS: Final = {"lanekeeper_ptys": "nr", "lanekeeper_ptys_max": "max"}

_SHARED: Final = "lanekeeper_proportional_bytes"
"""Of a role of which no process was measured yet there is none, rather than 0."""

LOG: Final = logging.getLogger(__name__)


class Gathering:
    """What a collector knows."""

    def __init__(self, pid: int, start_time: int, since: str) -> None:
        """Know nothing yet; `since` is the RFC 3339 time of now."""
        self._me = Incarnation("collector", pid, start_time)
        self._findings = Findings()
        self._shown: dict[str, Status] = {}
        self.faults = Faults()
        self.model = Model(self._feeds, known_before=start_time - KNOWN_TICKS)
        self._reserve()
        self.usage = Usage(self.model)
        self._known = diagnoses.Known(self.model, self._findings, self.faults, self.usage, since)

    def restore(self, data: bytes, now: float) -> None:
        """Go on from what a collector before this one has kept."""
        try:
            if data:
                ledger.restore(self.model, data, now)
        except ledger.LedgerError as error:
            LOG.warning("the totals begin anew: %s", error)
        beginnings.begin(self.model)

    def dump(self, *, whole: bool = False) -> bytes | None:
        """Return what is to be kept, or None when no sample has changed anything.

        With `whole` also what the collector counts itself, as is needed where that was shown.
        """
        if not self.model.changed and not whole:
            return None
        self.model.changed = False
        return ledger.dump(self.model)

    def render(self, accept: str, now: float) -> tuple[str, bytes]:
        """Return content type and body of the figures."""
        self._measure(now)
        self._look(now)
        # prometheus-client takes a third of a collector's start: only a plane that is scraped pays.
        export = importlib.import_module("lanekeeper.collector.export")
        rendered: tuple[str, bytes] = export.render(self._known.shown(), accept)
        return rendered

    def diagnose(self, request: DiagnosticsRequest, now: float) -> Diagnostics:
        """Return the diagnostics of this moment."""
        self._measure(now)
        return diagnoses.diagnose(self._known, request, now)

    def changes(self, now: float) -> list[MetricChanged]:
        """Return the findings whose status has changed since this was last asked."""
        self.model.forget(now)
        self._measure(now)
        return self._findings.changes(self._look(now))

    def listed(self, processes: Iterable[Mapping[str, Any]], now: float) -> None:
        """Take in processes that the keeper names: some push no samples."""
        for one in processes:
            role, pid, start_time = one.get("role"), one.get("pid"), one.get("start_time")
            if role in DAEMONS and isinstance(pid, int) and isinstance(start_time, int):
                self.model.process(Incarnation(role, pid, start_time), now)

    def lag(self, seconds: float, now: float) -> None:
        """Note how late our own loop came."""
        self.model.observe(self._me, "lanekeeper_loop_lag_seconds", max(seconds, 0.0), now=now)

    def _feeds(self, metric: Metric, labels: tuple[str, ...]) -> tuple[Feed, ...]:
        return (*self._findings.feeds(metric, labels), *self.faults.feeds(metric, labels))

    def _reserve(self) -> None:
        """Make our own series first, so that there is room for them whatever comes."""
        for metric in METRICS.values():
            if metric.by != (COLLECTOR,) or metric.name == _SHARED:
                continue
            if not metric.labels:
                self.model.admit(metric.name, ())
            elif metric.labels == ("role",):
                for role in DAEMONS:
                    self.model.admit(metric.name, (role,))

    def _measure(self, now: float) -> None:
        """Bring our own figures up to the moment."""
        changed = self.model.changed
        tallies = self.model.tallies
        for role, count in tallies.samples.items():
            self._put("lanekeeper_samples_total", count, role, now=now)
        self._put("lanekeeper_samples_refused_total", tallies.refused, now=now)
        self._put("lanekeeper_series_refused_total", tallies.series_refused, now=now)
        self._put("lanekeeper_build_info", 1, PRODUCT, now=now)
        for name, file in _PTYS.items():
            self._put(name, _number(Path("/proc/sys/kernel/pty", file)), now=now)
        counts = dict.fromkeys(DAEMONS, 0)
        for process in self.model.living():
            counts[process.who.role] += 1
        for role, count in counts.items():
            self._put("lanekeeper_processes", count, role, now=now)
        for share in self.usage.given().values():
            self._put("lanekeeper_open_fds_ratio", share, now=now)
        self._put("lanekeeper_series", tallies.lines, now=now)
        self.model.changed = changed

    def _look(self, now: float) -> dict[str, Finding]:
        """Return the findings, and show the status of each, no longer the one it had.

        Time alone changes them too: what was observed is forgotten.
        """
        changed = self.model.changed
        found = diagnoses.look(self._known, now)
        for key, finding in found.items():
            before = self._shown.get(key, finding.status)
            if before != finding.status:
                self._put("lanekeeper_finding", 0, key, before, now=now)
            self._shown[key] = finding.status
            self._put("lanekeeper_finding", 1, key, finding.status, now=now)
        self.model.changed = changed
        return found

    def _put(self, name: str, value: float, *labels: str, now: float) -> None:
        self.model.put(self._me, name, value, *labels, now=now)


def _number(path: Path) -> float:
    try:
        return float(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0.0

"""The lines above the lanes in `lane top`: whether the plane is healthy, and what it takes.

Owns the comparison of two looks, from which the processors in use follow. Pure; called by the
board and by the plain table.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from lanekeeper.cli.columns import NOTHING, percent, short_bytes
from lanekeeper.cli.looks import Row
from lanekeeper.cli.text import count, safe
from lanekeeper.wire.messages.diagnostics import Diagnostics, ProcessLoad

SHORTEST: Final = 0.2
"""Seconds between two looks that may be compared."""


class Load(Struct, frozen=True):
    """What all processes of the plane take; `cpu` in processors, None before the second look."""

    processes: int = 0
    resident: int = 0
    open_fds: int = 0
    cpu: float | None = None


class Meter:
    """Compares looks: processor time is a total, and people want it by the second."""

    def __init__(self) -> None:
        """Start before the first look."""
        self._seconds: dict[str, float] = {}
        self._at: float | None = None
        self._cpu: float | None = None

    def load(self, processes: Sequence[ProcessLoad], now: float) -> Load:
        """Return what these processes take, at a monotonic time in seconds."""
        seconds = {one.role: one.cpu_seconds for one in processes}
        passed = 0.0 if self._at is None else now - self._at
        if passed >= SHORTEST:
            # a role whose processes were replaced has a smaller total: that is no negative load
            spent = sum(max(0.0, seconds[role] - self._seconds.get(role, 0.0)) for role in seconds)
            self._cpu = spent / passed
        if self._at is None or passed >= SHORTEST:
            self._seconds, self._at = seconds, now
        return Load(
            processes=sum(one.count for one in processes),
            resident=sum(one.resident_bytes for one in processes),
            open_fds=sum(one.open_fds for one in processes),
            cpu=self._cpu,
        )


def lanes_line(rows: Iterable[Row], *, complete: bool) -> str:
    """Return how many lanes there are, by state."""
    states = Counter(row.state for row in rows)
    parts = [f"{number} {state}" for state, number in states.most_common()]
    told = f"lanes: {states.total()}" + (f" ({', '.join(parts)})" if parts else "")
    return told if complete else f"{told}, others are still coming back"


def load_line(load: Load) -> str:
    """Return what the plane's own processes take."""
    if not load.processes:
        return "plane: -"
    processor = NOTHING if load.cpu is None else f"{percent(load.cpu)} %"
    return (
        f"plane: {count(load.processes, 'process')}, {short_bytes(load.resident)} resident, "
        f"CPU {processor}, {load.open_fds} descriptors"
    )


def health(found: Diagnostics | None, missing: str) -> tuple[str, str]:
    """Return the status of the plane and why: the findings that are not passed, worst first."""
    if found is None:
        return "unknown", f"no figures: {safe(missing)}" if missing else "no figures yet"
    told = [
        f"{safe(key)} {safe(finding.judged)} {_figure(getattr(finding, finding.judged, None))}"
        for wanted in ("fail", "warn")
        for key, finding in found.metrics.items()
        if finding.status == wanted
    ]
    why = "; ".join(told) if told else "nothing to report"
    return found.status, f"{why}; `lane diag` says more" if told else why


def _figure(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else ""

"""The lines above the lanes in `lane top`: whether the plane is healthy, and what it takes.

Pure; called by the board and by the plain table.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lanekeeper.cli.columns import NOTHING, percent, short_bytes
from lanekeeper.cli.looks import Row
from lanekeeper.cli.text import count, safe
from lanekeeper.wire.messages.diagnostics import Diagnostics, ProcessLoad


class Load(Struct, frozen=True):
    """What all processes of the plane take, None where nobody knows yet; `cpu` in processors."""

    processes: int = 0
    resident: int | None = None
    open_fds: int | None = None
    cpu: float | None = None


def load(processes: Sequence[ProcessLoad]) -> Load:
    """Return what these processes take together."""
    memory = [one.resident_bytes for one in processes if one.resident_bytes is not None]
    descriptors = [one.open_fds for one in processes if one.open_fds is not None]
    processors = [one.cpu for one in processes if one.cpu is not None]
    return Load(
        processes=sum(one.count for one in processes),
        resident=sum(memory) if memory else None,
        open_fds=sum(descriptors) if descriptors else None,
        cpu=sum(processors) if processors else None,
    )


def lanes_line(rows: Iterable[Row], *, complete: bool) -> str:
    """Return how many lanes there are, by state."""
    states = Counter(row.state for row in rows)
    parts = [f"{number} {state}" for state, number in states.most_common()]
    told = f"lanes: {states.total()}" + (f" ({', '.join(parts)})" if parts else "")
    return told if complete else f"{told}, others are still coming back"


def load_line(taken: Load) -> str:
    """Return what the plane's own processes take."""
    if not taken.processes:
        return "plane: -"
    processor = NOTHING if taken.cpu is None else f"{percent(taken.cpu)} %"
    descriptors = NOTHING if taken.open_fds is None else taken.open_fds
    return (
        f"plane: {count(taken.processes, 'process')}, {short_bytes(taken.resident)} resident, "
        f"CPU {processor}, {descriptors} descriptors"
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

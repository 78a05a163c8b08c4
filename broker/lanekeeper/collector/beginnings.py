"""Series that are shown from the beginning, at zero.

A rate sees how much a counter grew between two scrapes, and nothing of one that comes into being
with its first count: the first crash of a plane would go unnoticed. So whatever can be named
beforehand is there before it happens. Called by `gathering`.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final

from lanekeeper.collector.model import Model
from lanekeeper.wire.metrics import DAEMONS, METRICS, Kind

OUTCOMES: Final = ("ok", "error")
REASONS: Final = ("signal", "exit", "hang", "asked", "unknown")

NAMED: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "lanekeeper_lane_create_seconds": (OUTCOMES,),
    "lanekeeper_session_restore_seconds": (("reattach", "crash"), OUTCOMES),
    "lanekeeper_programs_ended_total": (("ok", "error", "signal", "unknown"),),
    "lanekeeper_process_restarts_total": (DAEMONS, REASONS),
    "lanekeeper_recovery_seconds": (("nursery", "broker", "collector", "worker"),),
    "lanekeeper_samples_dropped_total": (("broker", "worker"),),
}
"""The values of each label, in the order of the table of metrics."""


def begin(model: Model) -> None:
    """Have a model show them; what it shows already stays as it is."""
    for name, labels in named():
        model.admit(name, labels)


def named() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name and the label values of each."""
    for metric in METRICS.values():
        if metric.kind is Kind.GAUGE:
            continue
        if not metric.labels:
            yield metric.name, ()
        elif metric.name in NAMED:
            yield from ((metric.name, labels) for labels in product(*NAMED[metric.name]))

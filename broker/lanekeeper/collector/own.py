"""What the collector says of itself and of the machine: its samples, its series, the PTYs.

Called by `server` before figures are shown. Reads two files of /proc; everything else is counted by
the model.
"""

from pathlib import Path
from typing import Final

from lanekeeper.collector.model import Incarnation, Model
from lanekeeper.wire.version import PRODUCT

_PTYS: Final = {"lanekeeper_ptys": "nr", "lanekeeper_ptys_max": "max"}


class Own:
    """The collector's own figures."""

    def __init__(self, model: Model, who: Incarnation) -> None:
        """Measure into `model` as the process `who`."""
        self._model = model
        self._who = who

    def measure(self, now: float) -> None:
        """Bring the figures up to the moment."""
        tallies = self._model.tallies
        for role, count in tallies.samples.items():
            self._put("lanekeeper_samples_total", count, role, now=now)
        self._put("lanekeeper_samples_refused_total", tallies.refused, now=now)
        self._put("lanekeeper_series_refused_total", tallies.series_refused, now=now)
        self._put("lanekeeper_build_info", 1, PRODUCT, now=now)
        for name, file in _PTYS.items():
            self._put(name, _number(Path("/proc/sys/kernel/pty", file)), now=now)
        counts: dict[str, int] = {}
        for process in self._model.living():
            counts[process.who.role] = counts.get(process.who.role, 0) + 1
        for role, count in counts.items():
            self._put("lanekeeper_processes", count, role, now=now)
        self._put("lanekeeper_series", tallies.lines, now=now)

    def _put(self, name: str, value: float, *labels: str, now: float) -> None:
        self._model.put(self._who, name, value, *labels, now=now)


def _number(path: Path) -> float:
    try:
        return float(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0.0

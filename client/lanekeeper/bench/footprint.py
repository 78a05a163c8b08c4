"""What idle lanes cost: memory of a lane with its child, and the plane's CPU time."""

import os
import select
import time
from pathlib import Path
from typing import Any, Final

from lanekeeper.bench.creation import Progress
from lanekeeper.bench.figures import Summary, round4
from lanekeeper.bench.private import PrivatePlane
from lanekeeper.client import Plane
from lanekeeper.wire.limits import MIN_LOG_CAPACITY

MEGA: Final = 1e6
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def measure(
    plane: Plane, private: PrivatePlane, lanes: int, seconds: float, progress: Progress
) -> dict[str, Any]:
    """Return PSS per lane in MB (worker and its `sleep`) and idle CPU in percent of one core."""
    made = []
    for number in range(lanes):
        progress(f"idle lanes: {number + 1}/{lanes}")
        lane = plane.lane(f"idle-{number}")
        lane.spawn(["sleep", "1000000"], capacity=MIN_LOG_CAPACITY)
        made.append(lane)
    pids = [pid for lane in made if (pid := lane.refresh().pid) is not None]
    children = [t.pid for lane in made for t in plane.resolve(lane.id).terminals if t.pid]
    both = [_pss(worker) + _pss(child) for worker, child in zip(pids, children, strict=True)]
    progress(f"idle CPU: {seconds:.0f} s")
    everything = [process.pid for _, process in private.processes()]
    before, begin = _cpu(everything), time.perf_counter()
    # Nothing is waited for: the time itself is what is measured.
    select.select([], [], [], seconds)
    used = _cpu(everything) - before
    taken = time.perf_counter() - begin
    for lane in made:
        lane.cleanup()
    return {
        "lanes": lanes,
        "memory_unit": "MB PSS, worker and child",
        "memory": Summary.of(both).scaled(1 / MEGA),
        "cpu_unit": "percent of one core, whole plane",
        "cpu": round4(100 * used / taken),
        "processes": len(everything) + len(children),
    }


def _pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1]) * 1024
    return 0.0


def _cpu(pids: list[int]) -> float:
    """Return the CPU seconds that these processes have used."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS

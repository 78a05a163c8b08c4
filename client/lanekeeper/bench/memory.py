"""What a long flood costs in memory with a fast, a slow and a stopped subscriber.

The fast one is registered and gets every byte, the slow one observes, the third registers and is
stopped until the end. Each process's growth over its idle size is what counts.
"""

import contextlib
from pathlib import Path
from typing import Any, Final

from lanekeeper.bench.creation import Progress
from lanekeeper.bench.crowd import Crowd
from lanekeeper.bench.figures import round4
from lanekeeper.bench.pattern import Stream
from lanekeeper.client import Plane
from lanekeeper.wire.limits import LOG_CAPACITY, MAX_CHUNK, SEND_HIGH_WATER

MEGA: Final = 1e6
SUBSCRIBERS: Final = (
    ("fast", ("--policy", "forever")),
    ("slow", ("--policy", "drop", "--rate", "10e6")),
    ("stopped", ("--policy", "block")),
)
WAIT_SECONDS: Final = 3600.0
BUDGET: Final = LOG_CAPACITY + len(SUBSCRIBERS) * SEND_HIGH_WATER * MAX_CHUNK


def measure(plane: Plane, directory: str, stream: Stream, progress: Progress) -> dict[str, Any]:
    """Return the growth of the worker and of each subscriber in MB, and what each got."""
    progress(f"memory: a flood of {stream.size / 1e9:.2g} GB")
    lane = plane.lane("memory")
    terminal = lane.spawn(["sh", "-c", stream.line])
    worker = lane.refresh().pid or 0
    with Crowd(directory) as crowd:
        for _, options in SUBSCRIBERS:
            crowd.add(f"{lane.id}.{terminal.id}", *options)
        crowd.ready()
        base = _peak(worker)
        crowd.members[-1].stop()
        terminal.send("\n")
        terminal.wait(WAIT_SECONDS)
        log = _log(worker)
        crowd.members[-1].go_on()
        reports = crowd.reports()
        grown = _peak(worker) - base
    lane.cleanup()
    named = {name: report for (name, _), report in zip(SUBSCRIBERS, reports, strict=True)}
    for name, report in named.items():
        if report["delivered"] + report["missed"] != stream.size:
            raise ValueError(f"the {name} subscriber cannot account for every byte: {report}")
    if named["fast"]["missed"]:
        raise ValueError(f"the fast subscriber missed {named['fast']['missed']} bytes")
    return {
        "bytes": stream.size,
        "unit": "MB over the idle size",
        "worker": round4((grown + log) / MEGA),
        "budget": round4(BUDGET / MEGA),
        "log": round4(log / MEGA),
        "subscribers": {name: round4(one["grown"] / MEGA) for name, one in named.items()},
        "missed": {name: one["missed"] for name, one in named.items()},
    }


def _peak(pid: int) -> int:
    """Return the most memory a process has had resident, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _log(pid: int) -> int:
    """Return the bytes of memory that the output logs of a worker hold."""
    total = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if "lanekeeper-log-" in str(entry.readlink()):
                total += entry.stat().st_blocks * 512
    return total

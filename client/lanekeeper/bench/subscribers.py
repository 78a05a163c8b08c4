"""Bytes per second of one terminal to 1, 4 and 16 registered subscribers at once.

Each is a process of its own that verifies every byte; the clock stops when the last has all.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

from lanekeeper.bench.creation import Progress
from lanekeeper.bench.crowd import Crowd
from lanekeeper.bench.figures import Summary
from lanekeeper.bench.pattern import Stream
from lanekeeper.client import Plane

COUNTS: Final = (1, 4, 16)
MEGA: Final = 1e6


def measure(
    plane: Plane,
    directory: str,
    stream: Stream,
    rounds: int,
    progress: Progress,
    counts: Sequence[int] = COUNTS,
) -> list[dict[str, Any]]:
    """Return MB/s of the terminal with each number of subscribers, measured in turn."""
    rates: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(rounds):
        for count in counts:
            progress(f"{count} subscribers: round {number + 1}/{rounds}")
            rates[count].append(_once(plane, directory, stream, count))
    return [
        {"subscribers": count, "unit": "MB/s", "bytes": stream.size, "rate": _summary(rates[count])}
        for count in counts
    ]


def _summary(rates: list[float]) -> dict[str, Any]:
    return Summary.of(rates).scaled(1 / MEGA)


def _once(plane: Plane, directory: str, stream: Stream, count: int) -> float:
    lane = plane.lane("subscribers")
    terminal = lane.spawn(["sh", "-c", stream.line])
    with Crowd(directory) as crowd:
        for _ in range(count):
            crowd.add(f"{lane.id}.{terminal.id}")
        crowd.ready()
        begin = time.perf_counter()
        terminal.send("\n")
        reports = crowd.reports()
        taken = time.perf_counter() - begin
    lane.cleanup()
    for report in reports:
        if report["missed"] or report["delivered"] != stream.size:
            raise ValueError(f"{report['delivered']} of {stream.size} bytes arrived")
    return stream.size / taken

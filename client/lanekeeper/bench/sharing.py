"""Eight lanes that flood at once, each with a registered subscriber: do they share fairly?"""

import select
import time
from typing import Any, Final

from lanekeeper.bench.creation import Progress
from lanekeeper.bench.crowd import Crowd
from lanekeeper.bench.figures import Summary, round4
from lanekeeper.bench.pattern import Stream
from lanekeeper.client import Lane, Plane, Terminal

LANES: Final = 8
MEGA: Final = 1e6


def measure(
    plane: Plane,
    directory: str,
    stream: Stream,
    seconds: float,
    progress: Progress,
    count: int = LANES,
) -> dict[str, Any]:
    """Return MB/s of each lane over the same `seconds`, and the smallest over the largest."""
    lanes = [plane.lane(f"flood-{number}") for number in range(count)]
    progress(f"{count} lanes flooding: {seconds:.0f} s")
    with Crowd(directory) as crowd:
        terminals = [_start(lane, crowd, stream) for lane in lanes]
        crowd.ready()
        for terminal in terminals:
            terminal.send("\n")
        # All of them run before the clock does.
        before, begin = _heads(terminals, at_least=2), time.perf_counter()
        # Nothing is waited for: the time itself is what is measured.
        select.select([], [], [], seconds)
        after = _heads(terminals, at_least=2)
        taken = time.perf_counter() - begin
        for terminal in terminals:
            terminal.signal("KILL", target="tree")
        reports = crowd.reports()
    for lane in lanes:
        lane.cleanup()
    if any(report["missed"] for report in reports):
        raise ValueError("a registered subscriber missed bytes")
    rates = [(end - start) / taken for start, end in zip(before, after, strict=True)]
    return {
        "lanes": count,
        "seconds": round4(taken),
        "unit": "MB/s",
        "rate": Summary.of(rates).scaled(1 / MEGA),
        "total": round4(sum(rates) / MEGA),
        "ratio_min_max": round4(min(rates) / max(rates)),
    }


def _start(lane: Lane, crowd: Crowd, stream: Stream) -> Terminal:
    terminal = lane.spawn(["sh", "-c", stream.line])
    crowd.add(f"{lane.id}.{terminal.id}")
    return terminal


def _heads(terminals: list[Terminal], *, at_least: int) -> list[int]:
    """Return how much each has put out, once that is as much for all."""
    heads = [0]
    while min(heads) < at_least:
        heads = [terminal.refresh().head for terminal in terminals]
    return heads

"""How long `lane.create` takes, with few and with many lanes alive."""

import time
from collections.abc import Callable
from typing import Any

from lanekeeper.bench.figures import Summary
from lanekeeper.client import Plane

Progress = Callable[[str], None]
Settle = Callable[[], None]
"""Returns when the plane has replaced the workers it gave away."""
MILLI = 1000.0


def measure(
    plane: Plane, alive: int, samples: int, progress: Progress, settle: Settle
) -> dict[str, Any]:
    """Return create latency in ms with `alive` lanes beside those that are measured.

    `idle`: the plane has settled before each. `burst`: each follows the end of the one before. The
    measured lanes are cleaned one by one, so that the number alive stays what it says.
    """
    names = [f"alive-{alive}-{n}" for n in range(alive)]
    for name in names:
        progress(f"lanes alive: {name}")
        plane.create_lane(name)
    report: dict[str, Any] = {"alive": alive, "unit": "ms"}
    for series, before in (("idle", settle), ("burst", None)):
        taken = []
        for number in range(samples):
            progress(f"lane create, {alive} alive, {series}: {number + 1}/{samples}")
            if before is not None:
                before()
            begin = time.perf_counter()
            lane = plane.create_lane(f"sample-{alive}-{number}")
            taken.append(time.perf_counter() - begin)
            lane.cleanup()
        report[series] = Summary.of(taken).scaled(MILLI)
    for name in names:
        plane.lane(name, create=False).cleanup()
    return report

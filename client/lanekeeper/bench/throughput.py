"""Bytes per second of one terminal: to a registered subscriber, to a bare read loop, to tmux.

The same program prints the same lines into the same kind of PTY each time, in turn; what counts is
the ratio within a round.
"""

import os
import select
import subprocess
import time
from typing import Any, Final

from lanekeeper.bench.creation import Progress
from lanekeeper.bench.figures import Summary, median_ratio
from lanekeeper.bench.pattern import LINE
from lanekeeper.bench.tmux import DEADLINE, Tmux
from lanekeeper.client import Data, Ended, Plane

MEGA: Final = 1e6


def program(size: int) -> str:
    """Return the shell line that prints `size` bytes."""
    return f"stty raw -echo; yes {LINE} | head -c {size}"


def measure(
    plane: Plane, size: int, rounds: int, progress: Progress, *, with_tmux: bool
) -> dict[str, Any]:
    """Return MB/s of each, and the median of the ratios within a round."""
    ours: list[float] = []
    bare: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        progress(f"throughput: round {number + 1}/{rounds}")
        ours.append(_ours(plane, size))
        bare.append(_bare(size))
        if with_tmux:
            theirs.append(_theirs(size))
    report: dict[str, Any] = {
        "unit": "MB/s",
        "bytes": size,
        "lanekeeper": Summary.of(ours).scaled(1 / MEGA),
        "read_loop": Summary.of(bare).scaled(1 / MEGA),
        "ratio_read_loop": median_ratio(list(zip(ours, bare, strict=True))),
    }
    if theirs:
        report["tmux"] = Summary.of(theirs).scaled(1 / MEGA)
        report["ratio_tmux"] = median_ratio(list(zip(ours, theirs, strict=True)))
    return report


def _ours(plane: Plane, size: int) -> float:
    lane = plane.lane("flood")
    begin = time.perf_counter()
    terminal = lane.spawn(["sh", "-c", program(size)], policy="forever")
    received = 0
    for item in terminal.output(0, policy="forever", timeout=DEADLINE):
        if isinstance(item, Data):
            received += len(item.data)
        elif isinstance(item, Ended):
            break
    taken = time.perf_counter() - begin
    if received != size:
        raise ValueError(f"{received} of {size} bytes arrived")
    lane.cleanup()
    return received / taken


def _bare(size: int) -> float:
    master, slave = os.openpty()
    begin = time.perf_counter()
    child = subprocess.Popen(
        ["sh", "-c", program(size)], stdin=slave, stdout=slave, start_new_session=True
    )
    os.close(slave)
    received = 0
    try:
        while select.select([master], [], [], DEADLINE)[0]:
            received += len(os.read(master, 1 << 16))
    except OSError:  # EIO: the last slave was closed
        taken = time.perf_counter() - begin
    finally:
        os.close(master)
    child.wait()
    if received != size:
        raise ValueError(f"{received} of {size} bytes arrived in the read loop")
    return received / taken


def _theirs(size: int) -> float:
    begin = time.perf_counter()
    tmux = Tmux(program(size))
    try:
        tmux.drain()
        return size / (time.perf_counter() - begin)
    finally:
        tmux.close()

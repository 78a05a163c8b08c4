"""Bytes per second of one terminal: to a registered subscriber, to a bare read loop, to tmux.

The same program prints the same file into the same kind of PTY each time, in turn; what counts is
the ratio within a round. The file holds lines as a test run prints them, with colours.
"""

import os
import select
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from lanekeeper.bench.creation import Progress
from lanekeeper.bench.figures import Summary, median_ratio
from lanekeeper.bench.tmux import DEADLINE, Tmux
from lanekeeper.client import Data, Ended, Plane

MEGA: Final = 1e6
LINE: Final = (
    b"\x1b[2m12:00:01\x1b[0m \x1b[32mPASS\x1b[0m unit/\x1b[1mtest_codec.py\x1b[0m "
    b"\x1b[33m[ 42%]\x1b[0m in 0.01 s\r\n"
)
PIECE: Final = 10_000_000
"""Bytes of the file, which is printed again and again: it stays in memory."""


class Flood:
    """Shell lines that print a file: making its bytes costs next to nothing.

    Attributes:
        line: prints `size` bytes.
        endless: prints for ever.
    """

    def __init__(self, directory: str, size: int) -> None:
        """Write the file into a directory."""
        path = Path(directory) / "flood"
        whole = (LINE * (PIECE // len(LINE) + 1))[:PIECE]
        path.write_bytes(whole)
        times = max(1, size // PIECE)
        self.size = times * PIECE
        name = shlex.quote(str(path))
        self.line = f"stty raw -echo; exec cat {' '.join([name] * times)}"
        self.endless = f"stty raw -echo; while :; do cat {name}; done"


def measure(
    plane: Plane, flood: Flood, rounds: int, progress: Progress, *, with_tmux: bool
) -> dict[str, Any]:
    """Return MB/s of each, and the median of the ratios within a round."""
    ours: list[float] = []
    bare: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        progress(f"throughput: round {number + 1}/{rounds}")
        ours.append(_ours(plane, flood))
        bare.append(_bare(flood))
        if with_tmux:
            theirs.append(_theirs(flood))
    report: dict[str, Any] = {
        "unit": "MB/s",
        "bytes": flood.size,
        "lanekeeper": Summary.of(ours).scaled(1 / MEGA),
        "read_loop": Summary.of(bare).scaled(1 / MEGA),
        "ratio_read_loop": median_ratio(list(zip(ours, bare, strict=True))),
    }
    if theirs:
        report["tmux"] = Summary.of(theirs).scaled(1 / MEGA)
        report["ratio_tmux"] = median_ratio(list(zip(ours, theirs, strict=True)))
    return report


def _ours(plane: Plane, flood: Flood) -> float:
    lane = plane.lane("flood")
    begin = time.perf_counter()
    terminal = lane.spawn(["sh", "-c", flood.line], policy="forever")
    received = 0
    for item in terminal.output(0, policy="forever", timeout=DEADLINE):
        if isinstance(item, Data):
            received += len(item.data)
        elif isinstance(item, Ended):
            break
    taken = time.perf_counter() - begin
    if received != flood.size:
        raise ValueError(f"{received} of {flood.size} bytes arrived")
    lane.cleanup()
    return received / taken


def _bare(flood: Flood) -> float:
    master, slave = os.openpty()
    begin = time.perf_counter()
    child = subprocess.Popen(
        ["sh", "-c", flood.line], stdin=slave, stdout=slave, start_new_session=True
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
    if received != flood.size:
        raise ValueError(f"{received} of {flood.size} bytes arrived in the read loop")
    return received / taken


def _theirs(flood: Flood) -> float:
    begin = time.perf_counter()
    tmux = Tmux(flood.line)
    try:
        tmux.drain()
        return flood.size / (time.perf_counter() - begin)
    finally:
        tmux.close()

"""From a key to its echo at a client: ours and tmux's control mode in turn."""

import time
from typing import Any, Final

from lanekeeper.bench.creation import MILLI, Progress
from lanekeeper.bench.figures import Summary, median_ratio
from lanekeeper.bench.tmux import DEADLINE, Tmux
from lanekeeper.client import Data, OutputStream, Plane, Terminal

ROUNDS: Final = 10
KEY: Final = "k"
PROGRAM: Final = "stty raw -echo; exec cat"
"""Raw and without echo: the key comes back from a program, as in an editor."""


def measure(plane: Plane, samples: int, progress: Progress, *, with_tmux: bool) -> dict[str, Any]:
    """Return echo latency in ms; with tmux in rounds that alternate, and the ratio of medians."""
    lane = plane.lane("echo")
    terminal = lane.spawn(["sh", "-c", PROGRAM])
    stream = terminal.output(0)
    tmux = Tmux(PROGRAM) if with_tmux else None
    ours: list[float] = []
    theirs: list[float] = []
    pairs: list[tuple[float, float]] = []
    try:
        _warm(terminal, stream, tmux)
        for number in range(ROUNDS):
            progress(f"echo: round {number + 1}/{ROUNDS}")
            mine = [_ours(terminal, stream) for _ in range(samples // ROUNDS)]
            ours += mine
            if tmux is not None:
                other = [_theirs(tmux) for _ in range(samples // ROUNDS)]
                theirs += other
                pairs.append((Summary.of(mine).p50, Summary.of(other).p50))
    finally:
        if tmux is not None:
            tmux.close()
    lane.cleanup()
    report: dict[str, Any] = {"unit": "ms", "lanekeeper": Summary.of(ours).scaled(MILLI)}
    if theirs:
        report["tmux"] = Summary.of(theirs).scaled(MILLI)
        report["ratio_p50"] = median_ratio(pairs)
    return report


def _warm(terminal: Terminal, stream: OutputStream, tmux: Tmux | None) -> None:
    # Until `stty` has run the line discipline echoes too; twenty keys later only `cat` answers.
    for _ in range(20):
        _ours(terminal, stream)
        if tmux is not None:
            _theirs(tmux)


def _ours(terminal: Terminal, stream: OutputStream) -> float:
    begin = time.perf_counter()
    terminal.send_nowait(KEY)
    while time.perf_counter() - begin < DEADLINE:
        for item in stream.poll(1.0):
            if isinstance(item, Data):
                return time.perf_counter() - begin
    raise TimeoutError("no echo came back")


def _theirs(tmux: Tmux) -> float:
    begin = time.perf_counter()
    tmux.keys(KEY)
    return tmux.wait_for(KEY.encode()) - begin

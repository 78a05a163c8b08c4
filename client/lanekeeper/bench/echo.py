"""From a key to its echo at a client: ours, a bare ZeroMQ loop and tmux's control mode in turn.

Ours is measured twice: by a plain ZeroMQ loop, the counterpart of the loop that drives tmux, and
through the Python client library. The bare loop has no plane behind it: what it costs more than
tmux is ZeroMQ's, and what the plain client costs more than it is the plane's. Each alone, or beside
a program that prints without end: in another lane, loop or session.
"""

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final

from lanekeeper.bench.bare import Bare
from lanekeeper.bench.creation import MILLI, Progress
from lanekeeper.bench.figures import Summary, median_ratio, round4
from lanekeeper.bench.plain import PlainClient
from lanekeeper.bench.tmux import DEADLINE, Tmux
from lanekeeper.client import Data, OutputStream, Plane, Terminal

ROUNDS: Final = 10
KEY: Final = "k"
PROGRAM: Final = "stty raw -echo; exec cat"
"""Raw and without echo: the key comes back from a program, as in an editor."""

RATIOS: Final = {
    "lanekeeper": "ratio_p50",
    "library": "ratio_library_p50",
    "bare": "ratio_bare_p50",
}
"""What is compared with tmux, and the name of the result."""

Sample = Callable[[], float]
Noise = Callable[[], AbstractContextManager[None]]
"""Has a flood printed while it is entered."""


def measure(
    plane: Plane, samples: int, progress: Progress, flood: str | None = None, *, with_tmux: bool
) -> dict[str, Any]:
    """Return echo latency in ms; with tmux in rounds that alternate, and ratios of medians.

    Beside the shell line `flood`, if there is one.
    """
    lane = plane.lane("echo")
    terminal = lane.spawn(["sh", "-c", PROGRAM])
    other = lane.spawn(["sh", "-c", PROGRAM])
    endpoints = lane.refresh().endpoints
    if endpoints is None:
        raise ValueError("the lane has no endpoints")
    stream = terminal.output(0)
    tmux = Tmux(PROGRAM) if with_tmux else None
    try:
        with (
            PlainClient(endpoints.output, endpoints.control, other.id) as plain,
            Bare(PROGRAM) as bare,
        ):
            measured: dict[str, tuple[Sample, Noise]] = {
                "lanekeeper": (lambda: _plain(plain), lambda: _lane(plane, flood)),
                "library": (lambda: _library(terminal, stream), lambda: _lane(plane, flood)),
                "bare": (lambda: _bare(bare), lambda: _loop(flood)),
            }
            if tmux is not None:
                measured["tmux"] = (lambda: _tmux(tmux), lambda: _session(tmux, flood))
            report = _rounds(measured, samples, progress)
    finally:
        if tmux is not None:
            tmux.close()
    stream.close()
    lane.cleanup()
    return report


@contextlib.contextmanager
def _lane(plane: Plane, flood: str | None) -> Iterator[None]:
    if flood is None:
        yield
        return
    lane = plane.lane("noise")
    lane.spawn(["sh", "-c", flood])
    yield
    lane.cleanup()


@contextlib.contextmanager
def _loop(flood: str | None) -> Iterator[None]:
    if flood is None:
        yield
        return
    with Bare(flood):
        yield


@contextlib.contextmanager
def _session(tmux: Tmux, flood: str | None) -> Iterator[None]:
    if flood is None:
        yield
        return
    tmux.command(f"new-session -d -s noise {shlex.quote(flood)}")
    yield
    tmux.command("kill-session -t noise")


def _rounds(
    measured: dict[str, tuple[Sample, Noise]], samples: int, progress: Progress
) -> dict[str, Any]:
    for sample, _ in measured.values():
        # Until `stty` has run the line discipline echoes too; twenty keys later only `cat` answers.
        for _ in range(20):
            sample()
    taken: dict[str, list[list[float]]] = {name: [] for name in measured}
    for number in range(ROUNDS):
        progress(f"echo: round {number + 1}/{ROUNDS}")
        for name, (sample, noise) in measured.items():
            with noise():
                taken[name].append([sample() for _ in range(samples // ROUNDS)])
    report: dict[str, Any] = {"unit": "ms"}
    for name, rounds in taken.items():
        report[name] = Summary.of([one for each in rounds for one in each]).scaled(MILLI)
    medians = {name: [Summary.of(each).p50 for each in rounds] for name, rounds in taken.items()}
    if "tmux" in medians:
        for ours, key in RATIOS.items():
            report[key] = median_ratio(list(zip(medians[ours], medians["tmux"], strict=True)))
        # Of all samples: a round has too few of them for a 99th percentile.
        report["ratio_p99"] = round4(report["lanekeeper"]["p99"] / report["tmux"]["p99"])
    pairs = list(zip(medians["lanekeeper"], medians["bare"], strict=True))
    report["ratio_to_bare_p50"] = median_ratio(pairs)
    return report


def _plain(client: PlainClient) -> float:
    begin = time.perf_counter()
    client.key(KEY.encode())
    client.echo()
    taken = time.perf_counter() - begin
    client.answers()
    return taken


def _bare(client: Bare) -> float:
    begin = time.perf_counter()
    client.key(KEY.encode())
    taken = time.perf_counter() - begin
    client.answers()
    return taken


def _library(terminal: Terminal, stream: OutputStream) -> float:
    begin = time.perf_counter()
    terminal.send_nowait(KEY)
    while time.perf_counter() - begin < DEADLINE:
        for item in stream.poll(1.0):
            if isinstance(item, Data):
                return time.perf_counter() - begin
    raise TimeoutError("no echo came back")


def _tmux(tmux: Tmux) -> float:
    begin = time.perf_counter()
    tmux.keys(KEY)
    return tmux.wait_for(KEY.encode()) - begin

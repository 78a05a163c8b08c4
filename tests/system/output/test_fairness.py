"""A hundred terminals in one lane: one that floods delays nobody else's echo."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cluster import Plane
from kit.viewers import Viewer, flood
from lanekeeper.client import Data, OutputStream, Terminal
from lanekeeper.client import Plane as Connected

SEED = 7
TERMINALS = 100
KEYS = 60
PATIENCE = 20.0
FEW_MS = 0.010
"""What the median may grow by beside a flood, on two cores that others use too; a turn of the lane
that took whatever there is would cost a second."""
FACTOR = 6


def echo(terminal: Terminal, output: OutputStream, key: bytes) -> float:
    """Return the seconds from a key to its echo."""
    began = time.perf_counter()
    pending = terminal.send_nowait(key)
    seen = b""
    while key not in seen:
        seen += b"".join(item.data for item in output.poll(PATIENCE) if isinstance(item, Data))
        assert time.perf_counter() - began < PATIENCE
    taken = time.perf_counter() - began
    pending.wait(PATIENCE)
    return taken


@pytest.fixture
def crowd(client: Connected) -> Iterator[list[Terminal]]:
    """A hundred terminals whose programs wait for input."""
    lane = client.lane("crowd")
    yield [lane.spawn(["cat"]) for _ in range(TERMINALS)]
    lane.cleanup(grace_s=0.5)


def echoes(crowd: list[Terminal]) -> list[float]:
    """Return the times of single keys, on a few terminals in turn."""
    taken = []
    for terminal in crowd[:: TERMINALS // 4]:
        with terminal.output(None, policy="drop") as output:
            echo(terminal, output, b"?")
            keys = (b"%c" % (97 + number % 26) for number in range(KEYS // 4))
            taken += [echo(terminal, output, key) for key in keys]
    return taken


def test_one_that_floods_delays_no_echo_of_another(
    shared_plane: Plane, client: Connected, crowd: list[Terminal], tmp_path: Path
) -> None:
    echoes(crowd)
    quiet = statistics.median(echoes(crowd))
    program = flood(tmp_path, client.lane("crowd"), SEED, 1 << 40, before=4096)
    with Viewer(shared_plane, program.terminal, SEED, "--policy", "forever"):
        program.open()
        before = program.terminal.refresh().head
        beside = sorted(echoes(crowd))
        moved = program.terminal.refresh().head - before
    assert moved > 1 << 20
    median = statistics.median(beside)
    assert median < quiet * FACTOR + FEW_MS, f"{median * 1e3:.2f} ms, {quiet * 1e3:.2f} alone"
    assert beside[-1] < PATIENCE / 20
    program.terminal.close(grace_s=0)

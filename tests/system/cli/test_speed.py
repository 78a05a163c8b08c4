"""A cold `lane ls` costs little more than its libraries: nobody notices the command line."""

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from kit.cluster import LANE, Plane

TIMES: Final = 9
BAND: Final = 4.0
"""Twice is the aim; a busy machine with two cores may double a ratio of medians."""


def cost(command: Sequence[str], plane: Plane) -> float:
    """Return the processor time of one run, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=plane.env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_cold_ls_against_its_libraries(plane: Plane) -> None:
    commands = ([LANE, "ls"], [sys.executable, "-c", "import zmq, click"])
    pairs = [[cost(command, plane) for command in commands] for _ in range(TIMES)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert ours / theirs < BAND, f"lane ls {ours:.3f} s, its libraries {theirs:.3f} s"

"""What a look reads of one process, also of one that has ended and of children it reaped."""

import os
import sys

import pytest

from lanekeeper.collector.processes import look


def test_the_time_of_a_child_is_its_own_until_it_is_reaped_and_then_its_parents() -> None:
    busy = [sys.executable, "-c", "sum(range(5_000_000))"]
    pid = os.posix_spawn(sys.executable, busy, os.environ)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        child, before = look(pid), look(os.getpid())
    finally:
        os.waitpid(pid, 0)
    after = look(os.getpid())
    assert child is not None
    assert before is not None
    assert after is not None
    assert (child.ended, child.parent, child.resident) == (True, os.getpid(), 0)
    assert child.cpu > 0
    assert after.reaped - before.reaped == pytest.approx(child.cpu + child.reaped, abs=0.021)
    assert look(pid) is None

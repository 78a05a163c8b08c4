"""The next keeper and the next broker are forks of the nursery, and what they have to be.

The nursery can fork them a moment after it has come up; the tests wait for that.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kit.cluster import Plane
from kit.waiting import wait_until
from lanekeeper.keeper.warden import FORKS_MOST
from system.daemons.planes import replaced, successor, whole

MODULES = {"keeper": "lanekeeper.keeper", "broker": "lanekeeper.broker"}


def said(plane: Plane, role: str) -> str:
    """Return what a role has logged."""
    return plane.dir.joinpath("log", f"{role}.log").read_text("utf-8")


@pytest.fixture
def warm() -> Iterator[Plane]:
    """Yield a plane whose nursery can fork the others."""
    with Plane() as plane:
        wait_until(lambda: "warm for" in said(plane, "nursery"), 30.0, "a warm nursery")
        yield plane


def look_at(plane: Plane, role: str) -> psutil.Process:
    """Return a role's process after checking that it is a fork that shows what it is."""
    pid = plane.pids(role)[0]
    assert f"forked a {role} as pid {pid}" in said(plane, "nursery")
    process = psutil.Process(pid)
    assert process.ppid() == plane.pids("nursery")[0]
    line = process.cmdline()
    assert line[1:4] == ["-P", "-m", MODULES[role]]
    assert line[line.index("--runtime-dir") + 1] == str(plane.dir)
    environment = process.environ()
    assert environment["LANEKEEPER_ROLE"] == role
    assert environment["LANEKEEPER_PLANE"] == str(plane.dir)
    assert os.getsid(pid) == pid
    streams = [Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)]
    log = plane.dir / "log" / f"{role}.log"
    assert streams == [Path("/dev/null"), log, log]
    return process


def signals(pid: int) -> dict[str, int]:
    """Return which signals a process blocks, ignores and catches; libc's own two aside."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    pairs = (line.split(":\t") for line in lines if line.startswith(("SigB", "SigI", "SigC")))
    return {name: int(value, 16) & ~(3 << 31) for name, value in pairs}


@pytest.mark.parametrize("role", ["keeper", "broker"])
def test_fork_is_like_one_that_was_executed(warm: Plane, role: str) -> None:
    old = plane_pid = warm.pids(role)[0]
    was = signals(old), len(psutil.Process(old).threads())
    descriptors = psutil.Process(old).num_fds()
    warm.kill(role)
    if role == "keeper":
        plane_pid = successor(warm, old)
    else:
        replaced(warm, role, [old])
        plane_pid = warm.pids(role)[0]
    process = look_at(warm, role)
    assert (signals(plane_pid), len(process.threads())) == was
    wait_until(lambda: process.num_fds() <= descriptors + 1, 10.0, "as many descriptors as before")
    assert warm.lane("run", "after", "--", "sh", "-c", "exit 7").returncode == 7
    assert warm.lane("orphans", "list", "--json").returncode == 0


def test_forks_of_a_nursery_that_a_fork_has_started(warm: Plane) -> None:
    successor(warm, warm.kill("keeper")[0])
    look_at(warm, "keeper")
    replaced(warm, "nursery", warm.kill("nursery"))
    wait_until(lambda: said(warm, "nursery").count("warm for") > 1, 30.0, "a warm nursery again")
    successor(warm, warm.kill("keeper")[0])
    look_at(warm, "keeper")
    replaced(warm, "broker", warm.kill("broker"))
    look_at(warm, "broker")
    assert warm.lane("run", "after", "--", "true").returncode == 0
    assert warm.lane("down", "--yes").returncode == 0
    assert not warm.left()


def test_forks_that_do_not_live_are_followed_by_a_fresh_interpreter(warm: Plane) -> None:
    for _ in range(FORKS_MOST):
        successor(warm, warm.kill("keeper")[0])
    look_at(warm, "keeper")
    fresh = successor(warm, warm.kill("keeper")[0])
    assert f"started another as pid {fresh}" in said(warm, "nursery")
    assert said(warm, "nursery").count("forked a keeper") == FORKS_MOST
    assert warm.lane("run", "after", "--", "true").returncode == 0


def test_end_of_a_forked_broker_is_known(warm: Plane) -> None:
    broker = warm.kill("broker")
    replaced(warm, "broker", broker)
    look_at(warm, "broker")
    forked = warm.kill("broker", signal.SIGSEGV)
    replaced(warm, "broker", forked)
    wait_until(lambda: "broker ended: signal 11" in said(warm, "keeper"), 10.0, "word of its end")


def test_nursery_that_is_stopped_is_done_without(warm: Plane) -> None:
    nursery = warm.pids("nursery")[0]
    os.kill(nursery, signal.SIGSTOP)
    broker = warm.kill("broker")
    replaced(warm, "broker", broker)
    executed = warm.pids("broker")
    os.kill(nursery, signal.SIGCONT)
    wait_until(lambda: "too late" in said(warm, "keeper"), 10.0, "the late fork to be ended")
    assert warm.pids("broker") == executed
    assert warm.lane("run", "after", "--", "true").returncode == 0


def test_restart_on_request_is_a_fresh_interpreter(warm: Plane) -> None:
    before = said(warm, "nursery").count("forked a ")
    assert warm.lane("restart", "broker").returncode == 0
    assert warm.lane("restart", "keeper").returncode == 0
    wait_until(lambda: whole(warm), 20.0, "a whole plane")
    assert said(warm, "nursery").count("forked a ") == before

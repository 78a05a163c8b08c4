"""A lane's worker is killed, and nobody loses anything: programs, output, input, leases."""

import os
import signal
import sys
import time

import pytest

from kit.checked import Checker, command, environment
from kit.cluster import Plane
from kit.waiting import wait_until
from lanekeeper.client import Data, Ended, Gap, Lane, Terminal

MIB = 1024 * 1024
SEED = 41
ECHO = """
import os, tty
tty.setraw(0)
os.write(1, b">")
while piece := os.read(0, 64):
    os.write(1, piece)
"""


def worker(plane: Plane, lane: Lane) -> int:
    """Return the pid of the worker that serves a lane."""
    (pid,) = plane.pids("worker", lane.id)
    return pid


def kill_worker(plane: Plane, lane: Lane, number: int = signal.SIGKILL) -> None:
    """Kill the worker of a lane and wait for its successor."""
    before = worker(plane, lane)
    os.kill(before, number)
    wait_until(lambda: plane.pids("worker", lane.id) not in ([], [before]), 10, "a successor")


def checked(lane: Lane, size: int, *options: str) -> Terminal:
    """Start a program that writes a self-checking stream."""
    return lane.spawn(command(SEED, size, *options), env=environment(), output="raw")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_flood_is_exact_and_its_program_the_same(plane: Plane, number: signal.Signals) -> None:
    size = 48 * MIB
    with plane.connect() as client:
        lane = client.lane("flood")
        terminal = checked(lane, size, "--status", "7")
        pid, checker, kills = terminal.info.pid, Checker(SEED), 0
        with terminal.output(0, policy="forever", timeout=60) as output:
            for item in output:
                match item:
                    case Data():
                        checker.feed(item.data)
                    case Gap():
                        checker.gap(item.start, item.end)
                    case Ended():
                        assert item.offset == size
                if checker.offset > (kills + 1) * 12 * MIB and kills < 3:
                    kills += 1
                    os.kill(worker(plane, lane), number)
                    wait_until(lambda: plane.pids("worker", lane.id) != [], 10, "a successor")
        assert kills == 3
        assert (checker.offset, checker.gaps) == (size, [])
        info = terminal.refresh()
        assert (info.pid, info.exit and info.exit.code) == (pid, 7)


def test_acknowledged_input_arrives_once_and_in_order(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("typed")
        terminal = lane.spawn([sys.executable, "-c", ECHO], output="raw")
        with terminal.output(0, timeout=30) as output:
            sent = b">"
            terminal.wait_for(timeout=10, match=">", offset=0)
            for number in range(60):
                line = b"%04d;" % number
                terminal.send(line, timeout=20)
                sent += line
                if number % 20 == 10:
                    os.kill(worker(plane, lane), signal.SIGKILL)
            echoed = b""
            while len(echoed) < len(sent):
                items = output.poll(10)
                assert all(isinstance(item, Data) for item in items)
                echoed += b"".join(item.data for item in items if isinstance(item, Data))
        assert echoed == sent


def test_sessions_writers_and_sizes_live_on(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("kept")
        terminal = lane.spawn(["sleep", "60"], cols=101, rows=31)
        before = terminal.refresh()
        kill_worker(plane, lane)
        after = terminal.refresh()
        assert (after.pid, after.state, after.cols) == (before.pid, "active", 101)
        assert after.session_id == before.session_id
        terminal.close(grace_s=0)


def test_an_idle_lane_recovers_and_takes_new_work(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("idle")
        kill_worker(plane, lane)
        assert lane.run(["sh", "-c", "echo again; exit 3"], timeout=20).code == 3
        lane.cleanup(1.0)
        assert client.lanes() == []


def test_workers_that_die_again_and_again_are_given_up_and_their_programs_live(
    plane: Plane,
) -> None:
    with plane.connect() as client:
        lane = client.lane("poisoned")
        terminal = lane.spawn(["sleep", "60"])
        pid = terminal.refresh().pid
        assert pid is not None
        for _ in range(4):
            kill_worker(plane, lane)
        os.kill(worker(plane, lane), signal.SIGKILL)
        wait_until(lambda: lane.refresh().status == "failed", 10, "the lane to be given up")
        assert "crash loop" in (lane.refresh().reason or "")
        os.kill(pid, 0)
        lane.cleanup(1.0)
        started = time.monotonic()
        while time.monotonic() - started < 10:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
        raise AssertionError("the program survived the clean-up of its lane")

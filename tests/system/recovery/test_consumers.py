"""Whoever holds something of a terminal when its worker dies holds it still."""

import os
import signal
from pathlib import Path

import pytest

from kit.checked import Checker
from kit.cluster import Plane
from kit.registered import registered
from kit.viewers import MIB, flood, wait_state
from kit.waiting import wait_until
from kit.wire_client import WireClient
from lanekeeper.client import Conflict, Data, Ended, Gap, Lane

SEED = 43


def kill_worker(plane: Plane, lane: Lane) -> None:
    """Kill the worker of a lane and wait for its successor."""
    (before,) = plane.pids("worker", lane.id)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: plane.pids("worker", lane.id) not in ([], [before]), 10, "a successor")


def test_nothing_is_retired_below_a_slow_consumer(plane: Plane, tmp_path: Path) -> None:
    size = 24 * MIB
    with plane.connect() as client, WireClient(plane.dir) as wire:
        lane = client.lane("slow")
        program = flood(tmp_path, lane, SEED, size, before=4096)
        slow = registered(wire, program.terminal.info)
        slow.consume("forever", 0)
        program.open()
        wait_state(program.terminal, "throttled")
        slow.acknowledge(MIB)
        kill_worker(plane, lane)
        wait_state(program.terminal, "throttled")
        info = program.terminal.refresh()
        assert info.tail <= MIB < info.head
        checker = Checker(SEED, MIB)
        with program.terminal.output(MIB, policy="forever", timeout=30) as output:
            slow.release()
            for item in output:
                match item:
                    case Data():
                        checker.feed(item.data)
                    case Gap():
                        checker.gap(item.start, item.end)
                    case Ended():
                        assert item.offset == size
        assert (checker.offset, checker.gaps) == (size, [])


def test_the_writer_keeps_its_lease(plane: Plane) -> None:
    with plane.connect() as client, plane.connect() as other:
        lane = client.lane("pen")
        terminal = lane.spawn(["cat"])
        with terminal.lease() as writer:
            kill_worker(plane, lane)
            terminal.send("mine\n", timeout=10)
            with pytest.raises(Conflict) as refused:
                other.terminal("pen").send("not mine\n", timeout=10)
            assert refused.value.code == "NOT_WRITER"
            assert writer.lost is None
        assert b"not" not in terminal.read(0).data


@pytest.mark.parametrize("count", [30, pytest.param(100, marks=pytest.mark.nightly)])
def test_many_terminals_of_one_worker_are_back_at_once(plane: Plane, count: int) -> None:
    with plane.connect() as client:
        lane = client.lane("many")
        terminals = [lane.spawn(["cat"]) for _ in range(count)]
        pids = [terminal.refresh().pid for terminal in terminals]
        kill_worker(plane, lane)
        assert [terminal.refresh().pid for terminal in terminals] == pids
        for number, terminal in enumerate(terminals):
            terminal.send(f"{number}\n", timeout=10)
            found = terminal.wait_for(timeout=10, match=rf"{number}\r\n", offset=0, echo=True)
            assert found is not None

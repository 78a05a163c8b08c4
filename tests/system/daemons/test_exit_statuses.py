"""How a program ended is known whoever of the plane is dead when it ends."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import processes
from kit.cluster import Plane
from kit.observer import Observer
from kit.waiting import kill_and_wait, wait_until
from lanekeeper.client import Lane, Terminal
from lanekeeper.client import Plane as Connected
from lanekeeper.wire.messages.terminal import ExitStatus
from system.daemons.planes import replaced, successor

EXITED = ExitStatus(kind="exited", code=7)
WAITS = ["sh", "-c", "echo up; read line; exit 7"]
KILLED = ["sh", "-c", "echo up; read line; kill -9 $$"]


@pytest.fixture
def client(plane: Plane) -> Iterator[Connected]:
    with plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("ends")


def start(lane: Lane, argv: list[str]) -> tuple[Terminal, int]:
    """Start a program that ends at the next line; return its terminal and pid."""
    terminal = lane.spawn(argv)
    with Observer(terminal) as seen:
        seen.until(b"up")
    pid = terminal.info.pid
    assert pid is not None
    return terminal, pid


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def ended(pid: int) -> bool:
    found = processes.look(pid)
    return found is None or found.zombie


def reaped(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("argv", "status"),
    [(WAITS, EXITED), (KILLED, ExitStatus(kind="signaled", signal=9))],
)
def test_without_its_nursery(plane: Plane, lane: Lane, argv: list[str], status: ExitStatus) -> None:
    terminal, pid = start(lane, argv)
    plane.kill("nursery")
    terminal.send(b"\n")
    assert terminal.wait(10.0) == status
    wait_until(lambda: reaped(pid), 5.0, "the program to be reaped")


def test_program_that_ends_while_its_nursery_is_dead_and_hangs_on(plane: Plane, lane: Lane) -> None:
    terminal, pid = start(lane, WAITS)
    nursery = plane.pids("nursery")
    stop(nursery[0])
    terminal.send(b"\n")
    wait_until(lambda: ended(pid), 5.0, "the program to end")
    kill_and_wait(nursery[0])
    assert terminal.wait(10.0) == EXITED
    replaced(plane, "nursery", nursery)


def test_program_that_ends_while_its_worker_is_dead(plane: Plane, lane: Lane) -> None:
    terminal, pid = start(lane, WAITS)
    worker = plane.pids("worker", lane.id)[0]
    stop(worker)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ended(pid), 5.0, "the program to end")
    kill_and_wait(worker)
    assert terminal.wait(10.0) == ExitStatus(kind="signaled", signal=9)
    wait_until(lambda: reaped(pid), 5.0, "the program to be reaped")


def test_keeper_then_worker_then_program(plane: Plane, lane: Lane) -> None:
    terminal, _ = start(lane, WAITS)
    old = plane.kill("keeper")[0]
    successor(plane, old)
    plane.kill("worker", lane=lane.id)
    terminal.send(b"\n")
    assert terminal.wait(10.0) == EXITED


def test_nursery_then_worker_then_program(plane: Plane, lane: Lane) -> None:
    terminal, _ = start(lane, WAITS)
    nursery = plane.kill("nursery")
    replaced(plane, "nursery", nursery)
    plane.kill("worker", lane=lane.id)
    terminal.send(b"\n")
    assert terminal.wait(10.0) == EXITED


def test_nursery_of_a_later_program_does_not_speak_for_an_earlier_one(
    plane: Plane, lane: Lane
) -> None:
    first, _ = start(lane, WAITS)
    nursery = plane.kill("nursery")
    replaced(plane, "nursery", nursery)
    second, _ = start(lane, WAITS)
    first.send(b"\n")
    assert first.wait(10.0) == EXITED
    second.send(b"\n")
    assert second.wait(10.0) == EXITED

"""What a plane's lanes have after its keeper's death: everything, in a new vault."""

import os
import signal
from collections.abc import Iterator

import pytest

from kit.cluster import Plane
from kit.observer import Observer
from kit.waiting import kill_and_wait, wait_until
from lanekeeper.client import Lane, Terminal
from lanekeeper.client import Plane as Connected
from system.daemons.planes import successor

ECHO = ["sh", "-c", "echo up; while read line; do echo got $line; done; exit 7"]


@pytest.fixture
def client(plane: Plane) -> Iterator[Connected]:
    with plane.connect() as connected:
        yield connected


@pytest.fixture
def lane(client: Connected) -> Lane:
    return client.lane("kept")


def talk(terminal: Terminal, seen: Observer, word: str) -> None:
    terminal.send(f"{word}\n".encode())
    seen.until(f"got {word}".encode())


def test_program_goes_on_through_keeper_and_then_worker_death(plane: Plane, lane: Lane) -> None:
    terminal = lane.spawn(ECHO)
    with Observer(terminal) as seen:
        seen.until(b"up")
        old = plane.kill("keeper")[0]
        talk(terminal, seen, "meanwhile")
        new = successor(plane, old)
        assert new != old
        talk(terminal, seen, "after")
        plane.kill("worker", lane=lane.id)
        talk(terminal, seen, "successor")
        terminal.send(b"\x04")
        assert terminal.wait(15.0).code == 7


def test_keeper_dies_and_comes_back_many_times(plane: Plane, lane: Lane) -> None:
    terminal = lane.spawn(ECHO)
    with Observer(terminal) as seen:
        seen.until(b"up")
        for number in range(4):
            old = plane.kill("keeper")[0]
            successor(plane, old)
            talk(terminal, seen, f"word{number}")
        worker = plane.pids("worker", lane.id)[0]
        kill_and_wait(worker, signal.SIGKILL)
        talk(terminal, seen, "last")
    with plane.keeper_client() as keeper:
        page = keeper.page()
    assert page["readopted"]["processes"] >= 4
    wait_until(lambda: plane.pids("worker", lane.id) not in ([], [worker]), 5.0, "a successor")


def test_lane_whose_worker_died_without_a_keeper_is_lost_and_the_others_go_on(
    plane: Plane, client: Connected, lane: Lane
) -> None:
    other = client.lane("other").spawn(ECHO)
    lane.spawn(ECHO)
    worker, nursery = plane.pids("worker", lane.id)[0], plane.pids("nursery")[0]
    os.kill(nursery, signal.SIGSTOP)
    old = plane.kill("keeper")[0]
    kill_and_wait(worker)
    os.kill(nursery, signal.SIGCONT)
    successor(plane, old)
    wait_until(lambda: lane.refresh().status == "failed", 10.0, "the lane to be lost")
    with Observer(other) as seen:
        seen.until(b"up")
        talk(other, seen, "still")

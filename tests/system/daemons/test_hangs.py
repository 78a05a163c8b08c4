"""What hangs is ended and replaced; what only looks so, because the watcher stood still, is not."""

import os
import select
import signal
from collections.abc import Iterator

import pytest

from kit.cluster import Plane
from kit.observer import Observer
from kit.waiting import wait_until
from lanekeeper.client import Plane as Connected
from lanekeeper.keeper.clock import STALL
from system.daemons.planes import whole

HANG_AFTER = 8.0
"""Over the 7 s between two beats of a worker."""

ECHO = ["sh", "-c", "echo up; while read line; do echo got $line; done"]


@pytest.fixture
def plane() -> Iterator[Plane]:
    with Plane(options=("--hang-after", str(HANG_AFTER))) as started:
        yield started


@pytest.fixture
def client(plane: Plane) -> Iterator[Connected]:
    with plane.connect() as connected:
        yield connected


def pids(plane: Plane) -> dict[str, int]:
    """Return the pid of every daemon and of the one lane's worker."""
    return {
        one["role"]: one["pid"]
        for one in plane.processes()
        if one["role"] != "worker" or one.get("lane")
    }


def test_all_that_hang_are_replaced_and_the_program_goes_on(
    plane: Plane, client: Connected
) -> None:
    terminal = client.lane("hung").spawn(ECHO)
    with Observer(terminal) as seen:
        seen.until(b"up")
        before = pids(plane)
        for role in ("broker", "collector", "nursery", "worker"):
            os.kill(before[role], signal.SIGSTOP)

        def replaced() -> bool:
            after = pids(plane)
            changed = [role for role in before if after.get(role) not in {before[role], None}]
            return sorted(changed) == ["broker", "collector", "nursery", "worker"] and whole(plane)

        wait_until(replaced, 40.0, "everything that hangs to be replaced")
        terminal.send(b"there\n")
        seen.until(b"got there")


def test_keeper_and_nursery_that_stood_still_end_nobody(plane: Plane, client: Connected) -> None:
    terminal = client.lane("healthy").spawn(ECHO)
    with Observer(terminal) as seen:
        seen.until(b"up")
        before = pids(plane)
        for role in ("nursery", "keeper"):
            os.kill(before[role], signal.SIGSTOP)
        # Longer than any deadline that was running, and than a turn that is only late.
        select.select([], [], [], HANG_AFTER + STALL + 1.0)
        for role in ("nursery", "keeper"):
            os.kill(before[role], signal.SIGCONT)
        wait_until(lambda: whole(plane), 10.0, "an answer")
        select.select([], [], [], HANG_AFTER)
        assert pids(plane) == before
        terminal.send(b"there\n")
        seen.until(b"got there")

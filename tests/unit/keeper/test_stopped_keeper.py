"""A keeper that is stopped at any point of a turn judges nobody by the time it stood still."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import connect
from lanekeeper.keeper.clock import Clock
from lanekeeper.keeper.events import DAEMONS
from lanekeeper.keeper.keeper import Keeper, Surroundings
from lanekeeper.keeper.launch import Options
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.keeper.status import PlaneInfo

STOP = 60.0
READINGS = 20
"""More than a turn has."""

DAEMON = """
import sys
from pathlib import Path
from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import connect

own = identity.current()
input()
channel = connect(Path(sys.argv[1]))
hello = {"role": sys.argv[2], "pid": own.pid, "start_time": own.start_time, "held": 0}
channel.send({"op": "hello", **hello})
channel.send({"op": "ready"})
print("said", flush=True)
input()
"""

Plane = tuple[Keeper, "Machine", Rundir, list[subprocess.Popen[str]]]


class Machine:
    """A clock that goes on by a minute at one of its readings: the reader was stopped there."""

    def __init__(self) -> None:
        """Begin anywhere."""
        self.now = 1000.0
        self.left = 0

    def __call__(self) -> float:
        """Return the time."""
        self.left -= 1
        self.now += STOP if self.left == 0 else 0.0
        return self.now


@pytest.fixture
def daemons() -> Iterator[tuple[Rundir, list[subprocess.Popen[str]]]]:
    """Yield three processes that connect to a keeper and say hello once they are told to."""
    with tempfile.TemporaryDirectory(prefix="lk") as directory:
        rundir = Rundir(Path(directory))
        rundir.create()
        started = [
            subprocess.Popen(
                [sys.executable, "-c", DAEMON, str(rundir.keeper_sock), role],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for role in DAEMONS
        ]
        yield rundir, started
        for process in started:
            process.kill()
            process.communicate()


@pytest.fixture
def plane(
    daemons: tuple[Rundir, list[subprocess.Popen[str]]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Plane]:
    """Yield a keeper to which its three daemons have come back."""
    rundir, processes = daemons
    found = [
        (role, identity.Process(one.pid, identity.start_time(one.pid) or 0))
        for role, one in zip(DAEMONS, processes, strict=True)
    ]
    machine, own = Machine(), identity.current()
    monkeypatch.setattr("lanekeeper.keeper.keeper.Clock", lambda _: Clock(machine))
    info = PlaneInfo("plane_x", own.pid, own.start_time, 0.0)
    keeper = Keeper(rundir, Options(), info, Surroundings({}, [], found))
    keeper.begin()
    for process in processes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("connect\n")
        process.stdin.flush()
        assert process.stdout.readline() == "said\n"
    yield keeper, machine, rundir, processes
    keeper.release()


def test_nobody_is_ended_for_the_time_in_which_the_keeper_was_stopped(plane: Plane) -> None:
    keeper, machine, rundir, processes = plane
    for _ in range(2 * len(DAEMONS)):  # one peer is accepted in a turn
        with closing(connect(rundir.keeper_sock)):
            keeper.turn()
    for reading in range(1, READINGS):
        with closing(connect(rundir.keeper_sock)):  # it has something to do, and does not wait
            machine.left = reading
            keeper.turn()
        assert [one.poll() for one in processes] == [None] * len(processes), reading

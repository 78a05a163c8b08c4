"""The nursery's watch over the keeper: one that hangs before it serves, one that keeps dying."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lanekeeper.keeper import identity
from lanekeeper.keeper.framing import Received
from lanekeeper.keeper.loop import Loop
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.keeper.warden import Warden

HANG_AFTER = 20.0


class Plane:
    """A warden whose keepers are programs that do nothing."""

    def __init__(self, rundir: Rundir) -> None:
        """Start the first keeper."""
        self.started: list[tuple[subprocess.Popen[bytes], bool]] = []
        self.argv: list[list[str]] = []
        self.loop = Loop(16)
        self.warden = Warden(rundir, self.loop, HANG_AFTER, self.start)
        self.start([], 0, anew=False)
        with Path("/dev/null").open("rb") as listener:
            self.hear({"op": "listener", "argv": ["keeper"]}, (listener.fileno(),))
        self.welcome()

    @property
    def keeper(self) -> subprocess.Popen[bytes]:
        """The newest."""
        return self.started[-1][0]

    def start(self, argv: list[str], listener: int, *, anew: bool) -> identity.Process:
        """Start a keeper."""
        del listener
        self.argv.append(argv)
        process = subprocess.Popen(["sleep", "600"])
        self.started.append((process, anew))
        return identity.Process(process.pid, identity.start_time(process.pid) or 0)

    def hear(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        """Let the warden hear of its keeper."""
        self.warden.heard(message, Received(message, fds), time.monotonic())

    def welcome(self) -> None:
        """Let the newest keeper serve."""
        self.hear({"op": "welcome", "keeper_pid": self.keeper.pid})

    def end(self) -> None:
        """Kill the newest keeper and let the warden see it."""
        self.keeper.kill()
        self.keeper.wait()
        self.loop.turn(5)


@pytest.fixture
def plane() -> Iterator[Plane]:
    with tempfile.TemporaryDirectory(prefix="lk") as directory:
        rundir = Rundir(Path(directory))
        rundir.wanted.touch()
        made = Plane(rundir)
        yield made
        made.warden.release()
        made.loop.release()
        for process, _ in made.started:
            process.kill()
            process.wait()


def test_keeper_that_hangs_before_it_serves_is_ended_and_followed(plane: Plane) -> None:
    plane.end()
    hanging = plane.keeper
    now = time.monotonic()
    plane.warden.due(now + HANG_AFTER - 1)
    assert hanging.poll() is None
    assert plane.warden.deadline <= now + HANG_AFTER
    plane.warden.due(now + HANG_AFTER)
    assert hanging.wait(5) == -signal.SIGKILL
    plane.loop.turn(5)
    plane.warden.due(time.monotonic() + 1)
    assert plane.keeper is not hanging


def test_keeper_that_serves_is_only_pinged(plane: Plane) -> None:
    plane.end()
    plane.welcome()
    plane.warden.due(time.monotonic() + 2 * HANG_AFTER)
    assert plane.keeper.poll() is None


def test_keepers_that_die_after_their_welcome_come_ever_later_and_anew(plane: Plane) -> None:
    delays = []
    for _ in range(5):
        plane.welcome()
        now = time.monotonic()
        plane.end()
        delays.append(max(0.0, plane.warden.deadline - now))
        plane.warden.due(now + 60)
    assert [anew for _, anew in plane.started] == [False] * 4 + [True] * 2
    assert delays[1:] == sorted(delays[1:])
    assert 0.3 < delays[4] < 1.0


def test_keeper_that_was_to_retire_has_not_failed(plane: Plane) -> None:
    for _ in range(4):
        plane.hear({"op": "retiring"})
        count = len(plane.started)
        plane.end()
        assert len(plane.started) == count + 1, "at once"
        plane.welcome()


def test_the_keeper_after_one_that_was_to_retire_alone_is_told_so(plane: Plane) -> None:
    plane.hear({"op": "retiring"})
    plane.end()
    plane.end()
    plane.warden.due(time.monotonic() + 60)
    plane.welcome()
    plane.end()
    plane.warden.due(time.monotonic() + 60)
    assert plane.argv[1:] == [["keeper", "--asked"], ["keeper"], ["keeper"]]


def test_keeper_that_died_before_its_welcome_is_followed_by_one_that_is_executed(
    plane: Plane,
) -> None:
    plane.end()
    plane.end()
    plane.warden.due(time.monotonic() + 60)
    assert [anew for _, anew in plane.started] == [False, False, True]

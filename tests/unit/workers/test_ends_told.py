"""A program's end by the keeper's word, before the worker has seen that its nursery is dead."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lanekeeper.keeper import identity
from lanekeeper.keeper.channel import Channel, Listener
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers.actions import Exited
from lanekeeper.workers.children import Child
from lanekeeper.workers.pty import Pty
from lanekeeper.workers.spawner import Spawner

SEVEN = ExitStatus(kind="exited", code=7)


@pytest.fixture
def program() -> Iterator[tuple[Spawner, Child, Channel]]:
    """Yield a spawner with a program, and its nursery's end of their channel."""
    process = subprocess.Popen(["sh", "-c", "exit 7"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    started = identity.start_time(process.pid, zombies=True) or 0
    with tempfile.TemporaryDirectory(prefix="lk") as directory:
        rundir = Rundir(Path(directory))
        pty = Pty.open(80, 24, raw_output=False)
        child = Child("terminal_a", pty, -1, -1, -1, process.pid, started)
        child.pidfd = os.pidfd_open(process.pid)
        spawner = Spawner(rundir, Deposits())
        with closing(Listener(rundir.nursery_sock)) as listener:
            spawner.inherit(child)
            nursery = listener.accept()
        assert nursery is not None
        yield spawner, child, nursery
        nursery.close()
        spawner.close()
        pty.close()
    process.wait()


def word(child: Child) -> dict[str, object]:
    return {"op": "exited", "pid": child.pid, "start_time": child.start_time, "code": 7}


def test_keeper_is_believed_although_the_nursery_seems_to_live(
    program: tuple[Spawner, Child, Channel],
) -> None:
    spawner, child, _ = program
    assert child.nursery is not None
    assert spawner.told(word(child)) == [Exited("terminal_a", SEVEN)]
    assert spawner.told(word(child)) == [], "once"


def test_end_that_both_tell_is_one_end(program: tuple[Spawner, Child, Channel]) -> None:
    spawner, child, nursery = program
    nursery.send(word(child))
    assert spawner.told(word(child)) == [Exited("terminal_a", SEVEN)]
    assert spawner.receive() == []


def test_word_about_another_process_of_that_pid_is_nothing(
    program: tuple[Spawner, Child, Channel],
) -> None:
    spawner, child, _ = program
    assert spawner.told(word(child) | {"start_time": child.start_time + 1}) == []

"""Processes that are not ours to signal, such as `sudo` in a terminal: left alone, and survived."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from lanekeeper.cli import ending
from lanekeeper.keeper import identity
from lanekeeper.keeper.loop import Loop
from lanekeeper.keeper.watches import Watches

NOBODY = 65534


@pytest.fixture
def foreign() -> Iterator[identity.Process]:
    """Yield a process of root's."""
    if os.getuid() != 0:
        yield identity.Process(1, identity.start_time(1) or 0)
        return
    process = subprocess.Popen(["sleep", "600"])
    yield identity.Process(process.pid, identity.start_time(process.pid) or 0)
    process.kill()
    process.wait()


def unprivileged(attempt: Callable[[], bool]) -> bool:
    """Return what an attempt of somebody who is not root says."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            if os.getuid() == 0:
                os.setuid(NOBODY)
            code = 0 if attempt() else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, 1}, "the attempt raised"
    return code == 0


def test_signal_that_is_not_permitted_says_that_it_did_not_arrive(
    foreign: identity.Process,
) -> None:
    assert not unprivileged(lambda: foreign.signal(0))


def test_watched_process_that_cannot_be_signalled_goes_on_being_watched(
    foreign: identity.Process,
) -> None:
    def attempt() -> bool:
        loop = Loop(16)
        watches = Watches(loop, lambda _: None)
        watches.add(foreign, 0.0)
        watches.kill(foreign.pid, signal.SIGTERM)
        return foreign.pid in watches

    assert unprivileged(attempt)


def test_what_the_command_line_cannot_signal_is_said_to_live(foreign: identity.Process) -> None:
    assert unprivileged(
        lambda: ending.signal_and_wait([foreign], signal.SIGTERM, 0.01) == [foreign]
    )

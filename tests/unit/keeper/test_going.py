"""Waiting for processes that are on their way out; real ones, told to end while it looks."""

import subprocess
from collections.abc import Iterator

import pytest

from lanekeeper.keeper.going import outwait
from lanekeeper.keeper.identity import Process, start_time


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        yield process
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()


def known(child: subprocess.Popen[bytes]) -> list[Process]:
    started = start_time(child.pid)
    return [] if started is None else [Process(child.pid, started)]


def itself(process: Process) -> Process:
    return process


def test_what_ends_meanwhile_is_not_returned(child: subprocess.Popen[bytes]) -> None:
    def search() -> list[Process]:
        found = known(child)
        if child.stdin is not None:
            child.stdin.close()
        return found

    assert outwait(search, itself, patience=20.0) == []


def test_what_stays_is_returned_when_the_patience_is_over(
    child: subprocess.Popen[bytes],
) -> None:
    assert outwait(lambda: known(child), itself, patience=0.05) == known(child)


def test_nothing_is_waited_for_when_nothing_is_found() -> None:
    assert outwait(list[Process], itself, patience=20.0) == []

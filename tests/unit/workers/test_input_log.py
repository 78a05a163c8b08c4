"""The input log: bytes leave it once, in order, whoever goes on; what has left is erased."""

import os
import signal
import tty
from collections.abc import Iterator
from typing import NoReturn

import pytest

from kit.waiting import is_readable, wait_readable
from lanekeeper.workers.input_log import ERASE_STEP, InputLog


@pytest.fixture
def log() -> Iterator[InputLog]:
    made = InputLog.create("lanekeeper-test")
    yield made
    made.close()


@pytest.fixture
def raw_terminal() -> Iterator[tuple[int, int]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    os.set_blocking(slave, False)
    yield master, slave
    os.close(master)
    os.close(slave)


def take(slave: int) -> bytes:
    try:
        return os.read(slave, 1 << 16)
    except BlockingIOError:
        return b""


def take_all(slave: int, count: int) -> bytes:
    """Wait for so many bytes: the kernel passes them on when it comes to it."""
    got = b""
    while len(got) < count:
        wait_readable(slave, 10.0)
        got += take(slave)
    return got


def send_some(log: InputLog, master: int) -> None:
    try:
        log.move(master)
    except BlockingIOError:
        return


def test_bytes_come_out_as_they_went_in(log: InputLog, raw_terminal: tuple[int, int]) -> None:
    master, slave = raw_terminal
    data = os.urandom(3 << 20)
    sent, got = 0, b""
    while len(got) < len(data):
        if log.head - log.cursor < 1 << 19 and sent < len(data):
            piece = data[sent : sent + 65531]
            assert log.append(piece) == sent + len(piece)
            sent += len(piece)
        if log.cursor < log.head:
            send_some(log, master)
        got += take(slave)
        assert os.fstat(log.fd).st_blocks * 512 <= (1 << 19) + ERASE_STEP + (1 << 18)
    assert got == data


def test_what_has_left_is_erased(log: InputLog, raw_terminal: tuple[int, int]) -> None:
    master, slave = raw_terminal
    log.append(b"a secret")
    log.wipe()
    assert log.peek() == b"a secret"
    log.move(master)
    assert os.fstat(log.fd).st_blocks > 0
    log.wipe()
    assert log.clean
    assert os.fstat(log.fd).st_blocks == 0
    log.append(b" and more")
    log.move(master)
    assert take_all(slave, 17) == b"a secret and more"


def test_what_waits_can_be_given_up(log: InputLog, raw_terminal: tuple[int, int]) -> None:
    master, slave = raw_terminal
    log.append(b"keep this")
    log.append(b"not this")
    log.cut(9)
    log.move(master)
    assert take_all(slave, 9) == b"keep this"
    assert not is_readable(slave, 0.05)


def test_a_successor_goes_on_at_the_same_byte_after_a_kill(
    raw_terminal: tuple[int, int],
) -> None:
    master, slave = raw_terminal
    data = os.urandom(4 << 20)
    log = InputLog.create("lanekeeper-test")
    log.append(data)
    got = b""
    kills = 0
    while len(got) < len(data):
        pid = os.fork()
        if pid == 0:
            deliver_for_ever(log.fd, master)
        goal = len(got) + 100_000 + kills * 7919 % 50_000
        while len(got) < min(goal, len(data)):
            got += take(slave)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        kills += 1
    assert kills > 10
    assert got == data
    successor = InputLog(log.fd)
    assert successor.cursor == successor.head == len(data)
    successor.close()


def deliver_for_ever(fd: int, master: int) -> NoReturn:
    """Be a worker: go on where the log says."""
    log = InputLog(fd)
    while True:
        if log.cursor < log.head:
            send_some(log, master)

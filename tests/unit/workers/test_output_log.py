"""The output log where the kernel cannot splice from a terminal: reading and writing instead."""

import os
import struct
from collections.abc import Iterator

import pytest

from lanekeeper.wire.limits import LOG_CAPACITY
from lanekeeper.workers.output_log import OutputLog


@pytest.fixture
def log() -> Iterator[OutputLog]:
    made = OutputLog.create("lanekeeper-test", LOG_CAPACITY)
    yield made
    made.close()


@pytest.fixture
def unspliceable() -> Iterator[int]:
    fd = os.eventfd(7, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    yield fd
    os.close(fd)


def test_what_cannot_be_spliced_is_read_and_written(log: OutputLog, unspliceable: int) -> None:
    assert log.fill(unspliceable, 4096) == (8, False)
    assert log.fill(unspliceable, 4096) == (0, False)
    os.eventfd_write(unspliceable, 9)
    assert log.fill(unspliceable, 4096) == (8, False)
    assert log.read(0, 100) == struct.pack("=QQ", 7, 9)
    assert (log.head, log.tail) == (16, 0)


def test_a_terminal_that_hung_up_is_at_its_end(log: OutputLog) -> None:
    master, slave = os.openpty()
    os.set_blocking(master, False)
    os.write(slave, b"last words")
    assert log.fill(master, 4096) == (10, False)
    os.close(slave)
    assert log.fill(master, 4096) == (0, True)
    os.close(master)
    assert log.read(0, 100) == b"last words"

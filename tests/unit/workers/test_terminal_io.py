"""One terminal's descriptors: when its output is complete, and that it is complete only once."""

import os
from collections.abc import Iterator

import pytest

from kit.waiting import wait_readable
from lanekeeper.workers.pty import Pty
from lanekeeper.workers.records import InputIs
from lanekeeper.workers.terminal_input import TerminalInput
from lanekeeper.workers.terminal_io import TerminalIO

CAPACITY = 64 * 1024
NOW = 100.0


@pytest.fixture
def terminal() -> Iterator[TerminalIO]:
    io = TerminalIO("term_a", CAPACITY)
    io.open(Pty.open(80, 24, raw_output=False), -1)
    yield io
    io.close()


def test_an_input_that_was_noted_and_not_accepted_is_refused(terminal: TerminalIO) -> None:
    assert terminal.pty is not None
    assert terminal.input.log is not None
    terminal.input.log.append(b"typed")
    heir = TerminalInput("heir")
    fds = {"input": os.dup(terminal.input.log.fd)}
    noted = [InputIs("in-1", "term_a", 5, 5, 5, 0, 0), InputIs("", "term_a", 9, 4, 4, 0, 0)]
    left = heir.inherit(fds, terminal.pty, noted, None)
    assert (left.done, left.refused) == ([], ["term_a@9"])
    assert heir.log is not None
    assert heir.log.peek() == b"typed"
    heir.close()


def test_an_exit_that_is_told_again_ends_nothing_twice(terminal: TerminalIO) -> None:
    assert terminal.pty is not None
    os.write(terminal.pty.slave, b"last")
    wait_readable(terminal.master, 10.0)
    terminal.program_exited(NOW)
    while terminal.reading:
        terminal.fill(NOW, 0)
    assert terminal.drained(NOW)
    assert terminal.log.read(0, 100) == b"last"
    terminal.reading, terminal.exited = False, None
    terminal.close_pty()
    terminal.program_exited(NOW + 1)
    assert not terminal.drained(NOW + 100)
    assert terminal.deadline() is None

"""What a successor does about a program that a dead worker started."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.waiting import wait_readable
from lanekeeper.keeper.deposits import Deposits
from lanekeeper.keeper.rundir import Rundir
from lanekeeper.workers.estate import Program
from lanekeeper.workers.pty import Pty
from lanekeeper.workers.queries import Kind
from lanekeeper.workers.spawner import Spawner
from lanekeeper.workers.starter import Starter
from lanekeeper.workers.terminal_input import Inherited
from lanekeeper.workers.terminal_io import TerminalIO

from .lanes import Lane

CAPACITY = 64 * 1024
QUESTION = b"\x1b[6n"


class Heir:
    """A successor that has the log of a terminal, and the way to its program."""

    def __init__(self, folder: Path) -> None:
        """Let a program run in a terminal."""
        self.lane = Lane()
        self.terminal = self.lane.run(self.lane.session(), cols=80, rows=24)
        self.pty = Pty.open(80, 24, raw_output=True)
        self.io = TerminalIO(self.terminal, CAPACITY)
        self.io.input.open(self.pty, -1, 0)
        rundir, deposits = Rundir(folder), Deposits()
        state = self.lane.core.state
        self.starter = Starter(Spawner(rundir, deposits), deposits, state, {self.terminal: self.io})

    def prints(self, data: bytes) -> None:
        """Let the program print something, which the dead worker has logged."""
        os.write(self.pty.slave, data)
        wait_readable(self.pty.master, 10.0)
        self.io.pty = self.pty
        self.io.fill(0.0, 0)

    def goes_on(self, begin: int = 0) -> list[Kind]:
        """Go on with the program; return what it asked that nobody has taken note of."""
        self.io.go_on(self.pty, 0.0)
        record = replace(self.lane.core.state.terminals[self.terminal], begin=begin)
        self.starter.go_on(Program(record, self.pty, -1, -1, Inherited([], [])))
        return [question.kind for question in self.io.questions.take()]


@pytest.fixture
def heir(tmp_path: Path) -> Iterator[Heir]:
    made = Heir(tmp_path)
    yield made
    made.io.close()


def test_a_question_that_nobody_took_note_of_is_found(heir: Heir) -> None:
    heir.prints(b"hello" + QUESTION)
    assert heir.goes_on() == [Kind.CURSOR]


def test_a_question_that_was_noted_is_not_answered_again(heir: Heir) -> None:
    heir.prints(b"hello" + QUESTION)
    heir.io.questions.position = heir.io.log.head
    assert heir.goes_on() == []


def test_a_question_of_the_program_before_is_not_the_next_ones(heir: Heir) -> None:
    heir.prints(b"hello" + QUESTION)
    assert heir.goes_on(begin=heir.io.log.head) == []

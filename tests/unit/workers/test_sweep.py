"""What an ending finds and ends, among real processes; nobody else, and what it has to leave."""

import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from kit.waiting import wait_until
from lanekeeper.keeper.identity import Process, start_time
from lanekeeper.wire.messages.terminal import ExitStatus
from lanekeeper.workers import actions
from lanekeeper.workers.sweep import Origin, Sweep

from .lanes import Lane, answer, only

NOBODY = Origin(("LANEKEEPER_TERMINAL", "term_of_nobody"))


@pytest.fixture
def program() -> Iterator[Process]:
    """Return a program that leads a session of its own."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as running:
        started = start_time(running.pid)
        assert started is not None
        yield Process(running.pid, started)
        running.kill()


_LATER = itertools.count(int(time.monotonic()) + 1000, 1000)


def swept(sweep: Sweep) -> bool:
    """Do a step; it is due whenever it is asked for."""
    return sweep.step(next(_LATER))


def test_a_program_is_ended(program: Process) -> None:
    sweep = Sweep("end", [program], NOBODY, 0)
    wait_until(lambda: swept(sweep), 10.0, "the end")
    assert not program.alive()
    assert (sweep.processes, sweep.killed, sweep.beyond) == (1, 1, frozenset())


def test_whose_pid_was_reused_ends_nobody_elses_session(program: Process) -> None:
    before = Process(program.pid, program.start_time - 1)
    sweep = Sweep("end", [before], NOBODY, 0)
    assert swept(sweep)
    assert program.alive()
    assert sweep.processes == 0


def test_the_session_of_a_program_that_has_gone_is_ended() -> None:
    words = ["sh", "-c", "sleep 600 & echo $!"]
    with subprocess.Popen(words, start_new_session=True, stdout=subprocess.PIPE) as gone:
        assert gone.stdout is not None
        left = int(gone.stdout.readline())
        started = start_time(left)
        assert started is not None
        gone.wait()
        sweep = Sweep("end", [Process(gone.pid, started - 100)], NOBODY, 0)
        wait_until(lambda: swept(sweep), 10.0, "the end")
        assert not Process(left, started).alive()


def test_what_may_not_be_signalled_ends_no_ending_never(
    program: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As for a program that has become another user's; who runs the tests may be root.
    def refuse(_pidfd: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    with contextlib.closing(Sweep("end", [program], NOBODY, 3.0)) as sweep:
        with monkeypatch.context() as patched:
            patched.setattr(signal, "pidfd_send_signal", refuse)
            steps = [swept(sweep) for _ in range(4)]
        assert steps == [False, False, False, True]
        assert program.alive()
        assert (sweep.processes, sweep.killed) == (1, 0)
        assert sweep.beyond == {program}
        assert sweep.fds() == []
    os.kill(program.pid, signal.SIGKILL)


def test_a_program_that_cannot_be_ended_is_left_behind() -> None:
    lane = Lane()
    terminal = lane.run(lane.session())
    end = only(lane.command("terminal.close", terminal_id=terminal), actions.End)
    done = lane.give(actions.Drained(terminal))
    assert only(done, actions.Announce).status.kind == "unknown"
    assert lane.give(actions.Drained(terminal)) == []
    done = lane.give(actions.Cleared(end.ending_id, 1, 0))
    assert answer(done) == {"sessions": 0, "terminals": 1, "processes": 1, "killed": 0}
    # It ends after all, by itself: nobody but the nursery is told.
    done = lane.give(actions.Exited(terminal, ExitStatus(kind="exited", code=7)))
    assert [type(action) for action in done] == [actions.Reap]

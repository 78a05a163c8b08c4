"""Identity: stat lines with hostile names, dead and ended processes, markers and descendants."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.waiting import wait_until
from lanekeeper.keeper import identity
from lanekeeper.keeper.rundir import Rundir


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], env={"MARK": "here", "PATH": os.environ["PATH"]})
    yield process
    process.kill()
    process.wait()


@given(st.text(max_size=16), st.integers(1, 2**22), st.integers(0, 2**40))
def test_any_name_of_a_command_is_parsed(comm: str, pid: int, started: int) -> None:
    line = f"{pid} ({comm}) S 4 " + " ".join(["0"] * 17) + f" {started} 0 0\n"
    stat = identity.parse_stat(line)
    assert stat == identity.Stat(pid, comm, "S", 4, started)


def test_name_with_parentheses_and_spaces() -> None:
    line = "7 (a) R 1 (b) Z 3 " + " ".join(["0"] * 17) + " 99 0"
    assert identity.parse_stat(line) == identity.Stat(7, "a) R 1 (b", "Z", 3, 99)


@pytest.mark.parametrize("line", ["", "7", "7 (x)", "7 (x) S", "x (x) S 1 " + "0 " * 20, "7 x S 1"])
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(identity.StatError):
        identity.parse_stat(line)


def test_live_process_is_itself_and_no_other(sleeper: subprocess.Popen[bytes]) -> None:
    started = identity.start_time(sleeper.pid)
    assert started is not None
    assert identity.Process(sleeper.pid, started).alive()
    other = identity.Process(sleeper.pid, started + 1)
    assert not other.alive()
    assert other.open_pidfd() is None
    assert not other.signal(signal.SIGKILL)
    assert sleeper.poll() is None


def test_ended_process_is_gone_but_not_its_pidfd(sleeper: subprocess.Popen[bytes]) -> None:
    process = identity.Process(sleeper.pid, identity.start_time(sleeper.pid) or 0)
    assert process.signal(signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive()
    assert identity.start_time(sleeper.pid, zombies=True) == process.start_time
    pidfd = process.open_pidfd()
    assert pidfd is not None
    os.close(pidfd)
    sleeper.wait()
    assert identity.start_time(sleeper.pid, zombies=True) is None
    assert process.open_pidfd() is None
    assert not process.signal(signal.SIGKILL)


def test_markers_are_found(sleeper: subprocess.Popen[bytes]) -> None:
    assert [process.pid for process in identity.marked("MARK", "here")] == [sleeper.pid]
    assert not list(identity.marked("MARK", "her"))


def test_plane_processes_and_what_terminals_started_are_told_apart(tmp_path: Path) -> None:
    directory = str(tmp_path)
    ours = {"LANEKEEPER_PLANE": directory, "LANEKEEPER_ROLE": "broker", "LANEKEEPER_DIR": directory}
    theirs = {"LANEKEEPER_DIR": directory, "LANEKEEPER_TERMINAL": "terminal_1"}
    started = [
        subprocess.Popen(["sleep", "600"], env={**environ, "PATH": os.environ["PATH"]})
        for environ in (ours, theirs, {"LANEKEEPER_DIR": directory})
    ]
    rundir = Rundir(tmp_path)
    try:
        found = identity.plane_processes(rundir)
        assert [(role, process.pid) for role, process in found] == [("broker", started[0].pid)]
        assert [process.pid for process in identity.plane_children(rundir)] == [started[1].pid]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_worker_that_was_started_by_hand_is_told_from_those_of_the_nursery(
    tmp_path: Path,
) -> None:
    directory = str(tmp_path)
    ours = {"LANEKEEPER_PLANE": directory, "LANEKEEPER_DIR": directory}
    name = f"open('/proc/self/comm', 'w').write('{identity.WORKER_COMM}')"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", f"{script}; print(flush=True); input()"],
            env={**ours, "LANEKEEPER_ROLE": role, "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for script, role in (("pass", "worker"), (name, "nursery"))
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
        everybody = identity.plane_processes(Rundir(tmp_path))
        found = [("worker", process.pid) for process in started]
        assert sorted((role, process.pid) for role, process in everybody) == sorted(found)
        forked = identity.plane_processes(Rundir(tmp_path), by_hand=False)
        assert [(role, process.pid) for role, process in forked] == found[1:]
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_a_fork_that_is_nothing_yet_is_not_taken_for_its_parent(tmp_path: Path) -> None:
    directory = str(tmp_path)
    ours = {
        "LANEKEEPER_PLANE": directory,
        "LANEKEEPER_ROLE": "nursery",
        "LANEKEEPER_DIR": directory,
    }
    nursery = subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo up; wait"],
        env={**ours, "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert nursery.stdout is not None
    assert nursery.stdout.readline() == b"up\n"
    # While the fork becomes `sleep` the kernel shows no environment of it.
    found = wait_until(
        lambda: len(seen := identity.plane_processes(Rundir(tmp_path))) > 1 and seen, 5, "a fork"
    )
    assert found
    assert sorted(role for role, _ in found) == [identity.FORK, "nursery"]
    assert ("nursery", nursery.pid) in [(role, process.pid) for role, process in found]
    os.killpg(nursery.pid, signal.SIGKILL)
    nursery.stdout.close()
    nursery.wait()


def test_descendants_come_after_their_parents() -> None:
    script = "import subprocess; subprocess.run(['sh', '-c', 'echo up; sleep 600; :'])"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    below = identity.descendants(process.pid)
    assert below
    assert process.pid not in {one.pid for one in below}
    assert process.pid in {one.pid for one in identity.descendants(os.getpid())}
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()

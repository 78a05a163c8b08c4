"""The leak checks go red: each kind of thing left behind is seen, named and swept."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import leaks, places, processes
from kit.waiting import wait_exit

SHORT_S = 0.2
UNSEEN = "held by nobody that can be seen"


@pytest.fixture
def before() -> Iterator[leaks.Snapshot]:
    taken = leaks.snapshot()
    yield taken
    leaks.sweep(taken)


def only_line(found: list[str], *words: str) -> None:
    # A terminal of a test beside this one can be on its way between two processes.
    mine = [line for line in found if UNSEEN not in line or UNSEEN in words]
    assert len(mine) == 1, found
    assert all(word in mine[0] for word in words), found


def test_nothing_left_is_no_finding(before: leaks.Snapshot, tmp_path: Path) -> None:
    assert leaks.left_behind(before, tmp_path, SHORT_S) == []


def test_a_running_child_is_seen_and_swept(before: leaks.Snapshot) -> None:
    child = subprocess.Popen(["sleep", "60"])
    only_line(leaks.left_behind(before, None, SHORT_S), f"process {child.pid}", "sleep 60")
    leaks.sweep(before)
    child.wait()
    assert leaks.left_behind(before, None, SHORT_S) == []


def test_a_zombie_is_seen(before: leaks.Snapshot) -> None:
    child = subprocess.Popen(["true"])
    wait_exit(child.pid, 5)
    only_line(leaks.left_behind(before, None, SHORT_S), f"zombie process {child.pid}")
    child.wait()


def test_an_orphan_in_its_own_session_is_seen(before: leaks.Snapshot) -> None:
    done = subprocess.run(
        ["setsid", "--fork", "sh", "-c", "exec sleep 60 >/dev/null 2>&1"], check=True
    )
    assert done.returncode == 0
    only_line(leaks.left_behind(before, None, SHORT_S), "sleep 60")


def test_what_a_terminal_started_is_seen_without_the_marker_of_the_run(
    before: leaks.Snapshot,
) -> None:
    place = places.private_directory()
    environ = {"LANEKEEPER_DIR": str(place / leaks.PLANE_DIRECTORY), "PATH": os.environ["PATH"]}
    subprocess.run(["setsid", "--fork", "sleep", "60"], env=environ, check=True)
    found = leaks.left_behind(before, None, SHORT_S)
    assert any("sleep 60" in line for line in found)
    assert any(f"directory {place}" in line for line in found)


def test_a_shared_plane_may_replace_its_own_process_but_not_leave_a_program() -> None:
    place = places.private_directory()
    standing = leaks.snapshot()
    run = str(place / leaks.PLANE_DIRECTORY)
    own = subprocess.Popen(["sleep", "60"], env={"LANEKEEPER_PLANE": run, "PATH": "/bin:/usr/bin"})
    assert leaks.left_behind(standing, None, SHORT_S) == []
    program = subprocess.Popen(
        ["sleep", "61"], env={"LANEKEEPER_DIR": run, "PATH": "/bin:/usr/bin"}
    )
    only_line(leaks.left_behind(standing, None, SHORT_S), "sleep 61")
    for child in (own, program):
        child.kill()
        child.wait()
    places.remove(place)


def test_a_descriptor_is_seen(before: leaks.Snapshot) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    only_line(leaks.left_behind(before, None, SHORT_S), f"descriptor {reading}", "pipe:")
    os.close(reading)


def test_a_thread_is_seen(before: leaks.Snapshot) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    only_line(leaks.left_behind(before, None, SHORT_S), f"thread {thread.native_id}")
    done.set()
    thread.join()


def test_a_pseudo_terminal_is_seen(before: leaks.Snapshot) -> None:
    master, slave = os.openpty()
    number = os.ttyname(slave).rpartition("/")[2]
    found = leaks.left_behind(before, None, SHORT_S)
    assert any(f"pseudo terminal {number}, held by process {os.getpid()}" in line for line in found)
    os.close(master)
    os.close(slave)
    assert leaks.left_behind(before, None) == []


def test_a_terminal_of_a_stranger_is_none_of_ours(before: leaks.Snapshot) -> None:
    script = (
        "import os, sys; os.setsid(); os.openpty(); print(os.getpid(), flush=True);"
        "[signal for signal in iter(lambda: sys.stdin.read(1), '')]"
    )
    # The shell ends at once, so that the holder is neither ours by birth nor by marker.
    stranger = subprocess.Popen(
        ["sh", "-c", f"exec 3<&0; '{sys.executable}' -c \"{script}\" <&3 &"],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stranger.stdin
    assert stranger.stdout
    pid = int(stranger.stdout.readline())
    stranger.wait()
    found = leaks.left_behind(before, None, SHORT_S)
    assert not [line for line in found if "pseudo terminal" in line]
    stranger.stdin.close()
    wait_exit(pid, 5)
    stranger.stdout.close()


def test_a_socket_file_is_seen(before: leaks.Snapshot, tmp_path: Path) -> None:
    path = tmp_path / "broker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    only_line(leaks.left_behind(before, tmp_path, SHORT_S), f"socket {path}")
    path.unlink()


def test_a_runtime_directory_is_seen_and_swept(before: leaks.Snapshot) -> None:
    place = places.private_directory()
    only_line(leaks.left_behind(before, None, SHORT_S), f"directory {place}")
    leaks.sweep(before)
    assert not place.exists()


def test_the_fixture_turns_what_is_left_into_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "process"
    folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    kit = Path(__file__).parents[2]
    (tmp_path / "tests" / "conftest.py").write_text((kit / "conftest.py").read_text("utf-8"))
    (folder / "test_it.py").write_text(
        "import subprocess\n"
        "def test_leaves_a_process():\n"
        "    subprocess.run(['setsid', '--fork', 'sleep', '60'], check=True)\n"
        "def test_is_not_blamed():\n"
        "    pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--import-mode=importlib"]
    environ = {k: v for k, v in os.environ.items() if k != processes.RUN_MARKER}
    done = subprocess.run(
        [*command, "tests"],
        cwd=tmp_path,
        env=environ | {"PYTHONPATH": str(kit)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 1, done.stdout
    assert "left behind: process" in done.stdout
    assert "sleep 60" in done.stdout
    assert "2 passed, 1 error" in done.stdout

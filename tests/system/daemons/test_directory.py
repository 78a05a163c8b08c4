"""The runtime directory is deleted under a plane that runs."""

import shutil
import signal
from pathlib import Path

from kit.cluster import Plane
from kit.observer import Observer
from kit.waiting import wait_until
from system.daemons.planes import successor, whole

WITHIN = 2.0
"""Seconds in which everything is there again."""

ECHO = ["sh", "-c", "echo up; while read line; do echo got $line; done"]


def sockets(plane: Plane) -> set[Path]:
    return {path for path in plane.dir.rglob("*") if path.is_socket()}


def test_deleted_directory_is_made_and_bound_again(plane: Plane) -> None:
    with plane.connect() as client:
        terminal = client.lane("kept").spawn(ECHO)
        with Observer(terminal) as seen:
            seen.until(b"up")
            before = sockets(plane)
            shutil.rmtree(plane.dir)
            wait_until(lambda: sockets(plane) == before, WITHIN, "all sockets")
            assert plane.dir.stat().st_mode & 0o777 == 0o700
            assert (plane.dir / "wanted").exists()
            terminal.send(b"there\n")
            seen.until(b"got there")
    assert plane.lane("ls").stdout.count("kept") == 1
    assert plane.lane("run", "fresh", "--", "sh", "-c", "exit 7").returncode == 7
    second = plane.lane("up")
    assert second.returncode == 5
    assert f"keeper {plane.pids('keeper')[0]}" in second.stderr


def test_plane_whose_directory_was_deleted_survives_its_processes(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("kept")
        terminal = lane.spawn(ECHO)
        with Observer(terminal) as seen:
            seen.until(b"up")
            before = sockets(plane)
            shutil.rmtree(plane.dir)
            wait_until(lambda: sockets(plane) == before, WITHIN, "all sockets")
            old = plane.kill("keeper")[0]
            successor(plane, old)
            plane.kill("worker", signal.SIGKILL, lane=lane.id)
            terminal.send(b"there\n")
            seen.until(b"got there")
            shutil.rmtree(plane.dir)
            wait_until(lambda: sockets(plane) == before, WITHIN, "all sockets again")
            terminal.send(b"again\n")
            seen.until(b"got again")


def test_single_socket_that_was_deleted_is_bound_again(plane: Plane) -> None:
    for name in ("keeper.sock", "nursery.sock", "broker.sock", "collector.sock"):
        (plane.dir / name).unlink()
        wait_until((plane.dir / name).is_socket, WITHIN, name)
    # A worker that was forked in between found no keeper; others are forked after a moment.
    wait_until(lambda: whole(plane), 10.0, "a whole plane")
    assert plane.lane("run", "fresh", "--", "sh", "-c", "exit 7").returncode == 7

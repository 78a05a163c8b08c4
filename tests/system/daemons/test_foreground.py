"""A keeper in the foreground, as `lane up` is: what its shell sees when it goes, what stays."""

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from kit.cluster import LANE, Plane
from kit.waiting import wait_until


@pytest.fixture
def idle() -> Iterator[Plane]:
    """A private directory with an environment, in which no plane runs."""
    place = Plane()
    yield place
    subprocess.run([LANE, "down", "--yes"], env=place.env, check=False, capture_output=True)
    place.base.joinpath("done").touch()
    for path in sorted(place.base.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.base.rmdir()


def pid_of_keeper(plane: Plane) -> int | None:
    done = plane.lane("status", "--json")
    if done.returncode != 0:
        return None
    status = json.loads(done.stdout)
    return int(status["pid"]) if not status["degraded"] else None


def in_foreground(plane: Plane) -> subprocess.Popen[bytes]:
    process = plane.start_lane("up")
    wait_until(lambda: pid_of_keeper(plane) == process.pid, 20.0, "a plane")
    return process


def test_killed_in_the_foreground_the_plane_runs_on_and_down_ends_it(idle: Plane) -> None:
    with in_foreground(idle) as process:
        assert idle.lane("run", "-d", "kept", "--", "sleep", "1000").returncode == 0
        process.kill()
        assert process.wait(10.0) == -signal.SIGKILL
    wait_until(lambda: pid_of_keeper(idle) not in {None, process.pid}, 20.0, "the next keeper")
    assert "came back within" in idle.lane("status").stdout
    assert "kept" in idle.lane("ls").stdout
    assert idle.lane("down", "--yes").returncode == 0
    assert not idle.left()


def test_replaced_in_the_foreground_it_says_so_and_ends_well(idle: Plane) -> None:
    with in_foreground(idle) as process:
        done = idle.lane("restart", "keeper", "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert (answer["role"], answer["pid"]) == ("keeper", pid_of_keeper(idle))
        assert "restarted keeper" in done.stderr
        _, errors = process.communicate(timeout=10.0)
        assert process.returncode == 0
        assert b"runs on under the next one" in errors
    assert idle.lane("down", "--yes").returncode == 0
    assert not idle.left()


def test_what_cannot_be_restarted_is_refused(idle: Plane) -> None:
    assert idle.lane("restart", "broker").returncode == 7
    with in_foreground(idle) as process:
        assert idle.lane("restart", "no-such-lane").returncode == 4
        assert idle.lane("restart").returncode == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(20.0) == 0
    assert idle.lane("status").returncode == 7

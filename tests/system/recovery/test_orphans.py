"""`lane orphans`: what planes and lanes leave behind is found, named, and cleaned when asked."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kit import places, processes
from kit.cluster import Plane
from kit.observer import Observer
from kit.waiting import kill_and_wait, wait_exit, wait_until
from lanekeeper.client import Lane, NotFound, Terminal
from lanekeeper.keeper import survey
from lanekeeper.keeper.facts import Facts
from lanekeeper.keeper.rundir import Rundir

DAEMON = 'sh -c "echo away \\$\\$; exec sleep 600 >/dev/null 2>&1 </dev/null"'
WIPED = f"(setsid env -i PATH=/usr/bin:/bin sh -c '{DAEMON} & exit' &)"
STRAY = """
import os, sys
with open("/proc/self/comm", "w") as comm:
    comm.write("lane-worker")
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def second() -> Iterator[Plane]:
    with Plane() as plane:
        yield plane


def orphans(plane: Plane) -> list[dict[str, Any]]:
    """Return what `lane orphans list` finds in this plane; other runs' are left out."""
    answer = plane.lane("orphans", "list", "--json")
    assert answer.returncode == 0, answer.stderr
    found: list[dict[str, Any]] = json.loads(answer.stdout)["orphans"]
    return [one for one in found if one["directory"] == str(plane.dir)]


def pids(found: list[dict[str, Any]]) -> list[int]:
    """Return the pids of all processes of these orphans."""
    return [process["pid"] for one in found for process in one["processes"]]


def clean(plane: Plane, *ids: str) -> dict[str, Any]:
    answer = plane.lane("orphans", "clean", "--yes", "--json", *ids)
    assert answer.returncode == 0, answer.stderr
    done: dict[str, Any] = json.loads(answer.stdout)
    return done


def daemon(lane: Lane, **options: Any) -> tuple[Terminal, int]:
    """Start a program that leaves a daemon without environment; return it and the daemon's pid."""
    terminal = lane.spawn(["sh", "-c", f"{WIPED}; sleep 0.5"], **options)
    with Observer(terminal) as seen:
        seen.until(b"away")
        seen.until(b"\n")
    line = next(line for line in bytes(seen.data).splitlines() if line.startswith(b"away"))
    return terminal, int(line.split()[1])


def kill_everything(plane: Plane) -> None:
    """Kill every process of the plane's own; the stopped keeper replaces none of them."""
    pids = [int(one["pid"]) for one in plane.processes()]
    keeper = plane.keeper.pid
    os.kill(keeper, signal.SIGSTOP)
    for pid in [*(pid for pid in pids if pid != keeper), keeper]:
        kill_and_wait(pid, signal.SIGKILL)


def test_a_whole_plane_has_no_orphans(plane: Plane) -> None:
    with plane.connect() as client:
        client.lane("build").spawn(["sleep", "600"])
        assert orphans(plane) == []
    answer = plane.lane("orphans", "list")
    assert answer.returncode == 0
    done = plane.lane("orphans", "clean", "orphan_aaaaaaaaaaaaaaaa", "--yes")
    assert done.returncode == 4
    assert "lane orphans list" in done.stderr


def test_what_outlives_its_forgotten_terminal_is_found_and_cleaned(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("build")
        terminal, pid = daemon(lane, keep_s=0.1)
        beside, other = daemon(lane)

        def forgotten() -> bool:
            try:
                terminal.refresh()
            except NotFound:
                return True
            return False

        wait_until(forgotten, 10, "end of the time the terminal is kept")

        def children() -> list[dict[str, Any]]:
            # Its cgroup is older than it is, and may be found before it.
            return [one for one in orphans(plane) if one["kind"] == "child-without-terminal"]

        found = wait_until(children, 10, "the daemon among the orphans")
        (child,) = found
        assert pids(found) == [pid]
        assert len(child["signals"]) > 1
        dry = plane.lane("orphans", "clean", "--dry-run")
        assert child["id"] in dry.stdout
        assert plane.lane("orphans", "clean").returncode == 3
        assert processes.look(pid) is not None
        done = clean(plane, *(one["id"] for one in found))
        assert done["by"] == "broker"
        assert [one["error"] for one in done["cleaned"]] == [None] * len(found)
        wait_exit(pid, 5)
        assert orphans(plane) == []
        assert processes.look(other) is not None
        with client.events(since=0, follow=False) as stream:
            told = [e.topic for e in stream if child["id"].encode() in bytes(e.payload)]
        assert told == ["orphan.found", "orphan.cleaned"]
        beside.close(0.2)
        wait_exit(other, 5)


def test_what_a_killed_plane_left_is_cleaned_without_one(plane: Plane) -> None:
    with plane.connect() as client:
        lane = client.lane("build")
        lane.spawn(["sleep", "600"])
        _, pid = daemon(lane)
    kill_everything(plane)
    found = orphans(plane)
    kinds = {one["kind"] for one in found}
    assert {"child-without-terminal", "stale-file"} <= kinds
    assert pid in pids(found)
    done = clean(plane, *(one["id"] for one in found))
    assert done["by"] == "command line"
    wait_exit(pid, 5)
    assert orphans(plane) == []
    assert plane.left() == []


def test_down_ends_what_a_killed_plane_left(plane: Plane) -> None:
    with plane.connect() as client:
        _, pid = daemon(client.lane("build"))
    kill_everything(plane)
    done = plane.lane("down", "--yes")
    assert done.returncode == 0, done.stderr
    wait_exit(pid, 5)
    assert plane.left() == []
    assert orphans(plane) == []


@pytest.mark.parametrize("role", ["broker", "collector", "nursery", "worker", "keeper"])
def test_down_leaves_nothing_whoever_was_killed(plane: Plane, role: str) -> None:
    with plane.connect() as client:
        _, pid = daemon(client.lane("build"))
        plane.kill(role)
    done = plane.lane("down", "--yes", timeout=40)
    assert done.returncode == 0, done.stderr
    wait_exit(pid, 5)
    wait_until(lambda: plane.left() == [], 5, "end of all that the plane had")


def test_the_plane_of_another_directory_is_found_when_its_keeper_is_dead(
    plane: Plane, second: Plane
) -> None:
    with second.connect() as client:
        terminal = client.lane("build").spawn(["sleep", "600"])
        program = terminal.info.pid
    nursery = second.pids("nursery")[0]
    os.kill(nursery, signal.SIGSTOP)
    second.kill("keeper")

    def others() -> list[dict[str, Any]]:
        listed = json.loads(plane.lane("orphans", "list", "--json").stdout)["orphans"]
        return [one for one in listed if one["directory"] == str(second.dir)]

    wait_until(lambda: nursery in pids(others()), 10, "the other plane among the orphans")
    (found,) = others()
    assert (found["kind"], found["recoverable"]) == ("plane-without-keeper", True)
    assert f"--runtime-dir {second.dir} down" in found["remedy"]
    assert program in pids([found])
    assert found["id"] not in plane.lane("orphans", "clean", "--dry-run").stdout
    done = clean(plane, found["id"])
    (outcome,) = done["cleaned"]
    assert outcome["killed"] >= 4
    wait_until(lambda: second.left() == [], 5, "end of the other plane")
    assert orphans(plane) == []


def test_stale_sockets_and_stray_workers_are_found(plane: Plane) -> None:
    stale = Path(plane.dir, "lanes", "lane_aaaaaaaaaaaaaaaa.out")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(stale))
    environ = plane.env | {"LANEKEEPER_PLANE": str(plane.dir), "LANEKEEPER_ROLE": "nursery"}
    with subprocess.Popen(
        [sys.executable, "-c", STRAY], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as stray:
        wait_until(lambda: len(orphans(plane)) > 1, 10, "the stray worker to be old enough")
        found = {one["kind"]: one for one in orphans(plane)}
        assert set(found) == {"stale-socket", "worker-without-lane"}
        assert found["stale-socket"]["paths"] == [str(stale)]
        assert [p["pid"] for p in found["worker-without-lane"]["processes"]] == [stray.pid]
        clean(plane)
        assert stray.wait(5) == -signal.SIGKILL
    assert orphans(plane) == []
    assert not stale.exists()


def test_a_dead_broker_does_not_hide_orphans(plane: Plane) -> None:
    broker = plane.pids("broker")[0]
    os.kill(broker, signal.SIGSTOP)
    answer = plane.lane("orphans", "list", "--json")
    os.kill(broker, signal.SIGCONT)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["by"] == "command line"
    assert json.loads(answer.stdout)["complete"] is False


def test_a_plane_whose_keeper_is_being_replaced_is_no_orphan(tmp_path: Path, plane: Plane) -> None:
    def keeper(facts: Facts) -> int | None:
        return next(one.keeper for one in facts.places if one.directory == str(plane.dir))

    elsewhere = Rundir(tmp_path / "nothing")
    (nursery,) = plane.pids("nursery")
    os.kill(nursery, signal.SIGSTOP)
    kill_and_wait(plane.keeper.pid)
    assert keeper(survey.look(elsewhere)) is None
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(survey.look_twice, elsewhere, 20.0)
        os.kill(nursery, signal.SIGCONT)
        assert keeper(looking.result()) is not None


def test_there_need_not_be_a_plane(tmp_path: Path, plane: Plane) -> None:
    nowhere = tmp_path / "nothing"
    answer = plane.lane("--runtime-dir", str(nowhere), "orphans", "list", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)["orphans"]
    ours = [one for one in found if one["directory"] in {str(nowhere), str(plane.dir)}]
    assert ours == [], f"keeper {plane.keeper.pid}; {answer.stdout}"
    assert not nowhere.exists()


def test_a_cgroup_holds_what_took_off_every_other_sign(plane: Plane) -> None:
    script = f"ulimit -x unlimited; {WIPED}; sleep 600"
    with plane.connect() as client:
        terminal = client.lane("build").spawn(["bash", "-c", script])
        with Observer(terminal) as seen:
            seen.until(b"away")
            seen.until(b"\n")
        pid = int(bytes(seen.data).split(b"away")[1].split()[0])
        held = terminal.id in [path.name for path in places.cgroups_of(plane.dir)]
        terminal.close(0.2)
        if held:
            wait_exit(pid, 5)
    plane.stop()
    wait_exit(pid, 5)


@pytest.mark.parametrize("cgroups", ["auto", "never"])
def test_daemons_end_with_their_terminal_with_and_without_cgroups(cgroups: str) -> None:
    with Plane(env={"LANEKEEPER_CGROUPS": cgroups}) as plane, plane.connect() as client:
        terminal, pid = daemon(client.lane("build"))
        inside = [path.name for path in places.cgroups_of(plane.dir)]
        if cgroups == "never":
            assert inside == []
        elif inside:
            assert terminal.id in inside
        terminal.close(0.2)
        wait_exit(pid, 5)
        assert terminal.id not in [path.name for path in places.cgroups_of(plane.dir)]

"""A whole plane: one keeper, restarts, the way down, what is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lanekeeper.keeper import identity
from lanekeeper.keeper.launch import DEFAULT_WARM
from lanekeeper.keeper.lock import holder
from process.keeper.plane import Plane, read_until, terminal, until

Start = Callable[..., Plane]


def process(pid: int) -> identity.Process:
    return identity.Process(pid, identity.start_time(pid) or 0)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    assert process(pid).signal(number)


def grant(plane: Plane, lane_id: str) -> int:
    broker = plane.broker()
    broker.ask({"op": "grant", "id": lane_id, "lane": {"lane_id": lane_id, "generation": 1}})
    pid = broker.expect("granted", id=lane_id).message["pid"]
    broker.close()
    return int(pid)


def test_every_process_carries_its_markers(plane: Plane) -> None:
    plane.warm()
    roles = sorted(role for role, _ in identity.plane_processes(plane.rundir))
    # Workers share the first environment of the nursery; their name tells them apart.
    assert roles == ["broker", "collector", "keeper", "nursery", *["worker"] * DEFAULT_WARM]


def test_second_keeper_is_refused_with_the_first_ones_pid(plane: Plane, start: Start) -> None:
    assert holder(plane.rundir.lock) == plane.process.pid
    second = start()
    assert second.process.wait(10) == 5
    assert second.process.stderr is not None
    assert f"pid {plane.process.pid}" in second.process.stderr.read().decode()
    assert second.announced().startswith("error ")
    assert plane.status()["degraded"] == []


def test_down_leaves_no_process_socket_or_file(plane: Plane) -> None:
    plane.warm()
    grant(plane, "lane_down")
    assert plane.rundir.wanted.exists()
    below = identity.descendants(plane.process.pid)
    (plane.rundir.lanes / "lane_stale.out").touch()
    client = plane.client()
    client.ask({"op": "down", "id": 1})
    client.expect("stopping", id=1)
    client.eof()
    assert plane.process.wait(10) == 0
    assert len(below) >= 5
    assert not [one for one in below if one.alive()]
    own = {"relay.sock", "lane_down.json"}
    left = {path.name for path in plane.rundir.path.iterdir()} - own
    assert left == {"lanes", "log", "metrics"}
    assert not list(plane.rundir.lanes.iterdir())


def test_ephemeral_plane_removes_its_directory(start: Start) -> None:
    plane = start(ephemeral=True)
    assert plane.announced() == "ready"
    plane.process.send_signal(signal.SIGTERM)
    assert plane.process.wait(10) == 0
    assert not plane.rundir.path.exists()


def test_stale_sockets_of_a_dead_plane_are_replaced(plane: Plane, start: Start) -> None:
    below = identity.descendants(plane.process.pid)
    plane.process.send_signal(signal.SIGSTOP)
    for one in below:
        one.signal(signal.SIGKILL)
    plane.process.kill()
    plane.process.wait()
    second = start()
    assert second.announced() == "ready"
    assert second.status()["pid"] == second.process.pid


def test_killed_broker_comes_back_and_workers_hear_of_it(plane: Plane) -> None:
    plane.warm()
    pid = grant(plane, "lane_kept")
    first = plane.pids("broker")[0]
    plane.rundir.path.joinpath("relay.sock").unlink()
    kill(first)
    broker = plane.broker()
    lanes = broker.expect("workers", more=False).message["lanes"]
    assert [(one["lane"]["lane_id"], one["pid"]) for one in lanes] == [("lane_kept", pid)]
    found = until(lambda: [p for p in plane.pids("broker") if p != first], "a new broker")
    assert len(found) == 1
    restarts = [one["restarts"] for one in plane.status()["processes"] if one["role"] == "broker"]
    assert restarts == [1]
    assert process(pid).alive()


def test_killed_nursery_comes_back_with_warm_workers_of_its_own(plane: Plane) -> None:
    old = plane.warm()
    granted = grant(plane, "lane_kept")
    kill(plane.pids("nursery")[0])
    fresh = until(
        lambda: set(plane.warm()).isdisjoint({*old, granted}) and plane.warm(), "new workers"
    )
    assert fresh
    assert process(granted).alive()
    until(lambda: not any(process(pid).alive() for pid in old if pid != granted), "the old to end")


def test_restart_replaces_a_daemon(plane: Plane) -> None:
    before = plane.pids("collector")
    client = plane.client()
    client.ask({"op": "restart", "id": "r", "role": "collector"})
    pid = client.expect("restarted", id="r").message["pid"]
    assert plane.pids("collector") == [pid] != before
    client.ask({"op": "restart", "id": "k", "role": "client"})
    assert client.expect("error", id="k").message["code"] == "INVALID_ARGUMENT"


def test_daemon_that_never_starts_is_told_and_the_plane_given_up(start: Start) -> None:
    plane = start(commands={"broker": [sys.executable, "-c", "raise SystemExit(3)"]})
    line = plane.announced()
    assert line.startswith("error broker does not start")
    assert "code 3" in line
    assert plane.process.wait(15) == 1


def test_second_interrupt_forces(start: Start) -> None:
    plane = start(entry="process.keeper.stub_worker:stubborn")
    assert plane.announced() == "ready"
    plane.warm()
    below = identity.descendants(plane.process.pid)
    plane.process.send_signal(signal.SIGINT)
    client = plane.client()

    def draining() -> bool:
        client.ask({"op": "status", "id": 1})
        found = client.expect("status").message["processes"]
        return any(one["state"] == "draining" for one in found)

    until(draining, "workers to be drained")
    plane.process.send_signal(signal.SIGINT)
    assert plane.process.wait(5) == 130
    assert not [one for one in below if one.alive()]
    assert not plane.rundir.wanted.exists()


def test_grandchild_in_its_own_session_is_ended_at_down(plane: Plane, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    script = f"setsid sh -c 'trap \"\" TERM HUP; echo $$ > {marker}; while :; do sleep 60; done' &"
    nursery = plane.nursery()
    with terminal(nursery, ["/bin/sh", "-c", f"{script} echo started; wait"]) as child:
        child.open_gate()
        read_until(child.master, b"started")
        until(lambda: marker.exists() and marker.read_text().strip(), "the grandchild's pid")
        survivor = process(int(marker.read_text()))
        assert survivor.alive()
        plane.process.send_signal(signal.SIGTERM)
        assert plane.process.wait(15) == 0
        assert not survivor.alive()


def test_keeper_runs_itself_again_for_its_markers(tmp_path: Path) -> None:
    directory = tmp_path / "plane"
    directory.mkdir(mode=0o755)
    command = [sys.executable, "-m", "lanekeeper.keeper", "--runtime-dir", str(directory)]
    environ = {name: value for name, value in os.environ.items() if "LANEKEEPER" not in name}
    done = subprocess.run(command, env=environ, capture_output=True, timeout=20, check=False)
    assert done.returncode == 3
    assert b"chmod 700" in done.stderr

"""`up`, `down`, `status`, `restart`, `logs`, `doctor`: the plane itself."""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.cluster import LANE, Plane
from kit.typist import Typist
from kit.viewers import stays
from kit.waiting import wait_line, wait_until


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


def test_as_many_workers_are_ready_as_were_asked_for(idle: Plane) -> None:
    for wrong in ("0", "257", "many"):
        assert idle.lane("up", "--detach", "--warm", wrong).returncode == 2
    up = idle.lane("up", "--detach", "--warm", "2")
    assert up.returncode == 0, up.stderr

    def ready() -> int:
        found = json.loads(idle.lane("status", "--json").stdout)["processes"]
        return sum(one["role"] == "worker" for one in found)

    wait_until(lambda: ready() == 2, 15, "two workers")
    stays(lambda: ready() == 2, 1.0, "no more of them")


def test_up_detached_then_a_second_one_then_down(idle: Plane) -> None:
    assert idle.lane("down").returncode == 7
    up = idle.lane("up", "--detach", "--json")
    assert up.returncode == 0, up.stderr
    pid = json.loads(up.stdout)["pid"]
    second = idle.lane("up")
    assert second.returncode == 5
    assert str(pid) in second.stderr
    status = json.loads(idle.lane("status", "--json").stdout)
    assert (status["state"], status["pid"], status["lanes"]) == ("running", pid, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", status["started"])
    since = datetime.now(UTC) - datetime.fromisoformat(status["started"])
    assert 0 <= since.total_seconds() < 60
    assert {p["role"] for p in status["processes"]} >= {"keeper", "nursery", "broker"}
    down = idle.lane("down")
    assert down.returncode == 0, down.stderr
    assert idle.lane("status").returncode == 7
    assert not list(idle.dir.glob("*.sock"))


def test_up_in_the_foreground_stops_with_ctrl_c(idle: Plane) -> None:
    with Typist([LANE, "up"], env=idle.env, cols=160) as person:
        person.expect("Ctrl-C")
        wait_until(lambda: idle.lane("status").returncode == 0, 20.0, "plane")
        person.press("ctrl-c")
        assert person.expect_exit(30.0) == 0
    assert idle.lane("status").returncode == 7


def test_down_asks_a_person_when_lanes_live(idle: Plane) -> None:
    assert idle.lane("up", "--detach").returncode == 0
    assert idle.lane("create", "one").returncode == 0
    with Typist([LANE, "down"], env=idle.env) as person:
        person.expect("go ahead?")
        person.enter("n")
        assert person.expect_exit() == 3
    assert idle.lane("status").returncode == 0
    with Typist([LANE, "down"], env=idle.env) as person:
        person.expect("go ahead?")
        person.enter("y")
        assert person.expect_exit(30.0) == 0
    assert idle.lane("status").returncode == 7


def test_status_without_a_broker(idle: Plane) -> None:
    assert idle.lane("up", "--detach").returncode == 0
    processes = json.loads(idle.lane("status", "--json").stdout)["processes"]
    (broker,) = [p["pid"] for p in processes if p["role"] == "broker"]
    os.kill(broker, signal.SIGSTOP)
    try:
        done = idle.lane("status", "--json")
    finally:
        os.kill(broker, signal.SIGCONT)
    status = json.loads(done.stdout)
    assert done.returncode == 0
    assert status["state"] == "degraded"
    assert "broker" in {entry["role"] for entry in status["degraded"]}
    assert idle.lane("down").returncode == 0


def behead(plane: Plane) -> None:
    """Kill the keeper and the nursery that would start another."""
    status = json.loads(plane.lane("status", "--json").stdout)
    pids = {one["role"]: one["pid"] for one in status["processes"]}
    os.kill(pids["keeper"], signal.SIGSTOP)
    for role in ("nursery", "keeper"):
        os.kill(pids[role], signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pids['keeper']}/exe").exists(), 5, "the keeper is gone")


def test_second_up_after_the_keepers_death_names_the_next_one(idle: Plane) -> None:
    up = idle.lane("up", "--detach", "--json")
    os.kill(json.loads(up.stdout)["pid"], signal.SIGKILL)
    second = idle.lane("up", "--detach")
    assert second.returncode == 5
    status = json.loads(idle.lane("status", "--json").stdout)
    assert f"keeper {status['pid']}" in second.stderr
    assert status["pid"] != json.loads(up.stdout)["pid"]
    assert idle.lane("down", "--yes").returncode == 0


def test_no_second_plane_beside_one_that_lost_its_keeper(idle: Plane) -> None:
    assert idle.lane("up", "--detach").returncode == 0
    assert idle.lane("run", "-d", "kept", "--", "sleep", "1000").returncode == 0
    behead(idle)
    refused = idle.lane("up", "--detach")
    assert refused.returncode == 5
    assert "worker" in refused.stderr, (idle.dir / "log" / "worker.log").read_text()
    assert "lane down" in refused.stderr
    assert "kept" in idle.lane("ls").stdout
    assert idle.lane("down", "--yes").returncode == 0


def test_status_and_down_without_a_keeper(idle: Plane) -> None:
    up = idle.lane("up", "--detach", "--json")
    assert idle.lane("run", "-d", "orphan", "--", "setsid", "sleep", "1000").returncode == 0
    assert idle.lane("run", "-d", "plain", "--", "sleep", "1000").returncode == 0
    os.kill(json.loads(up.stdout)["pid"], signal.SIGSTOP)
    hung = idle.lane("status", "--json")
    assert "keeper" in {entry["role"] for entry in json.loads(hung.stdout)["degraded"]}
    os.kill(json.loads(up.stdout)["pid"], signal.SIGCONT)
    behead(idle)
    status = json.loads(idle.lane("status", "--json").stdout)
    assert "keeper" in {entry["role"] for entry in status["degraded"]}
    assert idle.lane("down").returncode == 3
    dry = idle.lane("down", "--dry-run", "--json")
    plan = json.loads(dry.stdout)
    assert (plan["dry_run"], plan["by"]) == (True, "command line")
    assert plan["children"] >= 1
    assert {"broker", "worker"} <= {one["role"] for one in plan["processes"]}
    assert "nothing was stopped" in idle.lane("down", "--dry-run").stdout
    down = idle.lane("down", "--yes", "--json")
    assert down.returncode == 0, down.stderr
    assert json.loads(down.stdout)["by"] == "command line"
    assert idle.lane("status").returncode == 7
    assert idle.lane("up", "--detach").returncode == 0
    assert idle.lane("down").returncode == 0


def test_restart_of_the_broker_keeps_the_program(idle: Plane) -> None:
    assert idle.lane("up", "--detach").returncode == 0
    assert idle.lane("run", "-d", "keep", "--", "cat").returncode == 0
    done = idle.lane("restart", "broker", "--json")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: "keep" in idle.lane("ls").stdout, 10.0, "lane to come back")
    assert idle.lane("send", "keep", "hello", "--enter").returncode == 0
    assert idle.lane("restart", "nothing").returncode == 4
    assert idle.lane("down", "--yes").returncode == 0


def test_restart_of_everything_under_a_program_that_talks(idle: Plane) -> None:
    assert idle.lane("up", "--detach").returncode == 0
    count = ["sh", "-c", "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo $i; done; read x; exit 7"]
    assert idle.lane("run", "-d", "talks", "--", *count).returncode == 0
    before = processes(idle)
    done = idle.lane("restart", "all", "--json", timeout=90.0)
    assert done.returncode == 0, done.stderr
    roles = [one["role"] for one in json.loads(done.stdout)["restarted"]]
    assert roles == ["nursery", "collector", "broker", "worker", "keeper"]
    assert "restarted worker of lane talks" in done.stderr
    after = processes(idle)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    read = idle.lane("read", "talks")
    assert read.stdout.split() == [str(number) for number in range(1, 4001)]
    assert idle.lane("send", "talks", "--enter", "x").returncode == 0
    assert "exit 7" in idle.lane("wait", "talks", "--exit", "--timeout", "10").stdout
    assert idle.lane("down", "--yes").returncode == 0


def processes(plane: Plane) -> dict[str, int]:
    status = json.loads(plane.lane("status", "--json").stdout)
    assert status["degraded"] == []
    return {
        one["role"]: one["pid"]
        for one in status["processes"]
        if one["role"] != "worker" or one.get("lane")
    }


def descriptors(pid: int) -> str:
    """What the descriptors of a process are; one that is closed meanwhile is left out."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(each.readlink()))
    return " ".join(found)


def test_logs(idle: Plane) -> None:
    assert idle.lane("logs", "broker").returncode == 7
    assert idle.lane("up", "--detach").returncode == 0
    assert idle.lane("logs", "broker", "-n", "1").stdout.count("\n") == 1
    (line,) = idle.lane("logs", "broker", "-n", "1", "--json").stdout.splitlines()
    assert (json.loads(line)["role"], json.loads(line)["schema"]) == ("broker", 1)
    with idle.start_lane("logs", "broker", "--follow", "-n", "0", "--json") as follower:
        try:
            assert follower.stdout is not None
            wait_until(lambda: "inotify" in descriptors(follower.pid), 10.0, "the file is watched")
            idle.lane("create", "logged")
            told = json.loads(wait_line(follower.stdout.fileno(), 10.0, "line of the log"))
            assert told["level"] == "INFO"
        finally:
            follower.terminate()
    assert idle.lane("down", "--yes").returncode == 0


def test_a_runtime_directory_open_to_others_is_refused(idle: Plane) -> None:
    idle.dir.mkdir(mode=0o755)
    idle.dir.chmod(0o755)
    for verb in (["up", "-d"], ["status"], ["ls"], ["down"]):
        done = idle.lane(*verb)
        assert done.returncode == 3
        assert "chmod 700" in done.stderr


def test_doctor(idle: Plane) -> None:
    done = idle.lane("doctor", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (0, True)
    names = {finding["name"] for finding in report["findings"]}
    assert names >= {"python", "pyzmq", "pidfd", "memfd", "pty", "splice from a tty", "plane"}
    assert names >= {"seqpacket", "processes", "/dev/ptmx", "clock", "disk", "memory"}
    assert all(finding["fix"] for finding in report["findings"] if finding["grade"] != "ok")
    assert "ok    python" in idle.lane("doctor").stdout


def test_a_worker_and_a_broker_by_hand(idle: Plane) -> None:
    broker = idle.start_lane("broker")
    with broker:
        try:
            wait_until((idle.dir / "broker.sock").exists, 10.0, "broker.sock")
            assert idle.lane("create", "x").returncode == 7
            worker = idle.start_lane("worker", "hand")
            with worker:
                try:
                    wait_until(lambda: "hand" in idle.lane("ls").stdout, 20.0, "lane hand")
                finally:
                    worker.terminate()
        finally:
            broker.terminate()

"""A plane that says how it is: figures of what really happened, through `lane diag` and the bus."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
import zmq

from kit.cluster import Plane
from kit.pages import Pages
from kit.waiting import wait_until
from lanekeeper.keeper import identity
from lanekeeper.wire.messages.diagnostics import Diagnostics, DiagnosticsRequest
from lanekeeper.wire.sample import SAMPLE_VERSION

SOON_S = 12.0
"""Samples come at most every 5 s."""


def diag(plane: Plane, *options: str) -> dict[str, Any]:
    done = plane.lane("diag", "--json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ask(plane: Plane, lanes: int = 0) -> Diagnostics:
    with plane.connect() as client:
        return client.call("diagnostics.get", DiagnosticsRequest(lanes=lanes), result=Diagnostics)


def until(plane: Plane, key: str, count: int) -> None:
    wait_until(lambda: ask(plane).metrics[key].count >= count, SOON_S, f"{count} of {key}")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_program_that_says_nothing_is_in_the_figures_of_its_lane(shared_plane: Plane) -> None:
    plane = shared_plane
    with plane.connect() as client:
        silent = client.lane("silent")
        wait_until(lambda: ask(plane, 1).lanes_total == 1, SOON_S, "the worker's first sample")
        silent.spawn(("sh", "-c", "read never"))
        wait_until(lambda: ask(plane, 1).lanes[0].terminals == 1, SOON_S, "the program")


def test_figures_of_a_plane_that_is_used(shared_plane: Plane) -> None:
    plane = shared_plane
    for name in ("one", "two"):
        assert plane.lane("run", name, "--", "echo", "hello").returncode == 0
    until(plane, "lane_create_latency", 2)
    found = diag(plane, "--lanes", "5")
    create = found["metrics"]["lane_create_latency"]
    assert create["metric"] == "lanekeeper_lane_create_seconds"
    assert 0 < create["min"] <= create["p50"] <= create["p95"] <= create["max"] < 5
    assert {"session_restore_latency", "output_backlog_depth"} <= found["metrics"].keys()
    assert found["lanes_total"] == len(found["lanes"]) == 2
    roles = {one["role"]: one for one in found["processes"]}
    assert roles.keys() >= {"keeper", "nursery", "broker", "collector", "worker"}
    text = plane.lane("diag").stdout
    assert text.startswith("plane: ")
    assert "lane_create_latency" in text
    assert "p95 15.0ms / 30.0ms" in text
    assert "\x1b" not in text
    assert "\x1b[" in plane.lane("--color", "always", "diag").stdout
    assert "\x1b" not in plane.lane("--color", "auto", "diag", env={"NO_COLOR": "1"}).stdout


def test_status_says_where_the_metrics_are(shared_plane: Plane) -> None:
    found = json.loads(shared_plane.lane("status", "--json").stdout)["metrics"]
    pages = Pages(shared_plane.dir)
    assert (found["url"], found["port"]) == (pages.url, pages.port)
    assert found["token_file"] == str(shared_plane.dir / "metrics" / "token")
    assert found["url"] in shared_plane.lane("status").stdout
    keepers = 'lanekeeper_processes{role="keeper"}'
    wait_until(lambda: pages.figures().get(keepers) == 1, SOON_S, "the first look at processes")
    assert pages.figures()["lanekeeper_series"] < 2_000


def test_a_worker_that_was_killed_is_a_fault_that_was_made_good(plane: Plane) -> None:
    assert plane.lane("run", "-d", "built", "--", "sleep", "1000").returncode == 0
    with plane.connect() as client:
        (lane,) = client.lanes()
    assert lane.pid is not None
    os.kill(lane.pid, signal.SIGKILL)
    until(plane, "crash_recovery_latency", 1)
    until(plane, "restarts", 1)
    found = ask(plane)
    assert found.metrics["crash_recovery_latency"].count == 1
    assert found.status in {"warn", "fail"}
    (fault,) = found.faults
    assert (fault.role, fault.recovered) == ("worker", True)
    assert "restarts: " in plane.lane("diag").stdout
    seen = wait_until(lambda: _changes(plane), SOON_S, "an event of the change")
    assert (seen["before"], seen["finding"]["status"]) == ("pass", "warn")


def test_a_keeper_that_was_to_be_replaced_is_no_death(plane: Plane) -> None:
    restarts = 'lanekeeper_process_restarts_total{reason="%s",role="keeper"}'

    def counted(reason: str) -> bool:
        return Pages(plane.dir).figures()[restarts % reason] == 1

    assert plane.lane("restart", "keeper").returncode == 0
    wait_until(lambda: counted("asked"), SOON_S, "the restart that was asked for")
    assert not counted("unknown")
    plane.kill("keeper")
    wait_until(lambda: counted("unknown"), SOON_S, "the death of the next one")
    assert counted("asked")


def _changes(plane: Plane) -> Any:
    lines = plane.lane("events", "--since", "0", "--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    changes = [e["payload"]["metric"] for e in events if e["topic"] == "diagnostics.metric"]
    return next((one for one in changes if one["key"] == "restarts"), None)


def test_a_killed_collector_is_replaced_and_no_counter_falls(plane: Plane) -> None:
    assert plane.lane("run", "one", "--", "seq", "10000").returncode == 0
    until(plane, "lane_create_latency", 1)
    pages = Pages(plane.dir)
    before = pages.figures()
    (pid,) = plane.pids("collector")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: plane.pids("collector") not in ([], [pid]), 10.0, "another collector")
    wait_until(lambda: _answers(plane), 10.0, "diagnostics again")
    again = Pages(plane.dir)
    assert (again.url, again.token) == (pages.url, pages.token)
    after = again.figures()
    for name, value in before.items():
        if name.partition("{")[0].endswith(("_total", "_count", "_sum", "_bucket")):
            assert after[name] >= value, name
    created = 'lanekeeper_lane_create_seconds_count{status="ok"}'
    assert after[created] == before[created] == 1


def _answers(plane: Plane) -> bool:
    return plane.lane("diag").returncode == 0


def test_diagnostics_of_a_hanging_collector_cost_two_seconds_and_nothing_else(
    shared_plane: Plane,
) -> None:
    plane = shared_plane
    wait_until(lambda: _answers(plane), 10.0, "a collector that is registered")
    (pid,) = plane.pids("collector")
    with stopped(pid):
        done = plane.lane("diag", timeout=10.0)
        assert (done.returncode, done.stdout) == (8, "")
        assert "the collector has not answered in 2 s" in done.stderr
        assert plane.lane("run", "one", "--", "echo", "works").stdout == "works\n"
    wait_until(lambda: _answers(plane), 10.0, "a collector that goes on")


def test_a_new_broker_knows_the_collector_at_once(shared_plane: Plane) -> None:
    plane = shared_plane
    wait_until(lambda: _answers(plane), 10.0, "a collector that is registered")
    (pid,) = plane.pids("broker")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: plane.pids("broker") not in ([], [pid]), 10.0, "another broker")
    wait_until(lambda: _answers(plane), 10.0, "diagnostics through the new one")
    wait_until(lambda: ask(plane).metrics["restarts"].count == 1, SOON_S, "the restart")


def test_only_check_makes_a_failing_figure_an_exit_status(shared_plane: Plane) -> None:
    plane = shared_plane
    me = identity.current()
    backlog = ["lanekeeper_output_backlog_chunks", [], [0] * 7 + [9, 0, 0], 1800.0, [200.0] * 9]
    sample = {"v": SAMPLE_VERSION, "role": "worker", "pid": me.pid, "start_time": me.start_time}
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    push = context.socket(zmq.PUSH)
    try:
        push.connect(f"ipc://{plane.dir}/collector.sock")
        push.send(msgpack.packb({**sample, "spreads": [backlog]}))
        until(plane, "output_backlog_depth", 9)
    finally:
        push.close(0)
        context.term()
    assert plane.lane("diag").returncode == 0
    done = plane.lane("diag", "--check")
    assert done.returncode == 1
    assert "fail output_backlog_depth: Consumers do not keep up" in done.stdout
    assert plane.lane("diag", "--check", "--json").returncode == 1


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_every_plane_has_a_token_of_its_own(plane: Plane, signum: signal.Signals) -> None:
    before = Pages(plane.dir)
    (pid,) = plane.pids("collector")
    os.kill(pid, signum)
    wait_until(lambda: plane.pids("collector") not in ([], [pid]), 10.0, "another collector")
    assert Pages(plane.dir).token == before.token
    plane.stop()
    assert not (plane.dir / "metrics" / "token").exists()


def test_a_port_of_choice() -> None:
    port = free_port()
    with Plane(options=("--metrics-port", str(port))) as plane:
        assert Pages(plane.dir).url == f"http://127.0.0.1:{port}/metrics"
        (pid,) = plane.pids("collector")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: plane.pids("collector") not in ([], [pid]), 10.0, "another collector")
        wait_until(lambda: _answers(plane), 10.0, "diagnostics again")
        assert Pages(plane.dir).get("/healthz")[0] == 200


def free_port() -> int:
    """Return a port that nobody gets by chance: it is below those that the kernel hands out."""
    first = 20_000 + os.getpid() % 10_000
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port")

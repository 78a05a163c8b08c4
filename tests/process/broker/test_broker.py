"""The broker as a process: real sockets, a worker made of pyzmq and msgpack, no keeper."""

import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import msgpack
import zmq

from kit.waiting import wait_until
from lanekeeper.wire.sample import decode_sample
from process.broker.bus import DEFAULT, Bus, Client, Daemon, Subscriber, Worker


def _registered(bus: Bus, client: Client, worker: Worker) -> None:
    subscriber = Subscriber(bus)
    worker.register()
    assert subscriber.until("lane.created")[-1]["lane_id"] == worker.lane_id
    assert client.call("lane.list")["lanes"][0]["status"] == "ready"


def test_it_says_hello(bus: Bus) -> None:
    hello = bus.client().call("plane.hello", {"client": "test"})
    assert hello["protocol"] == "helios.localbus.v1"
    assert hello["versions"] == [1]
    assert hello["complete"] is True
    assert hello["limits"]["max_frame"] == 262_144
    assert "lane.create" in hello["capabilities"]
    assert "agent.run" not in hello["capabilities"]
    assert hello["events_endpoint"] == f"ipc://{bus.directory}/events.sock"


def test_its_sockets_are_the_owners_alone(directory: Path, broker: Daemon) -> None:
    for name in ("broker", "workers", "events"):
        mode = (directory / f"{name}.sock").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert broker.stop() == 0
    assert not list(directory.glob("*.sock"))


def test_ctrl_c_ends_it_well(broker: Daemon) -> None:
    assert broker.stop(signal.SIGINT) == 0


def test_a_second_broker_is_refused_and_the_first_goes_on(bus: Bus) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "lanekeeper.broker", "--runtime-dir", str(bus.directory)],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert second.returncode == 5
    assert "serves" in second.stderr
    assert bus.client().call("workspace.list")["workspaces"][0]["name"] == "default"


def test_the_socket_of_a_killed_broker_is_taken_over(directory: Path) -> None:
    first = Daemon(directory, "broker")
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    second = Daemon(directory, "broker")
    with Bus(directory) as bus:
        assert bus.client().call("lane.list")["lanes"] == []
    assert second.stop() == 0


def test_commands_reach_a_worker_and_answers_come_back_unchanged(bus: Bus) -> None:
    client, worker = bus.client(), Worker(bus, "build")
    _registered(bus, client, worker)
    command_id = client.send("session.create", {"name": "main"}, lane_id=worker.lane_id)
    command = worker.receive()
    assert command["id"] == command_id
    assert command["payload"] == {"name": "main"}
    assert command["correlation_id"] == "corr-test"
    worker.answer(command, {"anything": [1, b"\x00\xff"]})
    answer = client.receive()
    assert answer["id"] == command_id
    assert answer["result"] == {"anything": [1, b"\x00\xff"]}


def test_a_slow_lane_delays_no_other(bus: Bus) -> None:
    client, slow, quick = bus.client(), Worker(bus, "slow"), Worker(bus, "quick", 2)
    subscriber = Subscriber(bus)
    for worker in (slow, quick):
        worker.register()
        subscriber.until("lane.created")
    waiting = client.send("session.create", lane_id=slow.lane_id)
    stuck = slow.receive()
    for _ in range(100):
        client.send("terminal.get", lane_id=quick.lane_id, terminal_id="term_x")
        quick.answer(quick.receive(), {})
        assert client.receive()["status"] == "ok"
    slow.answer(stuck, {})
    assert client.receive()["id"] == waiting


def test_events_are_numbered_joined_and_replayed(bus: Bus) -> None:
    client = bus.client()
    subscriber = Subscriber(bus)
    client.call("workspace.create", {"name": "one"})
    client.call("workspace.open", {"name": "one"})
    events = subscriber.until("context.changed")
    assert [event["topic"] for event in events] == [
        "workspace.created",
        "workspace.opened",
        "context.changed",
    ]
    assert [event["seq"] for event in events] == [subscriber.seq + n for n in (1, 2, 3)]
    assert {event["epoch"] for event in events} == {subscriber.epoch}
    assert {event["correlation_id"] for event in events} == {"corr-test"}
    replay = client.call("events.replay", {"since": subscriber.seq, "epoch": subscriber.epoch})
    assert replay["events"] == events
    assert replay["last"] == subscriber.seq + 3


def test_a_lane_is_cleaned_up(bus: Bus) -> None:
    client, worker = bus.client(), Worker(bus, "build")
    _registered(bus, client, worker)
    subscriber = Subscriber(bus)
    client.send("lane.cleanup", lane_id=worker.lane_id)
    ended = {"sessions": 0, "terminals": 0, "processes": 0, "killed": 0}
    worker.answer(worker.receive(), ended)
    assert client.receive()["result"] == ended
    assert [event["topic"] for event in subscriber.until("lane.cleaned")] == [
        "lane.state.changed",
        "lane.state.changed",
        "lane.cleaned",
    ]
    assert client.call("lane.list")["lanes"] == []


def test_a_worker_that_vanishes_is_reported_lost(bus: Bus) -> None:
    client, worker = bus.client(), Worker(bus, "build")
    _registered(bus, client, worker)
    worker.sock.close()

    def refused() -> dict[str, object] | None:
        client.send("terminal.get", lane_id=worker.lane_id, terminal_id="term_x", deadline_ms=200)
        error: dict[str, object] = client.receive()["error"]
        return error if error["code"] == "WORKER_LOST" else None

    error = wait_until(refused, 10.0, "WORKER_LOST")
    assert error is not None
    assert error["retryable"] is True
    assert client.call("lane.list")["lanes"][0]["status"] == "recovering"
    again = Worker(bus, "build")
    again.register()
    wait_until(
        lambda: client.call("lane.list")["lanes"][0]["status"] == "ready", 10.0, "a ready lane"
    )


def test_a_refused_registration_is_told_to_the_worker(bus: Bus) -> None:
    client, worker = bus.client(), Worker(bus, "build")
    _registered(bus, client, worker)
    other = Worker(bus, "build", 2)
    other.register()
    answer = other.receive()
    assert answer["type"] == "response"
    assert answer["id"] == "evt-1"
    assert answer["error"]["code"] == "ALREADY_EXISTS"


def test_a_lane_without_a_keeper_is_refused_with_advice(bus: Bus) -> None:
    client = bus.client()
    client.send("lane.create", {"name": "x"}, workspace_id=DEFAULT)
    error = client.receive()["error"]
    assert error["code"] == "WORKER_LOST"
    assert "lane up" in error["message"]


def test_a_client_that_vanishes_harms_nobody(bus: Bus) -> None:
    client, worker = bus.client(), Worker(bus, "build")
    _registered(bus, client, worker)
    gone = bus.client()
    gone.send("session.create", lane_id=worker.lane_id)
    command = worker.receive()
    gone.sock.close()
    worker.answer(command, {})
    wait_until(
        lambda: client.call("plane.statistics")["values"]["commands.pending"] == 0,
        10.0,
        "no pending commands",
    )
    for _ in range(10):
        client.call("workspace.list")


def test_garbage_is_answered_and_survived(bus: Bus) -> None:
    client = bus.client()
    whole = msgpack.packb(bus.command("workspace.list"))
    for frames, code in (
        ([b""], "INVALID_ENVELOPE"),
        ([b"\xc1"], "INVALID_ENVELOPE"),
        ([b"\x91" * 100_000], "INVALID_ENVELOPE"),
        ([whole[:-1]], "INVALID_ENVELOPE"),
        ([b"", whole], "INVALID_ENVELOPE"),
        ([whole] * 9, "INVALID_ENVELOPE"),
        ([msgpack.packb({"v": 2, "id": "x", "type": "command"})], "UNSUPPORTED_VERSION"),
        ([msgpack.packb(bus.command("no.such"))], "UNKNOWN_METHOD"),
        ([msgpack.packb(bus.command("agent.run"))], "NOT_IMPLEMENTED"),
        ([msgpack.packb({**bus.command("lane.list"), "extra": 1})], "INVALID_ENVELOPE"),
        ([msgpack.packb(bus.command("lane.list", {"x": b"0" * 200_000}))], "LIMIT_EXCEEDED"),
    ):
        client.sock.send_multipart(frames)
        assert client.receive()["error"]["code"] == code
    worker = bus.open(zmq.DEALER, "workers")
    worker.send_multipart([b"", b"\xc1"])
    worker.send(b"\xc1" * 1000)
    assert client.call("workspace.list")["workspaces"]
    values = client.call("plane.statistics")["values"]
    assert values["refused.INVALID_ENVELOPE"] == 7


def test_a_frame_over_the_limit_ends_only_its_own_connection(bus: Bus) -> None:
    big = bus.client()
    big.sock.send(b"0" * 300_000)
    assert bus.client().call("workspace.list")["workspaces"]


def test_an_idle_broker_sleeps(bus: Bus, broker: Daemon) -> None:
    bus.client().call("workspace.list")
    status = Path(f"/proc/{broker.process.pid}/status")

    def switches() -> int:
        # Those it did not want say only that others wanted the processor.
        (slept,) = re.findall(
            r"^voluntary_ctxt_switches:\s(\d+)$", status.read_text(), re.MULTILINE
        )
        return int(slept)

    before = switches()
    with bus.context.socket(zmq.PAIR) as nobody:
        nobody.bind("inproc://nobody")
        nobody.poll(1000)
    assert switches() - before <= 2


def test_it_pushes_its_totals_to_the_collector(directory: Path) -> None:
    with Bus(directory) as bus:
        collector = bus.context.socket(zmq.PULL)
        collector.set(zmq.RCVTIMEO, 10_000)
        collector.bind(f"ipc://{directory}/collector.sock")
        broker = Daemon(directory, "broker")
        client = bus.client()
        client.call("plane.hello")
        first = decode_sample(collector.recv())
        assert (first.role, first.pid, first.last) == ("broker", broker.process.pid, False)
        client.send("workspace.spam")
        assert client.receive()["error"]["code"] == "UNKNOWN_METHOD"
        assert broker.stop() == 0
        last = decode_sample(collector.recv())
        assert last.last
        assert (last.pid, last.start_time) == (first.pid, first.start_time)
        incidents = {tuple(v.labels): v.value for v in last.values if "incidents" in v.name}
        assert incidents == {("refused.UNKNOWN_METHOD",): 1.0}
        collector.close()


def test_it_serves_and_ends_without_a_collector(bus: Bus, broker: Daemon) -> None:
    client = bus.client()
    for _ in range(100):
        client.call("plane.hello")
    assert broker.stop() == 0


def test_a_missing_keeper_is_named_with_its_directory_and_logged_once(bus: Bus) -> None:
    client = bus.client()
    for _ in range(3):
        client.send("lane.create", {"name": "build"}, workspace_id=DEFAULT)
        error = client.receive()["error"]
        assert error["code"] == "WORKER_LOST"
        assert f"no keeper on {bus.directory}/keeper.sock" in error["message"]
    log = (bus.directory / "log" / "broker.log").read_text("utf-8")
    assert log.count("found no keeper") == 1

"""Grants, fences and hellos on keeper.sock, with real warm workers."""

import json
import os
import signal
from collections.abc import Callable

from lanekeeper.keeper import identity
from process.keeper.plane import Peer, Plane, until
from process.keeper.stub_daemon import hello

Start = Callable[..., Plane]


def test_lane_goes_to_a_warm_worker_whole(plane: Plane) -> None:
    warm = plane.warm()
    broker = plane.broker()
    lane = {"lane_id": "lane_one", "generation": 3, "name": "bytes \udcff survive"}
    broker.ask({"op": "grant", "id": "g", "lane": lane})
    granted = broker.expect("granted", id="g").message
    assert granted["pid"] in warm
    assert granted["start_time"] == identity.start_time(granted["pid"])
    path = plane.rundir.path / "lane_one.json"
    until(path.exists, "the worker to have its lane")
    assert json.loads(path.read_text())["lane"] == lane
    assert granted["pid"] not in plane.warm()


def test_worker_holds_no_descriptor_of_the_nursery_or_of_another_worker(plane: Plane) -> None:
    plane.warm()
    broker = plane.broker()
    for name in ("lane_a", "lane_b"):
        broker.ask({"op": "grant", "id": name, "lane": {"lane_id": name, "generation": 1}})
        broker.expect("granted", id=name)
        path = plane.rundir.path / f"{name}.json"
        until(path.exists, "the worker to have its lane")
        fds = json.loads(path.read_text())["fds"]
        assert sum(fd.startswith("socket:") for fd in fds) == 1
        assert sum("eventpoll" in fd for fd in fds) == 1
        assert not [fd for fd in fds if "pidfd" in fd]


def test_many_grants_at_once_are_served_in_order(plane: Plane) -> None:
    broker = plane.broker()
    for number in range(20):
        lane = {"lane_id": f"lane_{number}", "generation": 1}
        broker.ask({"op": "grant", "id": number, "lane": lane})
    pids = [broker.expect("granted", id=number).message["pid"] for number in range(20)]
    assert len(set(pids)) == 20


def test_granted_worker_that_dies_is_told_with_its_status(plane: Plane) -> None:
    plane.warm()
    broker = plane.broker()
    broker.ask({"op": "grant", "id": "g", "lane": {"lane_id": "lane_x", "generation": 1}})
    pid = broker.expect("granted").message["pid"]
    identity.Process(pid, identity.start_time(pid) or 0).signal(signal.SIGSEGV)
    died = broker.expect("died").message
    assert (died["lane_id"], died["pid"]) == ("lane_x", pid)
    assert (died["code"], died["signal"]) == (None, signal.SIGSEGV)
    assert not died["recovering"]


def test_fence_answers_when_the_process_has_ended(plane: Plane) -> None:
    plane.warm()
    broker = plane.broker()
    broker.ask({"op": "grant", "id": "g", "lane": {"lane_id": "lane_x", "generation": 1}})
    pid = broker.expect("granted").message["pid"]
    broker.ask({"op": "fence", "id": "f", "lane_id": "lane_x"})
    broker.expect("fenced", id="f")
    assert identity.start_time(pid) is None
    broker.ask({"op": "fence", "id": "again", "lane_id": "lane_x"})
    broker.expect("fenced", id="again")


def test_lane_with_a_worker_is_not_granted_twice(plane: Plane) -> None:
    plane.warm()
    broker = plane.broker()
    for number in (1, 2):
        broker.ask({"op": "grant", "id": number, "lane": {"lane_id": "lane_x", "generation": 1}})
    broker.expect("granted", id=1)
    assert broker.expect("refused", id=2).message["code"] == "ALREADY_EXISTS"


def test_grant_without_workers_is_refused_in_time(start: Start) -> None:
    plane = start(entry="process.keeper.stub_worker:broken")
    assert plane.announced() == "ready"
    broker = plane.broker()
    broker.ask({"op": "grant", "id": "g", "lane": {"lane_id": "lane_x", "generation": 1}})
    refused = broker.expect("refused", id="g").message
    assert refused["code"] == "SPAWN_FAILED"
    assert "code 70" in refused["message"]
    assert {one["role"] for one in plane.status()["degraded"]} == {"worker"}
    assert "no worker in" in plane.rundir.log_file("worker").read_text()


def test_peer_that_lies_about_itself_is_refused(plane: Plane) -> None:
    peer = Peer(plane.rundir.keeper_sock)
    peer.ask({**hello("client"), "pid": os.getppid()})
    assert peer.expect("error").message["code"] == "INVALID_ARGUMENT"
    peer.eof()
    peer.close()


def test_broker_that_the_keeper_did_not_start_is_refused(plane: Plane) -> None:
    peer = Peer(plane.rundir.keeper_sock)
    peer.ask(hello("broker"))
    assert peer.expect("error").message["code"] == "ALREADY_EXISTS"
    peer.eof()
    peer.close()


def test_wrong_messages_are_answered_and_harm_nobody(plane: Plane) -> None:
    client = plane.client()
    wrong = {
        "INVALID_ARGUMENT": {"op": "no such thing", "id": 1},
        "UNAUTHORIZED": {"op": "grant", "id": 2, "lane": {}},
    }
    for code, message in wrong.items():
        client.ask(message)
        assert client.expect("error", id=message["id"]).message["code"] == code
    raw = Peer(plane.rundir.keeper_sock)
    os.write(raw.channel.fileno(), b"\xff not JSON")
    raw.eof()
    raw.close()
    assert plane.status()["degraded"] == []

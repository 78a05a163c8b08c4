"""The broker beside a keeper: hello, grants, deaths, sweeps, beats, and a keeper that goes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

from process.broker.bus import DEFAULT, Bus, Client, Daemon, Subscriber, Worker
from process.broker.fakekeeper import FakeKeeper


@pytest.fixture
def keeper(directory: Path) -> Iterator[FakeKeeper]:
    """A keeper that listens before the broker starts."""
    with FakeKeeper(directory) as listening:
        yield listening


@pytest.fixture
def kept(directory: Path, keeper: FakeKeeper) -> Iterator[Bus]:
    """Sockets to a broker that has said hello to the keeper."""
    daemon = Daemon(directory, "broker", wait=False)
    hello = keeper.greet()
    assert (hello["role"], hello["pid"]) == ("broker", daemon.process.pid)
    assert hello["start_time"] > 0
    keeper.hear("ready")
    with Bus(directory) as opened:
        yield opened
    assert daemon.stop() == 0


def _create(bus: Bus, client: Client, keeper: FakeKeeper) -> Worker:
    """Make a lane by all the steps; return its worker."""
    command_id = client.send("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    grant = keeper.hear("grant")
    keeper.say(op="granted", id=grant["id"], pid=42, start_time=7)
    worker = Worker(bus, "build")
    worker.assignment = grant["lane"]
    worker.lane_id = grant["lane"]["lane_id"]
    worker.register()
    answer = client.receive()
    assert answer["id"] == command_id
    assert answer["result"]["lane"]["status"] == "ready"
    return worker


def test_a_lane_is_granted_used_lost_and_swept(kept: Bus, keeper: FakeKeeper) -> None:
    client, subscriber = kept.client(), Subscriber(kept)
    worker = _create(kept, client, keeper)
    lane_id = worker.lane_id
    waiting = client.send("session.create", lane_id=lane_id)
    assert worker.receive()["id"] == waiting
    keeper.say(op="died", lane_id=lane_id, pid=os.getpid(), code=None, signal=9)
    answer = client.receive()
    assert (answer["id"], answer["error"]["code"]) == (waiting, "WORKER_LOST")
    failed = [*subscriber.until("lane.created"), subscriber.next()]
    assert failed[-1]["payload"]["lane"]["status"] == "failed"
    cleanup = client.send("lane.cleanup", lane_id=lane_id)
    keeper.say(op="fenced", id=keeper.hear("fence")["id"])
    keeper.say(op="swept", id=keeper.hear("sweep")["id"], killed=3)
    answer = client.receive()
    assert (answer["id"], answer["result"]["killed"]) == (cleanup, 3)
    assert subscriber.until("lane.cleaned")[-1]["lane_id"] == lane_id


def test_a_refused_grant_is_an_error_with_the_reason(kept: Bus, keeper: FakeKeeper) -> None:
    client = kept.client()
    client.send("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    keeper.say(op="refused", id=keeper.hear("grant")["id"], code="SPAWN_FAILED", message="no fork")
    error = client.receive()["error"]
    assert error["code"] == "SPAWN_FAILED"
    assert "no fork" in error["message"]
    _create(kept, client, keeper)


def test_a_keeper_that_goes_is_missed_and_its_successor_found(
    kept: Bus, keeper: FakeKeeper
) -> None:
    client = kept.client()
    client.send("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    keeper.hear("grant")
    keeper.hang_up()
    assert client.receive()["error"]["code"] == "WORKER_LOST"
    client.send("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    keeper.greet()
    keeper.hear("ready")
    grant = keeper.hear("grant")
    keeper.say(op="refused", id=grant["id"], code="LIMIT_EXCEEDED", message="enough")
    assert client.receive()["error"]["code"] == "LIMIT_EXCEEDED"


def test_it_beats_every_five_seconds(kept: Bus, keeper: FakeKeeper) -> None:
    assert kept.client().call("plane.hello")
    assert keeper.hear("beat") == {"op": "beat", "held": 4}


def test_garbage_on_the_channel_closes_it_and_harms_nothing(kept: Bus, keeper: FakeKeeper) -> None:
    client = kept.client()
    keeper.say(op="nonsense", x=[1, 2, {"y": None}])
    assert client.call("workspace.list")["workspaces"]
    keeper.hang_up()
    assert client.call("workspace.list")["workspaces"]


def test_a_killed_broker_goes_on_where_it_was(directory: Path, keeper: FakeKeeper) -> None:
    first = Daemon(directory, "broker", wait=False)
    keeper.greet()
    keeper.hear("ready")
    with Bus(directory) as bus:
        client, subscriber = bus.client(), Subscriber(bus)
        worker = _create(bus, client, keeper)
        made = bus.command("workspace.create", {"name": "mine"})
        client.sock.send(msgpack.packb(made))
        answer = client.receive()
        before = client.call("events.replay")
        subscriber.until("workspace.created")
        pending = client.send("session.create", lane_id=worker.lane_id)
        assert worker.receive()["id"] == pending
        assert keeper.deposited == {
            "journal": ["journal"],
            "sockets": ["broker.sock", "workers.sock", "events.sock"],
        }
        assert first.stop(signal.SIGKILL) == -signal.SIGKILL

        second = Daemon(directory, "broker", wait=False)
        assert keeper.greet(worker.assignment)["pid"] == second.process.pid
        keeper.hear("ready")
        # The connections found their way through the queues of the sockets in the vault.
        client.sock.send(msgpack.packb(made))
        assert client.receive() == answer
        after = client.call("events.replay")
        assert after == before
        listing = client.call("lane.list")
        assert (listing["complete"], listing["lanes"][0]["status"]) == (False, "ready")
        again = client.send("session.create", lane_id=worker.lane_id)
        worker.register()
        command = worker.receive()
        assert command["id"] == again
        worker.answer(command, {"session": {}})
        assert client.receive()["id"] == again
        assert "complete" not in client.call("lane.list")  # which is true
        epoch, last = subscriber.joined_again()
        assert (epoch, last) == (before["epoch"], before["last"])
        client.call("workspace.create", {"name": "more"})
        assert subscriber.until("workspace.created")[-1]["seq"] == before["last"] + 1
    assert second.stop() == 0


def test_a_new_keeper_is_found_and_given_everything_again(kept: Bus, keeper: FakeKeeper) -> None:
    client = kept.client()
    client.call("workspace.create", {"name": "mine"})
    before = keeper.deposited
    keeper.forget()
    keeper.hang_up()
    assert keeper.greet()["held"] == 4
    keeper.hear("ready")
    assert keeper.deposited == before


def test_a_keeper_that_says_nothing_is_not_taken_for_none(
    directory: Path, keeper: FakeKeeper
) -> None:
    # What it holds would be lost with a new journal.
    daemon = Daemon(directory, "broker", wait=False)
    keeper.accept()
    assert daemon.process.wait(20.0) == 1
    assert not (directory / "broker.sock").exists()

"""The broker beside a keeper: hello, grants, deaths, sweeps, beats, and a keeper that goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.waiting import wait_until
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
    daemon = Daemon(directory, "broker")
    keeper.accept()
    hello = keeper.hear("hello")
    assert (hello["role"], hello["pid"]) == ("broker", daemon.process.pid)
    assert hello["start_time"] > 0
    keeper.hear("ready")
    keeper.say(op="welcome", plane="plane_x", keeper_pid=1)
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
    keeper.say(op="died", lane_id=lane_id, pid=42, code=None, signal=9)
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
    wait_until(
        lambda: client.call("plane.statistics")["values"]["keeper"] is False, 10.0, "no keeper"
    )
    client.send("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    keeper.accept()
    keeper.hear("hello")
    keeper.hear("ready")
    grant = keeper.hear("grant")
    keeper.say(op="refused", id=grant["id"], code="LIMIT_EXCEEDED", message="enough")
    assert client.receive()["error"]["code"] == "LIMIT_EXCEEDED"


def test_it_beats_every_five_seconds(kept: Bus, keeper: FakeKeeper) -> None:
    assert kept.client().call("plane.hello")
    assert keeper.hear("beat") == {"op": "beat"}


def test_garbage_on_the_channel_closes_it_and_harms_nothing(kept: Bus, keeper: FakeKeeper) -> None:
    client = kept.client()
    keeper.say(op="nonsense", x=[1, 2, {"y": None}])
    assert client.call("workspace.list")["workspaces"]
    keeper.hang_up()
    assert client.call("workspace.list")["workspaces"]

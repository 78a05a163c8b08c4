"""The plane-wide log budget, as `lane up --log-budget` sets it."""

import json
from typing import Any

import msgpack
import pytest
import zmq

from kit.cluster import Plane
from lanekeeper.client import Busy

MEGA = 1024 * 1024


def straight(endpoint: str, command: dict[str, Any]) -> dict[str, Any]:
    """Send one command to a lane's own socket and return what it answers."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as lane:
        lane.linger = 0
        lane.connect(endpoint)
        lane.send(msgpack.packb(command))
        assert lane.poll(10_000)
        response: dict[str, Any] = msgpack.unpackb(lane.recv())
        return response


def test_a_program_too_many_is_refused_until_another_has_ended() -> None:
    options = ("--log-budget", str(8 * MEGA))
    with Plane(options=options) as started, started.connect() as plane:
        lane = plane.lane("budget")
        first = lane.spawn(["sleep", "100"])
        lane.spawn(["sleep", "100"], capacity=2 * MEGA)
        with pytest.raises(Busy) as refused:
            lane.spawn(["sleep", "100"])
        assert refused.value.code == "LIMIT_EXCEEDED"
        assert "lane up --log-budget" in refused.value.message
        shown = json.loads(started.lane("status", "--json").stdout)["log_budget"]
        assert shown == {"limit": 8 * MEGA, "used": 6 * MEGA}
        first.signal("KILL")
        first.wait(20)
        last = lane.spawn(["sleep", "100"])
        with pytest.raises(Busy):
            first.respawn()
        last.close()
        assert first.respawn().state == "active"


def test_there_is_no_way_around_the_budget() -> None:
    with Plane(options=("--log-budget", str(8 * MEGA))) as started, started.connect() as plane:
        lane = plane.lane("budget")
        terminal = lane.spawn(["sleep", "100"])
        info, endpoints = terminal.info, lane.info.endpoints
        assert endpoints is not None
        ids = {"lane_id": lane.id, "session_id": info.session_id}
        ids["workspace_id"] = lane.info.workspace_id
        again = {"terminal_id": info.id, "method": "terminal.respawn", "payload": {}}
        spawn = {"method": "terminal.spawn", "payload": {"argv": ["true"]}}
        for count, method in enumerate((spawn, spawn, spawn, again)):
            start = {"type": "command", "v": 1, "id": f"c{count}", "ts": "2026-01-01T00:00:00Z"}
            command = start | {"correlation_id": "c"} | ids | method
            told = straight(endpoints.control, command)
            assert told["error"]["code"] == "INVALID_ARGUMENT"
            assert "broker.sock" in told["error"]["message"]
        assert len(json.loads(started.lane("terminal", "ls", "--json").stdout)["terminals"]) == 1

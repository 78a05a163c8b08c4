"""How a worker comes: whom the broker takes in, whom it refuses, and what it then believes."""

from typing import Any

import pytest

from lanekeeper.wire.codec import decode_response
from lanekeeper.wire.limits import MAX_LANES, MAX_WORKSPACES
from lanekeeper.wire.messages.events import Happened
from unit.broker.bench import DEFAULT, TS, Bench, a_session, a_terminal

HAND: dict[str, Any] = {
    "lane_id": "lane_aaaaaaaaaaaaaaaa",
    "workspace_id": "ws_bbbbbbbbbbbbbbbb",
    "workspace": "home",
    "name": "hand",
    "generation": 1,
    "created": TS,
}


def _told(bench: Bench) -> str:
    """Return the code of the refusal that was sent to a worker last."""
    error = decode_response(bench.sent[-1].data).error
    assert error is not None
    return error.code


def test_a_worker_started_by_hand_brings_its_lane_and_workspace(alone: Bench) -> None:
    route = alone.register(HAND)
    assert alone.topics()[1:] == ["workspace.created", "lane.state.changed", "lane.created"]
    lanes = alone.call("lane.list", workspace_id="ws_bbbbbbbbbbbbbbbb")["lanes"]
    assert [(lane["name"], lane["status"]) for lane in lanes] == [("hand", "ready")]
    alone.send(alone.command("session.create", lane_id=HAND["lane_id"]))
    assert alone.sent[-1].route == route


def test_its_workspace_is_found_by_name_and_it_keeps_hearing_its_own_id(alone: Bench) -> None:
    home = alone.call("workspace.create", {"name": "home"})["workspace"]["id"]
    route = alone.register(HAND)
    session = a_session(HAND["lane_id"], "sess_a", workspace_id=HAND["workspace_id"])
    alone.report(route, "session.created", Happened(session=session))
    assert alone.events[-1].workspace_id == home
    (listed,) = alone.call("session.list", workspace_id=home)["sessions"]
    assert listed["workspace_id"] == home
    fields = {"workspace_id": home, "lane_id": HAND["lane_id"], "session_id": "sess_a"}
    alone.send(alone.command("session.attach", **fields))
    assert alone.last_sent().workspace_id == HAND["workspace_id"]


def test_a_workspace_id_that_is_none_gets_a_new_one(alone: Bench) -> None:
    alone.register({**HAND, "workspace_id": "mine"})
    (lane,) = alone.call("lane.list")["lanes"]
    assert lane["workspace_id"].startswith("ws_")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lane_id": "nonsense"}, "INVALID_ARGUMENT"),
        ({"name": "a.b"}, "INVALID_ARGUMENT"),
        ({"workspace": ""}, "INVALID_ARGUMENT"),
    ],
)
def test_a_senseless_registration_is_refused(
    bench: Bench, change: dict[str, Any], code: str
) -> None:
    bench.register({**HAND, **change})
    assert _told(bench) == code
    assert bench.core.desk.registry.lanes == {}


def test_registrations_are_limited(bench: Bench) -> None:
    registry = bench.core.desk.registry
    workspace, count = registry.workspaces[DEFAULT], len(bench.events)
    registry.workspaces.update({f"ws_{n}": workspace for n in range(MAX_WORKSPACES - 1)})
    bench.register(HAND)
    assert _told(bench) == "LIMIT_EXCEEDED"
    assert len(bench.events) == count
    for n in range(MAX_WORKSPACES - 1):
        del registry.workspaces[f"ws_{n}"]


def test_registered_lanes_are_limited(bench: Bench) -> None:
    registry = bench.core.desk.registry
    lane_id, _ = bench.lane()
    registry.lanes.update({f"lane_{n}": registry.lanes[lane_id] for n in range(MAX_LANES - 1)})
    bench.register({**HAND, "workspace_id": DEFAULT}, b"hand")
    assert _told(bench) == "LIMIT_EXCEEDED"
    for n in range(MAX_LANES - 1):
        del registry.lanes[f"lane_{n}"]


def test_a_name_that_is_taken_refuses_the_newcomer(bench: Bench) -> None:
    bench.lane("hand")
    bench.register({**HAND, "workspace_id": DEFAULT, "workspace": "default"}, b"newcomer")
    assert _told(bench) == "ALREADY_EXISTS"


def test_one_worker_serves_one_lane(bench: Bench) -> None:
    _, route = bench.lane()
    bench.register(HAND, route)
    assert _told(bench) == "INVALID_ARGUMENT"


def test_an_impostor_of_the_same_generation_is_refused(bench: Bench) -> None:
    assignment = bench.grant()
    route = bench.register(assignment)
    bench.register(assignment, b"impostor", pid=43)
    assert _told(bench) == "ALREADY_EXISTS"
    assert bench.core.desk.lanes[assignment["lane_id"]].route == route


def test_a_newer_generation_takes_over_and_an_older_one_cannot(bench: Bench) -> None:
    assignment = bench.grant()
    bench.register(assignment)
    bench.register({**assignment, "generation": 2}, b"second", pid=43)
    assert bench.core.desk.lanes[assignment["lane_id"]].route == b"second"
    bench.register(assignment, b"first-again")
    assert _told(bench) == "ALREADY_EXISTS"


def test_a_registration_is_the_truth_about_a_lane(bench: Bench) -> None:
    assignment = bench.grant()
    route = bench.register(assignment)
    lane_id = assignment["lane_id"]
    bench.spawned(lane_id, route, "old")
    assert bench.status(lane_id) == "running"
    bench.register(
        assignment,
        b"reconnected",
        sessions=[a_session(lane_id, "sess_new")],
        terminals=[a_terminal(lane_id, "sess_new", "term_new", state="stopped")],
    )
    assert [s["id"] for s in bench.call("session.list")["sessions"]] == ["sess_new"]
    assert [t["id"] for t in bench.call("terminal.list")["terminals"]] == ["term_new"]
    assert bench.status(lane_id) == "ready"
    assert bench.refusal("terminal.get", terminal_id="term_old").code == "TERMINAL_NOT_FOUND"


def test_a_registration_with_things_of_another_lane_is_refused(bench: Bench) -> None:
    bench.register(HAND, sessions=[a_session("lane_x", "sess_a")])
    assert _told(bench) == "INVALID_ARGUMENT"


def test_a_failed_lane_comes_back_when_a_worker_registers_for_it(bench: Bench) -> None:
    assignment = bench.grant()
    bench.register(assignment)
    bench.keeper(op="died", lane_id=assignment["lane_id"], code=None, signal=9)
    bench.register({**assignment, "generation": 2}, b"second", pid=43)
    assert bench.status(assignment["lane_id"]) == "ready"

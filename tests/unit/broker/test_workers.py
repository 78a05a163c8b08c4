"""What workers say: registrations, events, and what is not believed."""

from typing import Any

import msgspec
import pytest

from lanekeeper.broker.stimuli import FromWorker
from lanekeeper.wire.codec import decode_response
from lanekeeper.wire.limits import MAX_LANES, MAX_WORKSPACES
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.messages.lane import Ended, LaneInfo
from lanekeeper.wire.messages.terminal import ExitStatus
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


def test_lanes_run_while_a_program_does(bench: Bench) -> None:
    lane_id, route = bench.lane()
    bench.spawned(lane_id, route, "a")
    (lane,) = bench.call("lane.list")["lanes"]
    assert (lane["status"], lane["sessions"], lane["terminals"], lane["running"]) == (
        "running",
        1,
        1,
        1,
    )
    stopped = a_terminal(
        lane_id, "sess_a", "term_a", state="stopped", exit=ExitStatus(kind="exited", code=7)
    )
    bench.report(route, "terminal.state.changed", Happened(terminal=stopped, previous="active"))
    assert bench.topics()[-2:] == ["terminal.state.changed", "lane.state.changed"]
    (lane,) = bench.call("lane.list")["lanes"]
    assert (lane["status"], lane.get("running", 0)) == ("ready", 0)
    (terminal,) = bench.call("terminal.list", lane_id=lane_id)["terminals"]
    assert terminal["exit"] == {"kind": "exited", "code": 7}


def test_the_active_context_follows_what_is_used(bench: Bench) -> None:
    lane_id, route = bench.lane()
    session = a_session(lane_id, "sess_a")
    bench.report(route, "session.attached", Happened(session=session, lease_id="lease_1"))
    context = bench.call("context.get")
    assert (context["lane_id"], context["session_id"]) == (lane_id, "sess_a")
    bench.spawned(lane_id, route, "a")
    assert bench.call("context.get")["terminal_id"] == "term_a"
    assert bench.topics().count("context.changed") == 2
    bench.report(route, "session.attached", Happened(session=session))
    assert bench.topics().count("context.changed") == 2
    bench.report(
        route, "terminal.closed", Happened(terminal=a_terminal(lane_id, "sess_a", "term_a"))
    )
    assert "terminal_id" not in bench.call("context.get")
    ended = Ended(sessions=1)
    bench.report(route, "session.terminated", Happened(session=session, ended=ended))
    assert "session_id" not in bench.call("context.get")
    assert bench.call("session.list")["sessions"] == []
    assert bench.call("terminal.list")["terminals"] == []


def test_an_event_leaves_with_number_epoch_and_ids(bench: Bench) -> None:
    lane_id, route = bench.lane()
    terminal = a_terminal(lane_id, "sess_a", "term_a")
    bench.report(route, "terminal.spawned", Happened(terminal=terminal))
    event = next(e for e in bench.events if e.topic == "terminal.spawned")
    assert (event.workspace_id, event.lane_id) == (DEFAULT, lane_id)
    assert (event.session_id, event.terminal_id) == ("sess_a", "term_a")
    assert event.epoch == bench.state.history.epoch
    assert event.correlation_id == "corr_worker"


def test_a_dead_worker_fails_its_lane_and_loses_what_ran(bench: Bench) -> None:
    lane_id, route = bench.lane()
    bench.spawned(lane_id, route, "a")
    ended = a_terminal(lane_id, "sess_a", "term_b", state="stopped")
    bench.report(route, "terminal.state.changed", Happened(terminal=ended))
    pending = bench.command("terminal.wait", terminal_id="term_a")
    bench.send(pending)
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=None, signal=9)
    assert bench.status(lane_id) == "failed"
    assert bench.topics()[-4:] == [
        "terminal.state.changed",
        "session.terminated",
        "lane.state.changed",
        "context.changed",
    ]
    reason = bench.core.desk.registry.lanes[lane_id].info.reason
    assert reason == "worker died: signal 9 (SIGKILL)"
    _, response = bench.replies[-1]
    assert response.id == pending.id
    assert response.error is not None
    assert response.error.code == "WORKER_LOST"
    states = {
        t["id"]: (t["state"], t.get("reason")) for t in bench.call("terminal.list")["terminals"]
    }
    assert states == {"term_a": ("errored", "lost"), "term_b": ("stopped", None)}
    (session,) = bench.call("session.list")["sessions"]
    assert session["status"] == "terminated"
    error = bench.refusal("terminal.get", terminal_id="term_a")
    assert error.code == "WORKER_LOST"
    assert "lane cleanup" in error.message
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=None, signal=9)
    assert bench.status(lane_id) == "failed"


@pytest.mark.parametrize(
    ("message", "manner"),
    [
        ({"code": 3}, "status 3"),
        ({"signal": 15}, "signal 15 (SIGTERM)"),
        ({"signal": 200}, "signal 200 (unknown)"),
        ({}, "status unknown"),
    ],
)
def test_the_reason_says_how_a_worker_ended(
    bench: Bench, message: dict[str, int], manner: str
) -> None:
    lane_id, _ = bench.lane()
    bench.keeper(op="died", lane_id=lane_id, **message)
    reason = bench.core.desk.registry.lanes[lane_id].info.reason
    assert reason == f"worker died: {manner}"


def test_what_a_worker_may_not_say_is_dropped(bench: Bench) -> None:
    lane_id, route = bench.lane()
    other, other_route = bench.lane("other")
    bench.spawned(other, other_route, "b")
    seen = len(bench.events)
    info = LaneInfo(
        id=lane_id, workspace_id=DEFAULT, name="x", status="ready", created=TS, updated=TS
    )
    stolen = a_terminal(lane_id, "sess_a", "term_b")
    for topic, payload, fields in (
        ("lane.cleaned", Happened(lane=info), {}),
        ("terminal.output", Happened(), {}),
        ("no.topic", Happened(), {}),
        ("session.created", Happened(session=a_session(other, "sess_x")), {}),
        ("session.created", Happened(session=a_session(lane_id, "sess_b")), {}),
        ("terminal.spawned", Happened(terminal=stolen), {}),
        ("terminal.spawned", Happened(), {}),
        ("session.created", Happened(session=a_session(lane_id, "sess_x")), {"lane_id": other}),
        ("session.created", {"nonsense": 1}, {}),
        ("worker.registered", {"nonsense": 1}, {}),
    ):
        bench.report(route, topic, payload, **fields)
    bench.report(b"stranger", "session.created", Happened(session=a_session(lane_id, "sess_x")))
    bench.respond(b"stranger", "c1", {})
    bench.feed(FromWorker(route, [b"", b""]))
    bench.feed(FromWorker(route, [b"\xc1"]))
    assert len(bench.events) == seen
    assert bench.core.desk.counters["worker.refused"] == 14
    assert bench.call("context.get")["lane_id"] == other


def test_an_event_of_another_version_is_dropped(bench: Bench) -> None:
    _, route = bench.lane()
    event = {
        "v": 2,
        "type": "event",
        "id": "e",
        "ts": TS,
        "topic": "session.created",
        "correlation_id": "c",
    }
    bench.feed(FromWorker(route, [msgspec.msgpack.encode(event)]))
    assert bench.core.desk.counters["worker.refused"] == 1


def test_a_worker_cannot_speak_of_workspaces_lanes_or_context(bench: Bench) -> None:
    lane_id, route = bench.lane()
    info = LaneInfo(
        id="lane_x", workspace_id=DEFAULT, name="x", status="ready", created=TS, updated=TS
    )
    happened = Happened(session=a_session(lane_id, "sess_a"), lane=info)
    bench.report(route, "session.created", happened)
    assert bench.happened("session.created").lane is None
    assert len(bench.call("lane.list")["lanes"]) == 1


def test_late_answers_are_counted_and_dropped(bench: Bench) -> None:
    _, route = bench.lane()
    before = len(bench.replies)
    bench.respond(route, "never asked", {})
    assert len(bench.replies) == before
    assert bench.core.desk.counters["answers.late"] == 1


def test_unknown_words_of_the_keeper_are_passed_over(bench: Bench) -> None:
    bench.keeper(op="welcome", plane="plane_x", keeper_pid=1)
    bench.keeper(op="later", x=1)
    bench.keeper(op="died", lane_id=7)
    bench.keeper(op="refused", id="grant:lane_no", code="X", message="y")
    bench.keeper(op="swept", id="sweep:lane_no")
    bench.keeper(op="fenced", id="fence:lane_no")
    bench.keeper(op="error", id=None, message="what")
    assert bench.core.desk.counters["keeper.unknown"] == 2
    assert any("'died'" in note for note in bench.notes)

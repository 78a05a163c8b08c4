"""What workers say: registrations, events, and what is not believed."""

from typing import Any

import msgspec
import pytest

from lanekeeper.broker.stimuli import FromWorker
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
    assert states["term_b"] == ("stopped", None)
    state, reason = states["term_a"]
    assert state == "errored"
    assert reason.startswith("lost: worker died: signal 9 (SIGKILL); clean the lane up")
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

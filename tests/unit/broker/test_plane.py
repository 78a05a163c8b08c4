"""What the broker answers itself, and what it refuses at the door."""

from typing import Any

import msgspec
import pytest

from lanekeeper.broker.stimuli import FromClient
from lanekeeper.wire.codec import encode
from lanekeeper.wire.envelope import Actor
from lanekeeper.wire.limits import MAX_CONTROL, MAX_FRAME, MAX_WORKSPACES
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.methods import METHODS
from unit.broker.bench import CLIENT, DEFAULT, Bench, a_terminal


def test_hello_tells_versions_limits_and_capabilities(bench: Bench) -> None:
    hello = bench.call("plane.hello", {"client": "test", "client_version": "1"})
    assert hello["protocol"] == "helios.localbus.v1"
    assert hello["epoch"] == bench.state.history.epoch
    assert hello["limits"]["max_control"] == MAX_CONTROL
    assert set(hello["capabilities"]) == {n for n, m in METHODS.items() if m.executor}
    assert hello["complete"] is True


def test_statistics_count(bench: Bench) -> None:
    bench.lane()
    bench.refusal("lane.attach", lane_id="lane_no")
    values = bench.call("plane.statistics")["values"]
    assert (values["lanes"], values["workers"], values["workspaces"]) == (1, 1, 1)
    assert values["refused.LANE_NOT_FOUND"] == 1
    assert values["keeper"] is True


def test_the_default_workspace_is_there_from_the_start(bench: Bench) -> None:
    (workspace,) = bench.call("workspace.list")["workspaces"]
    assert (workspace["id"], workspace["name"]) == (DEFAULT, "default")
    assert bench.call("context.get") == {}


def test_workspaces_are_made_opened_and_listed(bench: Bench) -> None:
    made = bench.call("workspace.create", {"name": "home", "roots": ["/srv"]})
    assert made["created"] is True
    workspace_id = made["workspace"]["id"]
    bench.lane("build", workspace_id=workspace_id)
    opened = bench.call("workspace.open", {"name": "home"})
    assert opened["workspace"]["lanes"] == 1
    assert bench.topics()[-2:] == ["workspace.opened", "context.changed"]
    assert bench.call("context.get")["workspace_id"] == workspace_id
    bench.call("workspace.open", workspace_id=workspace_id)
    assert bench.topics()[-1] == "workspace.opened"
    (listed,) = bench.call("workspace.list", {"name": "home"})["workspaces"]
    assert listed["roots"] == ["/srv"]
    again = bench.call("workspace.create", {"name": "home", "ensure": True})
    assert (again["workspace"]["id"], again["created"]) == (workspace_id, False)


@pytest.mark.parametrize(
    ("method", "payload", "fields", "code"),
    [
        ("workspace.create", {"name": "default"}, {}, "ALREADY_EXISTS"),
        ("workspace.create", {"name": "a/b"}, {}, "INVALID_ARGUMENT"),
        ("workspace.create", {}, {}, "INVALID_ARGUMENT"),
        ("workspace.create", {"name": "x", "roots": [""]}, {}, "INVALID_ARGUMENT"),
        ("workspace.open", {}, {}, "INVALID_ARGUMENT"),
        ("workspace.open", {"name": "no"}, {}, "WORKSPACE_NOT_FOUND"),
        ("workspace.open", {}, {"workspace_id": "ws_no"}, "WORKSPACE_NOT_FOUND"),
        ("workspace.open", {"name": "no"}, {"workspace_id": DEFAULT}, "WORKSPACE_NOT_FOUND"),
        ("lane.list", {}, {"workspace_id": "ws_no"}, "WORKSPACE_NOT_FOUND"),
        ("session.list", {}, {"workspace_id": "ws_no"}, "WORKSPACE_NOT_FOUND"),
        ("session.list", {}, {"lane_id": "lane_no"}, "LANE_NOT_FOUND"),
        ("terminal.list", {}, {"session_id": "sess_no"}, "SESSION_NOT_FOUND"),
        ("session.list", {}, {"session_id": "sess_no"}, "SESSION_NOT_FOUND"),
        ("lane.list", {"limit": 501}, {}, "INVALID_ARGUMENT"),
        ("lane.list", {"limit": 0}, {}, "INVALID_ARGUMENT"),
        ("context.get", {"x": 1}, {}, "INVALID_ARGUMENT"),
        ("plane.statistics", [1], {}, "INVALID_ARGUMENT"),
        ("events.replay", {"since": -1}, {}, "INVALID_ARGUMENT"),
        ("no.such", {}, {}, "UNKNOWN_METHOD"),
        ("lane.creat", {}, {}, "UNKNOWN_METHOD"),
        ("agent.run", {}, {}, "NOT_IMPLEMENTED"),
        ("project.clone", {}, {}, "NOT_IMPLEMENTED"),
        ("lane.create", {"name": "x"}, {}, "INVALID_ENVELOPE"),
        ("session.attach", {}, {"lane_id": "lane_x"}, "INVALID_ENVELOPE"),
        ("terminal.get", {}, {}, "INVALID_ENVELOPE"),
        ("workspace.create", {"name": "x"}, {"correlation_id": None}, "INVALID_ENVELOPE"),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(
    bench: Bench, method: str, payload: Any, fields: dict[str, Any], code: str
) -> None:
    events = len(bench.events)
    error = bench.refusal(method, payload, **fields)
    assert error.code == code
    assert len(error.message) > 10
    assert len(bench.events) == events


def test_a_refusal_says_what_is_missing_and_what_was_meant(bench: Bench) -> None:
    error = bench.refusal("session.attach", lane_id="lane_x", correlation_id=None)
    for name in ("workspace_id", "session_id", "correlation_id"):
        assert name in error.message
    assert "lane.create" in bench.refusal("lane.creat").message
    assert "plane.hello" in bench.refusal("zzz").message
    assert "agents step" in bench.refusal("agent.run").message


def test_workspaces_are_limited(bench: Bench) -> None:
    for n in range(MAX_WORKSPACES - 1):
        bench.call("workspace.create", {"name": f"w{n}"})
    error = bench.refusal("workspace.create", {"name": "more"})
    assert (error.code, error.details) == ("LIMIT_EXCEEDED", {"limit": MAX_WORKSPACES})


def test_malformed_messages_are_answered_with_what_could_be_read(bench: Bench) -> None:
    whole = encode(bench.command("workspace.list"))
    assert bench.raw_bytes().error is not None
    for frames in ([b""], [b"\xc1"], [whole[:-1]], [b"", whole], [whole] * 9):
        response = bench.raw_bytes(*frames)
        assert response.error is not None
        assert response.error.code == "INVALID_ENVELOPE"
    seen = bench.raw_bytes(msgspec.msgpack.encode({"v": 1, "id": "mine", "correlation_id": "c"}))
    assert (seen.id, seen.correlation_id) == ("mine", "c")
    other = bench.raw_bytes(msgspec.msgpack.encode({"v": 9, "id": "x" * 500}))
    assert other.error is not None
    assert (other.error.code, other.error.details) == ("UNSUPPORTED_VERSION", {"supported": [1]})
    assert len(other.id) == 128
    big = bench.raw_bytes(bytes(MAX_CONTROL + 1))
    assert big.error is not None
    assert (big.error.code, big.error.details) == ("LIMIT_EXCEEDED", {"limit": MAX_CONTROL})


def test_an_answered_change_is_not_repeated(bench: Bench) -> None:
    command = bench.command("workspace.create", {"name": "home"})
    (first,) = bench.send(command)
    events = len(bench.events)
    (second,) = bench.send(command, b"client-2")
    assert second == first
    assert len(bench.events) == events
    refused = bench.command("workspace.create", {"name": "home"})
    (error,) = bench.send(refused)
    assert bench.send(refused) == [error]
    bench.wait(700)
    (late,) = bench.send(command)
    assert late.error is not None
    assert late.error.code == "INDETERMINATE"


def test_the_actor_is_on_every_event_of_its_command(bench: Bench) -> None:
    actor = Actor(kind="operator", id="ada")
    bench.call("workspace.create", {"name": "home"}, actor=actor)
    assert bench.events[-1].actor == actor


def test_listings_go_on_where_a_page_ended_even_when_its_end_is_gone(bench: Bench) -> None:
    for n in range(5):
        bench.now += 1
        bench.call("workspace.create", {"name": f"w{n}"})
    first = bench.call("workspace.list", {"limit": 2})
    assert [w["name"] for w in first["workspaces"]] == ["default", "w0"]
    registry = bench.core.desk.registry
    gone = registry.workspaces.pop(first["workspaces"][-1]["id"])
    second = bench.call("workspace.list", {"limit": 3, "after": first["next"]})
    assert [w["name"] for w in second["workspaces"]] == ["w1", "w2", "w3"]
    third = bench.call("workspace.list", {"limit": 3, "after": second["next"]})
    assert [w["name"] for w in third["workspaces"]] == ["w4"]
    assert "next" not in third
    kept = list(registry.workspaces.items())
    registry.workspaces.clear()
    registry.workspaces.update([kept[0], (gone.id, gone), *kept[1:]])


def test_a_page_fits_into_a_frame(bench: Bench) -> None:
    lane_id, route = bench.lane()
    for n in range(12):
        terminal = a_terminal(lane_id, "sess_a", f"term_{n:02}", cwd="/" + "x" * 40_000)
        bench.report(route, "terminal.spawned", Happened(terminal=terminal))
    command = bench.command("terminal.list")
    before = len(bench.replies)
    bench.feed(FromClient(CLIENT, [encode(command)]))
    (_, response) = bench.replies[before]
    assert len(encode(response)) < MAX_FRAME
    seen: list[str] = []
    after = None
    while True:
        page = bench.call("terminal.list", {"after": after} if after else {}, lane_id=lane_id)
        seen += [t["id"] for t in page["terminals"]]
        after = page.get("next")
        if after is None:
            break
    assert seen == [f"term_{n:02}" for n in range(12)]
    resolved = bench.send(bench.command("address.resolve", {"address": "build"}))[0]
    assert len(encode(resolved)) < MAX_FRAME


def test_listings_are_narrowed_by_the_ids_given(bench: Bench) -> None:
    one, route = bench.lane("one")
    two, other = bench.lane("two")
    bench.spawned(one, route, "a")
    bench.spawned(one, route, "b")
    bench.spawned(two, other, "c")
    assert len(bench.call("session.list", workspace_id=DEFAULT)["sessions"]) == 3
    assert [s["id"] for s in bench.call("session.list", lane_id=two)["sessions"]] == ["sess_c"]
    found = bench.call("terminal.list", lane_id=one, session_id="sess_b")["terminals"]
    assert [t["id"] for t in found] == ["term_b"]
    found = bench.call("session.list", session_id="sess_b")["sessions"]
    assert [s["id"] for s in found] == ["sess_b"]
    for listing in ("session.list", "terminal.list"):
        (refused,) = bench.send(bench.command(listing, lane_id=one, session_id="sess_no"))
        assert refused.error is not None
        assert refused.error.code == "SESSION_NOT_FOUND"
    assert [n["name"] for n in bench.call("lane.list", {"name": "two"})["lanes"]] == ["two"]


def test_events_are_replayed_after_a_number(bench: Bench) -> None:
    for n in range(5):
        bench.call("workspace.create", {"name": f"w{n}"})
    epoch = bench.state.history.epoch
    found = bench.call("events.replay", {"since": 3, "epoch": epoch, "limit": 2})
    assert (found["first"], found["last"]) == (1, 6)
    assert [event["seq"] for event in found["events"]] == [4, 5]
    assert found["events"][0] == msgspec.to_builtins(
        msgspec.msgpack.decode(encode(bench.events[3]))
    )
    assert bench.call("events.replay", {"since": 6})["events"] == []
    other = bench.call("events.replay", {"since": 6, "epoch": "ep_other"})
    assert len(other["events"]) == 6


def test_a_token_is_told_where_the_stream_stands(bench: Bench) -> None:
    bench.subscribe(b"")
    bench.subscribe(b"lane.created")
    bench.subscribe(b"tok_" + b"x" * 200)
    bench.subscribe(b"tok_mine")
    assert bench.joined == [(b"tok_mine", [1, "joined", bench.state.history.epoch, 1])]


def test_a_defect_is_answered_with_its_place_in_the_story(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.core.desk, "new_id", broken)
    command = bench.command("workspace.create", {"name": "x"})
    with pytest.raises(ZeroDivisionError):
        bench.send(command)
    monkeypatch.undo()
    (answer,) = [a for a in bench.core.rescue() if hasattr(a, "data")]
    response = msgspec.msgpack.decode(answer.data)
    assert response["id"] == command.id
    assert response["error"]["code"] == "INTERNAL"
    number = response["error"]["details"]["stimulus"]
    assert f"{number}:FromClient workspace.create {command.id}" in bench.core.desk.story.tell()
    assert bench.call("workspace.create", {"name": "x"})["created"] is True

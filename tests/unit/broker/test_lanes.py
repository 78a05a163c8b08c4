"""The life of lanes: made, attached, ended, and what happens when that does not work."""

import msgspec
import pytest

from lanekeeper.broker.stimuli import KeeperDown, KeeperUp
from lanekeeper.wire.limits import MAX_LANES
from unit.broker.bench import CLIENT, DEFAULT, Bench


def test_a_lane_is_made_by_a_grant_and_a_registration(bench: Bench) -> None:
    command = bench.command("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    assert bench.send(command) == []
    grant = bench.asked[-1]
    lane_id = grant["lane"]["lane_id"]
    assert grant["id"] == f"grant:{lane_id}"
    assert grant["lane"]["workspace"] == "default"
    assert grant["lane"]["generation"] == 1
    assert bench.status(lane_id) == "provisioning"
    bench.keeper(op="granted", id=grant["id"], pid=42, start_time=7)
    bench.register(grant["lane"])
    route, response = bench.replies[-1]
    assert (route, response.id) == (CLIENT, command.id)
    result = msgspec.msgpack.decode(response.result)
    assert result["created"] is True
    assert result["lane"]["status"] == "ready"
    assert result["lane"]["pid"] == 42
    assert result["lane"]["endpoints"]["control"] == "ipc://c"
    assert bench.topics(since=1) == [
        "lane.create.started",
        "lane.state.changed",
        "lane.state.changed",
        "lane.created",
    ]
    assert {event.correlation_id for event in bench.events[1:]} == {"corr_test"}
    assert {event.lane_id for event in bench.events[1:]} == {lane_id}


def test_a_repeated_create_is_answered_and_not_repeated(bench: Bench) -> None:
    command = bench.command("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    bench.send(command)
    bench.send(command, b"client-2")
    assert len(bench.asked) == 1
    bench.register(bench.asked[0]["lane"])
    assert [route for route, _ in bench.replies] == [CLIENT, b"client-2"]
    (again,) = bench.send(command, b"client-3")
    assert again == bench.replies[0][1]
    assert len(bench.core.desk.registry.lanes) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_a_repeated_command_is_answered_in_its_own_time(bench: Bench, *, restarted: bool) -> None:
    lane_id, _ = bench.lane()
    command = bench.command("lane.cleanup", lane_id=lane_id, deadline_ms=1_000)
    bench.send(command)
    if restarted:
        bench.restart({"lane_id": lane_id})
    else:
        bench.wait(1.1)
        assert len(bench.replies) == 2
    seen = len(bench.replies)
    assert bench.send(command, b"again") == []
    bench.wait(1.1)
    ((route, response),) = bench.replies[seen:]
    assert response.error is not None
    assert (route, response.error.code) == (b"again", "TIMEOUT")


def test_a_keeper_that_does_not_list_its_lanes_is_not_waited_for_without_end(
    alone: Bench,
) -> None:
    alone.feed(KeeperUp())
    create = {"payload": {"name": "build"}, "workspace_id": DEFAULT}
    command = alone.command("lane.create", **create, deadline_ms=500)
    assert alone.send(command) == []
    patient = alone.command("lane.create", **create)
    assert alone.send(patient) == []
    alone.wait(0.6)
    ((_, response),) = alone.replies
    assert response.error is not None
    assert (response.id, response.error.code) == (command.id, "WORKER_LOST")
    alone.keeper(op="workers", lanes=[], more=False)
    assert [one["op"] for one in alone.asked] == ["grant"]


def test_a_refusal_is_not_kept_and_the_same_command_may_succeed_later(bench: Bench) -> None:
    lane_id, route = bench.lane("build")
    command = bench.command("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    (refused,) = bench.send(command)
    assert refused.error is not None
    cleanup = bench.command("lane.cleanup", lane_id=lane_id)
    bench.send(cleanup)
    bench.respond(route, cleanup.id, {"sessions": 0, "terminals": 0, "processes": 0, "killed": 0})
    assert bench.send(command) == []
    bench.register(bench.asked[-1]["lane"], b"next")
    assert (bench.replies[-1][1].id, bench.replies[-1][1].error) == (command.id, None)


def test_a_name_is_taken_while_its_lane_lives(bench: Bench) -> None:
    lane_id, _ = bench.lane("build")
    error = bench.refusal("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    assert error.code == "ALREADY_EXISTS"
    assert error.details == {"lane_id": lane_id}
    bench.lane("other")


def test_ensure_answers_with_the_lane_there_is(bench: Bench) -> None:
    lane_id, _ = bench.lane("build")
    found = bench.call("lane.create", {"name": "build", "ensure": True}, workspace_id=DEFAULT)
    assert found["lane"]["id"] == lane_id
    assert found["created"] is False


def test_ensure_waits_for_a_lane_that_is_being_made(bench: Bench) -> None:
    assignment = bench.grant("build")
    second = bench.command("lane.create", {"name": "build", "ensure": True}, workspace_id=DEFAULT)
    assert bench.send(second, b"client-2") == []
    assert bench.send(second, b"client-3") == []
    assert bench.refusal("lane.create", {"name": "build"}, workspace_id=DEFAULT).code == (
        "ALREADY_EXISTS"
    )
    bench.register(assignment)
    answered = {
        route: msgspec.msgpack.decode(r.result) for route, r in bench.replies if not r.error
    }
    assert answered[CLIENT]["created"] is True
    assert answered[b"client-2"]["created"] is False
    assert answered[b"client-3"]["created"] is False


def test_a_refused_grant_frees_the_name(bench: Bench) -> None:
    lane_id = bench.grant("build")["lane_id"]
    bench.keeper(op="refused", id=f"grant:{lane_id}", code="SPAWN_FAILED", message="no memory")
    (_, response) = bench.replies[-1]
    assert response.error is not None
    assert response.error.code == "SPAWN_FAILED"
    assert "no memory" in response.error.message
    assert bench.topics()[-2:] == ["lane.state.changed", "lane.create.failed"]
    failed = bench.happened("lane.create.failed")
    assert failed.error == response.error
    bench.lane("build")


def test_a_grant_refused_with_an_unknown_code_is_spawn_failed(bench: Bench) -> None:
    lane_id = bench.grant("build")["lane_id"]
    bench.keeper(op="error", id=f"grant:{lane_id}", code="ODD", message="what")
    (_, response) = bench.replies[-1]
    assert response.error is not None
    assert response.error.code == "SPAWN_FAILED"


def test_a_worker_that_never_registers_is_fenced(bench: Bench) -> None:
    assignment = bench.grant("build", deadline_ms=20_000)
    bench.wait(10.1)
    (_, response) = bench.replies[-1]
    assert response.error is not None
    assert response.error.code == "SPAWN_FAILED"
    assert bench.asked[-1] == {
        "op": "fence",
        "id": f"fence:{assignment['lane_id']}",
        "lane_id": assignment["lane_id"],
    }
    bench.register(assignment)
    assert assignment["lane_id"] not in bench.core.desk.registry.lanes


@pytest.mark.parametrize("kept", [True, False])
def test_what_the_vault_keeps_of_a_lane_that_never_was_is_dropped(
    bench: Bench, *, kept: bool
) -> None:
    lane_id = bench.grant("build")["lane_id"]
    asked = len(bench.asked)
    bench.keeper(op="died", lane_id=lane_id, generation=5, recovering=False, kept=kept, signal=9)
    (_, response) = bench.replies[-1]
    assert response.error is not None
    assert response.error.code == "SPAWN_FAILED"
    fence = {"op": "fence", "id": f"fence:{lane_id}", "lane_id": lane_id}
    assert bench.asked[asked:] == ([fence] if kept else [])
    bench.keeper(op="fenced", id=f"fence:{lane_id}")
    bench.lane("build")


def test_an_impatient_caller_hears_timeout_and_can_ask_again(bench: Bench) -> None:
    command = bench.command(
        "lane.create", {"name": "build"}, workspace_id=DEFAULT, deadline_ms=1000
    )
    bench.send(command)
    bench.wait(1.5)
    assert bench.replies[-1][1].error is not None
    assert bench.replies[-1][1].error.code == "TIMEOUT"
    bench.register(bench.asked[-1]["lane"])
    (answer,) = bench.send(command)
    assert answer.error is None


def test_a_worker_that_dies_before_it_is_ready_fails_the_create(bench: Bench) -> None:
    lane_id = bench.grant("build")["lane_id"]
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=70, signal=None)
    (_, response) = bench.replies[-1]
    assert response.error is not None
    assert response.error.code == "SPAWN_FAILED"
    assert "status 70" in response.error.message


def test_without_a_keeper_the_refusal_says_what_to_do(alone: Bench) -> None:
    error = alone.refusal("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    assert error.code == "WORKER_LOST"
    assert "lane up" in error.message
    assert "lane worker NAME" in error.message


def test_a_keeper_that_has_come_is_asked_with_the_next_lane(alone: Bench) -> None:
    command = alone.command("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    alone.send(command)
    alone.keeper_can_be_reached = True
    assert alone.send(command) == []
    alone.register(alone.asked[-1]["lane"])
    assert alone.replies[-1][1].error is None


def test_a_keeper_that_goes_fails_the_lanes_it_was_to_give(bench: Bench) -> None:
    bench.grant("build")
    bench.feed(KeeperDown())
    assert bench.replies[-1][1].error is not None
    assert bench.replies[-1][1].error.code == "WORKER_LOST"
    bench.keeper_comes()
    bench.lane("build")


def test_lanes_are_limited(bench: Bench) -> None:
    lanes = bench.core.desk.registry.lanes
    _, route = bench.lane("build")
    (entry,) = lanes.values()
    lanes.update({f"lane_{n}": entry for n in range(MAX_LANES - 1)})
    error = bench.refusal("lane.create", {"name": "more"}, workspace_id=DEFAULT)
    assert error.code == "LIMIT_EXCEEDED"
    assert error.details == {"limit": MAX_LANES}
    for n in range(MAX_LANES - 1):
        del lanes[f"lane_{n}"]
    assert route


@pytest.mark.parametrize("name", ["", "-x", "a.b", "a/b", "x" * 65, "a b"])
def test_a_bad_name_is_refused(bench: Bench, name: str) -> None:
    error = bench.refusal("lane.create", {"name": name}, workspace_id=DEFAULT)
    assert error.code == "INVALID_ARGUMENT"


def test_a_lane_needs_a_workspace_that_exists(bench: Bench) -> None:
    error = bench.refusal("lane.create", {"name": "x"}, workspace_id="ws_no")
    assert error.code == "WORKSPACE_NOT_FOUND"


def test_attach_makes_a_lane_the_active_one(bench: Bench) -> None:
    lane_id, _ = bench.lane("build")
    result = bench.call("lane.attach", lane_id=lane_id)
    assert result["lane"]["id"] == lane_id
    assert bench.topics()[-2:] == ["lane.attached", "context.changed"]
    context = bench.call("context.get")
    assert (context["workspace_id"], context["lane_id"]) == (DEFAULT, lane_id)
    bench.call("lane.attach", lane_id=lane_id)
    assert bench.topics()[-1] == "lane.attached"


def test_attach_waits_for_a_lane_that_is_being_made(bench: Bench) -> None:
    assignment = bench.grant("build")
    attach = bench.command("lane.attach", lane_id=assignment["lane_id"])
    assert bench.send(attach) == []
    bench.register(assignment)
    assert bench.replies[-1][1].id == attach.id
    assert bench.replies[-1][1].error is None

"""The end of lanes: by their worker, by the keeper's sweep, and when neither works."""

import msgspec
import pytest

from lanekeeper.broker.stimuli import KeeperDown
from lanekeeper.wire.errors import ErrorInfo
from unit.broker.bench import DEFAULT, Bench


def test_cleanup_is_done_by_the_worker(bench: Bench) -> None:
    lane_id, route = bench.lane("build")
    bench.call("lane.attach", lane_id=lane_id)
    command = bench.command("lane.cleanup", lane_id=lane_id)
    assert bench.send(command) == []
    assert bench.last_sent().id == command.id
    assert bench.status(lane_id) == "cleaning"
    ended = {"sessions": 1, "terminals": 2, "processes": 3, "killed": 1}
    bench.respond(route, command.id, ended)
    assert msgspec.msgpack.decode(bench.replies[-1][1].result) == ended
    assert bench.topics()[-3:] == ["lane.state.changed", "lane.cleaned", "context.changed"]
    cleaned = bench.happened("lane.cleaned")
    assert cleaned.lane is not None
    assert cleaned.ended is not None
    assert cleaned.lane.status == "closed"
    assert cleaned.ended.processes == 3
    assert bench.call("lane.list")["lanes"] == []
    (again,) = bench.send(command)
    assert msgspec.msgpack.decode(again.result) == ended
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=0, signal=None)
    assert bench.refusal("lane.attach", lane_id=lane_id).code == "LANE_NOT_FOUND"
    bench.lane("build")


def test_commands_wait_while_a_lane_is_ended(bench: Bench) -> None:
    lane_id, route = bench.lane("build")
    cleanup = bench.command("lane.cleanup", lane_id=lane_id)
    bench.send(cleanup)
    late = bench.command("session.create", lane_id=lane_id)
    assert bench.send(late) == []
    anew = bench.command("lane.create", {"name": "build"}, workspace_id=DEFAULT)
    assert bench.send(anew) == []
    second = bench.command("lane.cleanup", lane_id=lane_id)
    assert bench.send(second) == []
    read = bench.command("terminal.read", lane_id=lane_id, terminal_id="term_x")
    bench.send(read)
    assert bench.last_sent().id == read.id
    bench.respond(route, cleanup.id, {})
    errors = {r.id: r.error.code for _, r in bench.replies if r.error}
    assert errors == {
        read.id: "LANE_NOT_FOUND",
        late.id: "LANE_NOT_FOUND",
        second.id: "LANE_NOT_FOUND",
    }
    assert bench.asked[-1]["op"] == "grant"
    bench.register(bench.asked[-1]["lane"])
    assert bench.replies[-1][1].id == anew.id


def test_a_cleanup_with_bad_arguments_changes_nothing(bench: Bench) -> None:
    lane_id, _ = bench.lane("build")
    error = bench.refusal("lane.cleanup", {"grace_s": -1}, lane_id=lane_id)
    assert error.code == "INVALID_ARGUMENT"
    assert bench.status(lane_id) == "ready"


def test_a_cleanup_that_the_worker_refuses_leaves_a_failed_lane(bench: Bench) -> None:
    lane_id, route = bench.lane("build")
    command = bench.command("lane.cleanup", lane_id=lane_id)
    bench.send(command)
    bench.respond(route, command.id, error=ErrorInfo(code="INTERNAL", message="stuck in D state"))
    assert bench.replies[-1][1].error is not None
    assert bench.replies[-1][1].error.code == "INTERNAL"
    assert bench.status(lane_id) == "failed"
    assert bench.send(bench.command("lane.cleanup", lane_id=lane_id)) == []
    assert bench.asked[-1]["op"] == "fence"


def test_an_impatient_cleanup_goes_on(bench: Bench) -> None:
    lane_id, route = bench.lane("build")
    command = bench.command("lane.cleanup", lane_id=lane_id, deadline_ms=100)
    bench.send(command)
    bench.wait(1.0)
    assert bench.replies[-1][1].error is not None
    assert bench.replies[-1][1].error.code == "TIMEOUT"
    bench.respond(route, command.id, {})
    assert bench.topics()[-1] == "lane.cleaned"
    (again,) = bench.send(command)
    assert again.error is None


def test_a_failed_lane_is_swept_by_the_keeper(bench: Bench) -> None:
    lane_id, route = bench.lane("build")
    bench.spawned(lane_id, route)
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=None, signal=9)
    command = bench.command("lane.cleanup", lane_id=lane_id)
    assert bench.send(command) == []
    assert bench.asked[-1] == {"op": "fence", "id": f"fence:{lane_id}", "lane_id": lane_id}
    bench.keeper(op="fenced", id=f"fence:{lane_id}")
    assert bench.asked[-1] == {"op": "sweep", "id": f"sweep:{lane_id}", "lane_id": lane_id}
    bench.keeper(op="swept", id=f"sweep:{lane_id}", killed=2)
    result = msgspec.msgpack.decode(bench.replies[-1][1].result)
    assert result["killed"] == 2
    assert bench.topics()[-3:] == ["lane.state.changed", "lane.cleaned", "context.changed"]
    assert bench.core.desk.registry.lanes == {}


@pytest.mark.parametrize("how", ["refused", "late", "gone"])
def test_a_sweep_that_does_not_work_leaves_a_failed_lane(bench: Bench, how: str) -> None:
    lane_id, _ = bench.lane("build")
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=None, signal=9)
    bench.send(bench.command("lane.cleanup", lane_id=lane_id, deadline_ms=60_000))
    bench.keeper(op="error", id=f"fence:{lane_id}", message="no such worker")
    match how:
        case "refused":
            bench.keeper(op="error", id=f"sweep:{lane_id}", message="cannot")
        case "late":
            bench.wait(21)
        case _:
            bench.feed(KeeperDown())
    error = bench.replies[-1][1].error
    assert error is not None
    assert error.code == {"late": "TIMEOUT"}.get(how, "WORKER_LOST")
    assert bench.status(lane_id) == "failed"


def test_a_failed_lane_without_a_keeper_cannot_be_swept(bench: Bench) -> None:
    lane_id, _ = bench.lane("build")
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=None, signal=9)
    bench.feed(KeeperDown())
    error = bench.refusal("lane.cleanup", lane_id=lane_id)
    assert error.code == "WORKER_LOST"
    assert "lane up" in error.message


def test_a_worker_that_exits_while_it_ends_its_lane_may_still_have_answered(bench: Bench) -> None:
    lane_id, route = bench.lane("build")
    command = bench.command("lane.cleanup", lane_id=lane_id)
    bench.send(command)
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=0, signal=None)
    assert bench.status(lane_id) == "cleaning"
    bench.respond(route, command.id, {})
    assert bench.topics()[-1] == "lane.cleaned"


def test_a_worker_that_dies_while_it_ends_its_lane_leaves_it_to_the_keeper(bench: Bench) -> None:
    lane_id, _ = bench.lane("build")
    bench.send(bench.command("lane.cleanup", lane_id=lane_id))
    bench.keeper(op="died", lane_id=lane_id, pid=42, code=None, signal=9)
    bench.wait(0.3)
    assert bench.asked[-1]["op"] == "sweep"
    bench.keeper(op="swept", id=f"sweep:{lane_id}", killed=0)
    assert bench.topics()[-1] == "lane.cleaned"

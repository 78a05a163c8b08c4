"""Commands on their way to a lane: forwarded, joined, timed out, refused, undeliverable."""

from typing import Any

import msgspec
import pytest

from lanekeeper.broker.lane import CALLERS_MAX, ONE_WAY_KEPT
from lanekeeper.broker.stimuli import FromClient
from lanekeeper.wire.codec import encode
from lanekeeper.wire.envelope import Command, Response
from lanekeeper.wire.errors import ErrorInfo
from lanekeeper.wire.limits import MAX_IN_FLIGHT
from unit.broker.bench import CLIENT, DEFAULT, Bench


def _get(bench: Bench, lane_id: str, **fields: object) -> Command:
    return bench.command("terminal.get", lane_id=lane_id, terminal_id="term_x", **fields)


def _error(response: Response) -> ErrorInfo:
    assert response.error is not None
    return response.error


def test_a_command_is_forwarded_unchanged_and_its_answer_too(bench: Bench) -> None:
    lane_id, route = bench.lane()
    command = _get(bench, lane_id)
    assert bench.send(command) == []
    assert (bench.sent[-1].route, bench.sent[-1].data) == (route, encode(command))
    bench.respond(route, command.id, {"x": 1})
    caller, response = bench.replies[-1]
    assert caller == CLIENT
    assert msgspec.msgpack.decode(response.result) == {"x": 1}


def test_a_retry_in_flight_joins_and_every_caller_is_answered(bench: Bench) -> None:
    lane_id, route = bench.lane()
    command = _get(bench, lane_id)
    callers = [b"client-%d" % n for n in range(CALLERS_MAX + 2)]
    for caller in (*callers, callers[-1]):
        assert bench.send(command, caller) == []
    assert len(bench.sent) == 1
    before = len(bench.replies)
    bench.respond(route, command.id, {})
    assert [caller for caller, _ in bench.replies[before:]] == callers[-CALLERS_MAX:]


def test_a_command_that_is_not_answered_in_time_is_timeout(bench: Bench) -> None:
    lane_id, route = bench.lane()
    usual, patient = _get(bench, lane_id), _get(bench, lane_id, deadline_ms=8000)
    bench.send(usual)
    bench.send(patient)
    bench.wait(4.9)
    assert len(bench.replies) == 1
    bench.wait(0.2)
    assert bench.replies[-1][1].id == usual.id
    error = _error(bench.replies[-1][1])
    assert (error.code, error.retryable) == ("TIMEOUT", True)
    assert "same id" in error.message
    bench.respond(route, usual.id, {})
    assert bench.core.desk.counters["answers.late"] == 1
    bench.respond(route, patient.id, {})
    assert bench.replies[-1][1].id == patient.id


def test_a_lane_has_the_first_word_on_a_wait_that_is_too_late(bench: Bench) -> None:
    lane_id, route = bench.lane()
    ids = {"lane_id": lane_id, "terminal_id": "term_x"}
    wait = bench.command("terminal.wait", {}, deadline_ms=1000, **ids)
    bench.send(wait)
    bench.wait(1.1)
    assert bench.replies[-1][1].id != wait.id
    late = ErrorInfo(code="TIMEOUT", message="", retryable=True, details={"searched": 7})
    bench.respond(route, wait.id, error=late)
    assert _error(bench.replies[-1][1]).details == {"searched": 7}
    bench.send(again := bench.command("terminal.wait", {}, deadline_ms=1000, **ids))
    bench.wait(1.3)
    assert bench.replies[-1][1].id == again.id


def test_commands_wait_for_a_lane_that_is_being_made_and_keep_their_order(bench: Bench) -> None:
    assignment = bench.grant()
    commands = [bench.command("session.create", lane_id=assignment["lane_id"]) for _ in range(3)]
    for command in commands:
        assert bench.send(command) == []
    assert bench.sent == []
    bench.register(assignment)
    assert [sent.command_id for sent in bench.sent] == [command.id for command in commands]


def test_a_command_that_waits_in_vain_is_timeout(bench: Bench) -> None:
    assignment = bench.grant()
    command = bench.command("session.create", lane_id=assignment["lane_id"], deadline_ms=500)
    bench.send(command)
    bench.wait(1)
    assert bench.replies[-1][1].id == command.id
    assert _error(bench.replies[-1][1]).code == "TIMEOUT"


def test_one_way_commands_are_answered_only_when_refused(bench: Bench) -> None:
    lane_id, route = bench.lane()
    lease = bench.command("lease.renew", {"lease_id": "lease_1"}, lane_id=lane_id)
    assert bench.send(lease) == []
    assert bench.core.desk.lanes[lane_id].pending == {}
    bench.wait(100)
    before = len(bench.replies)
    bench.respond(route, lease.id, error=ErrorInfo(code="INVALID_ARGUMENT", message="no lease"))
    assert bench.replies[before:][0][1].id == lease.id
    for _ in range(ONE_WAY_KEPT + 10):
        bench.send(bench.command("lease.renew", {"lease_id": "lease_1"}, lane_id=lane_id))
    assert len(bench.core.desk.lanes[lane_id].one_way) == ONE_WAY_KEPT


def test_too_many_in_flight_is_backpressure_for_that_lane_alone(bench: Bench) -> None:
    lane_id, route = bench.lane()
    other, _ = bench.lane("other")
    first = _get(bench, lane_id)
    bench.send(first)
    for _ in range(MAX_IN_FLIGHT - 1):
        assert bench.send(_get(bench, lane_id)) == []
    (refused,) = bench.send(_get(bench, lane_id))
    error = _error(refused)
    assert (error.code, error.retryable) == ("BACKPRESSURE", True)
    assert error.details == {"limit": MAX_IN_FLIGHT}
    assert bench.send(_get(bench, other)) == []
    bench.respond(route, first.id, {})
    assert bench.send(_get(bench, lane_id)) == []


def test_a_worker_that_does_not_read_is_backpressure(bench: Bench) -> None:
    lane_id, _ = bench.lane()
    command = _get(bench, lane_id)
    bench.send(command)
    bench.undelivered(bench.sent[-1], full=True)
    assert _error(bench.replies[-1][1]).code == "BACKPRESSURE"
    lease = bench.command("lease.renew", {"lease_id": "l"}, lane_id=lane_id)
    bench.send(lease)
    bench.undelivered(bench.sent[-1], full=True)
    assert bench.core.desk.lanes[lane_id].one_way == {}
    cleanup = bench.command("lane.cleanup", lane_id=lane_id)
    bench.send(cleanup)
    bench.undelivered(bench.sent[-1], full=True)
    assert _error(bench.replies[-1][1]).code == "BACKPRESSURE"
    assert bench.status(lane_id) == "failed"


def test_a_worker_that_is_not_connected_gets_its_commands_when_it_registers(bench: Bench) -> None:
    assignment = bench.grant()
    route = bench.register(assignment)
    lane_id = assignment["lane_id"]
    commands = [_get(bench, lane_id), _get(bench, lane_id)]
    for command in commands:
        bench.send(command)
    bench.undelivered(bench.sent[-1])
    bench.undelivered(bench.sent[-1])
    assert bench.status(lane_id) == "recovering"
    late = _get(bench, lane_id)
    assert not bench.send(late)
    bench.wait(2.1)
    response = bench.replies[-1][1]
    assert response.id == late.id
    assert _error(response).code == "WORKER_LOST"
    assert "try again" in _error(response).message
    commands.append(_get(bench, lane_id))
    assert not bench.send(commands[-1])
    bench.register(assignment, b"worker-again")
    assert bench.status(lane_id) == "ready"
    again = [action.command_id for action in bench.sent if action.route == b"worker-again"]
    assert again == [command.id for command in commands]
    assert route not in bench.core.desk.routes


def test_a_worker_that_is_gone_when_its_lane_is_ended_leaves_it_to_the_keeper(bench: Bench) -> None:
    lane_id, _ = bench.lane()
    bench.send(bench.command("lane.cleanup", lane_id=lane_id))
    bench.undelivered(bench.sent[-1])
    assert bench.asked[-1]["op"] == "sweep"


def test_a_worker_that_is_gone_when_its_lane_is_ended_fails_it_without_a_keeper(
    alone: Bench,
) -> None:
    route = b"worker"
    alone.register(_by_hand(), route)
    lane_id = _by_hand()["lane_id"]
    alone.send(alone.command("lane.cleanup", lane_id=lane_id))
    alone.undelivered(alone.sent[-1])
    assert alone.status(lane_id) == "failed"
    assert _error(alone.replies[-1][1]).code == "WORKER_LOST"


def _by_hand() -> dict[str, Any]:
    return {
        "lane_id": "lane_aaaaaaaaaaaaaaaa",
        "workspace_id": DEFAULT,
        "workspace": "default",
        "name": "hand",
        "generation": 1,
        "created": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"lane_id": "lane_no"}, "LANE_NOT_FOUND"),
        ({"session_id": "sess_no"}, "SESSION_NOT_FOUND"),
        ({"terminal_id": "term_no"}, "TERMINAL_NOT_FOUND"),
        ({"lane_id": "A", "workspace_id": "ws_no"}, "LANE_NOT_FOUND"),
        ({"lane_id": "A", "session_id": "sess_b"}, "SESSION_NOT_FOUND"),
        ({"lane_id": "A", "terminal_id": "term_b"}, "TERMINAL_NOT_FOUND"),
        ({"session_id": "sess_b", "terminal_id": "term_a"}, "TERMINAL_NOT_FOUND"),
        ({"terminal_id": "term_a", "workspace_id": "ws_no"}, "TERMINAL_NOT_FOUND"),
    ],
)
def test_ids_that_do_not_belong_together_are_not_found(
    bench: Bench, fields: dict[str, str], code: str
) -> None:
    ids = {}
    for name, letter in (("one", "a"), ("two", "b")):
        lane_id, route = bench.lane(name)
        bench.spawned(lane_id, route, letter)
        ids[letter.upper()] = lane_id
    fields = {key: ids.get(value, value) for key, value in fields.items()}
    method = "terminal.get" if "terminal_id" in fields else "session.create"
    if method == "session.create" and "lane_id" not in fields:
        method, fields = "lane.cleanup", {**fields, "lane_id": "lane_no"}
    error = bench.refusal(method, **fields)
    assert error.code == code
    assert ".list" in error.message


def test_a_terminal_or_a_session_alone_finds_its_lane(bench: Bench) -> None:
    lane_id, route = bench.lane()
    bench.spawned(lane_id, route, "a")
    bench.send(bench.command("terminal.get", terminal_id="term_a"))
    assert bench.sent[-1].lane_id == lane_id
    bench.send(bench.command("terminal.get", terminal_id="term_a", session_id="sess_a"))
    assert bench.sent[-1].lane_id == lane_id


def test_ids_that_the_index_has_not_heard_of_are_left_to_the_lane(bench: Bench) -> None:
    lane_id, _ = bench.lane()
    fields = {"workspace_id": DEFAULT, "lane_id": lane_id, "session_id": "sess_new"}
    assert bench.send(bench.command("terminal.spawn", {"argv": ["sh"]}, **fields)) == []
    assert bench.last_sent().session_id == "sess_new"


def test_a_lane_that_is_known_to_live_but_has_not_registered_is_coming_back(bench: Bench) -> None:
    bench.keeper(op="workers", lanes=[{"lane_id": "lane_1"}, "lane_2", {"odd": 1}], more=False)
    assert bench.call("lane.list")["complete"] is False
    assert bench.call("plane.hello")["complete"] is False
    error = bench.refusal("session.create", lane_id="lane_1")
    assert (error.code, error.retryable) == ("WORKER_LOST", True)
    for lane_id in ("lane_1", "lane_2"):
        bench.keeper(op="died", lane_id=lane_id, pid=1, code=0, signal=None)
    assert "complete" not in bench.call("lane.list")


def test_a_retry_through_another_connection_still_finds_its_caller(bench: Bench) -> None:
    assignment = bench.grant()
    command = bench.command("session.create", lane_id=assignment["lane_id"])
    bench.send(command)
    bench.feed(FromClient(b"client-2", [encode(command)]))
    route = bench.register(assignment)
    assert [sent.command_id for sent in bench.sent] == [command.id]
    before = len(bench.replies)
    bench.respond(route, command.id, {})
    assert [caller for caller, _ in bench.replies[before:]] == [CLIENT, b"client-2"]

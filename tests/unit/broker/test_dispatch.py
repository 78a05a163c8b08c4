"""`boundary.local.dispatch`: a command inside a command."""

import msgspec
import pytest

from unit.broker.bench import CLIENT, DEFAULT, Bench


def test_a_dispatch_is_the_method_inside_it(bench: Bench) -> None:
    command = bench.command(
        "boundary.local.dispatch",
        {"method": "lane.create", "payload": {"name": "x"}},
        workspace_id=DEFAULT,
    )
    assert bench.send(command) == []
    assert bench.topics()[1:3] == ["boundary.local.dispatched", "lane.create.started"]
    assert bench.happened("boundary.local.dispatched").method == "lane.create"
    assert bench.send(command, b"client-2") == []
    bench.register(bench.asked[-1]["lane"])
    assert [(route, r.id) for route, r in bench.replies] == [
        (CLIENT, command.id),
        (b"client-2", command.id),
    ]
    assert bench.send(command) == [bench.replies[0][1]]
    assert bench.topics().count("boundary.local.dispatched") == 1


def test_a_dispatch_to_a_lane_carries_the_inner_command(bench: Bench) -> None:
    lane_id, route = bench.lane()
    command = bench.command(
        "boundary.local.dispatch",
        {"method": "session.create", "payload": {"name": "main"}},
        lane_id=lane_id,
    )
    bench.send(command)
    inner = bench.last_sent()
    assert (inner.id, inner.method) == (command.id, "session.create")
    assert msgspec.msgpack.decode(inner.payload) == {"name": "main"}
    bench.respond(route, command.id, {"ok": 1})
    assert msgspec.msgpack.decode(bench.replies[-1][1].result) == {"ok": 1}


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("boundary.tool.dispatch", "INVALID_ARGUMENT"),
        ("agent.run", "INVALID_ARGUMENT"),
        ("zmx.checkpoint", "INVALID_ARGUMENT"),
        ("boundary.local.dispatch", "INVALID_ARGUMENT"),
        ("project.init", "NOT_IMPLEMENTED"),
        ("no.such", "UNKNOWN_METHOD"),
        ("lane.create", "INVALID_ENVELOPE"),
    ],
)
def test_what_cannot_be_dispatched_is_refused_and_published(
    bench: Bench, method: str, code: str
) -> None:
    error = bench.refusal("boundary.local.dispatch", {"method": method})
    assert error.code == code
    assert bench.topics()[-1] == "boundary.dispatch.failed"
    failed = bench.happened("boundary.dispatch.failed")
    assert (failed.method, failed.error) == (method, error)
    assert bench.refusal("boundary.local.dispatch", {}).code == "INVALID_ARGUMENT"

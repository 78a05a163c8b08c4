"""`diagnostics.get` through the broker, and what a collector has published."""

import msgspec
import pytest

from lanekeeper.broker.diagnostics import ANSWER_SECONDS, KEYS_MOST, TOLD_EVERY, WAITING_MOST
from lanekeeper.wire.limits import MAX_FIGURES
from lanekeeper.wire.messages.diagnostics import Finding, MetricChanged
from lanekeeper.wire.messages.plane import Nothing
from unit.broker.bench import Bench

COLLECTOR = b"collector-1"
ANSWER = {"status": "pass", "since": "t", "window_seconds": 600.0, "metrics": {}}


def changed(key: str = "echo_latency") -> MetricChanged:
    finding = Finding(metric="m", count=1, judged="p95", status="fail", criteria=["NFR-001"])
    return MetricChanged(key=key, before="pass", finding=finding)


def with_collector(bench: Bench, route: bytes = COLLECTOR) -> None:
    bench.report(route, "collector.registered", Nothing())


def test_without_a_collector_it_says_what_to_do(bench: Bench) -> None:
    error = bench.refusal("diagnostics.get")
    assert (error.code, error.retryable) == ("WORKER_LOST", True)
    assert "lane logs collector" in error.message


def test_the_collectors_answer_reaches_who_asked(bench: Bench) -> None:
    with_collector(bench)
    for route in (b"one", b"two"):
        command = bench.command("diagnostics.get", {"lanes": 5}, id="the same")
        assert bench.send(command, route) == []
    first, second = bench.sent
    assert (first.route, second.route) == (COLLECTOR, COLLECTOR)
    for action in (second, first):
        bench.respond(COLLECTOR, action.command_id, ANSWER)
    assert [route for route, _ in bench.replies] == [b"two", b"one"]
    for _, response in bench.replies:
        assert (response.id, response.status) == ("the same", "ok")
        assert msgspec.msgpack.decode(response.result) == ANSWER


def test_what_is_no_request_never_gets_there(bench: Bench) -> None:
    with_collector(bench)
    for payload in ({"lanes": -1}, {"lanes": MAX_FIGURES + 1}, {"order": "name"}, {"x": 1}):
        assert bench.refusal("diagnostics.get", payload).code == "INVALID_ARGUMENT"
    assert not bench.sent


def test_a_collector_that_is_silent_costs_a_bounded_time(bench: Bench) -> None:
    with_collector(bench)
    bench.send(bench.command("diagnostics.get"))
    bench.wait(ANSWER_SECONDS + 0.1)
    ((_, response),) = bench.replies
    assert response.error is not None
    assert (response.error.code, response.error.retryable) == ("TIMEOUT", True)
    bench.respond(COLLECTOR, bench.sent[-1].command_id, ANSWER)
    assert len(bench.replies) == 1


def test_requests_that_wait_are_bounded(bench: Bench) -> None:
    with_collector(bench)
    for _ in range(WAITING_MOST):
        bench.send(bench.command("diagnostics.get"))
    assert bench.refusal("diagnostics.get").code == "BACKPRESSURE"


@pytest.mark.parametrize("full", [True, False])
def test_a_collector_that_is_gone_is_noticed_when_it_is_asked(bench: Bench, *, full: bool) -> None:
    with_collector(bench)
    bench.send(bench.command("diagnostics.get"))
    bench.undelivered(bench.sent[-1], full=full)
    ((_, response),) = bench.replies
    assert response.error is not None
    assert response.error.code == "WORKER_LOST"
    assert bench.refusal("diagnostics.get").code == "WORKER_LOST"
    with_collector(bench, b"collector-2")
    assert bench.send(bench.command("diagnostics.get")) == []
    assert bench.sent[-1].route == b"collector-2"


def test_the_next_collector_takes_over_and_nobody_waits_for_the_first(bench: Bench) -> None:
    with_collector(bench)
    bench.send(bench.command("diagnostics.get"))
    with_collector(bench, b"collector-2")
    ((_, response),) = bench.replies
    assert response.error is not None
    assert response.error.code == "WORKER_LOST"


def test_a_new_broker_knows_no_collector_until_it_registers(bench: Bench) -> None:
    with_collector(bench)
    bench.restart()
    assert bench.refusal("diagnostics.get").code == "WORKER_LOST"
    with_collector(bench)
    assert bench.send(bench.command("diagnostics.get")) == []


def test_a_status_that_changed_is_published(bench: Bench) -> None:
    with_collector(bench)
    bench.report(COLLECTOR, "diagnostics.metric", changed())
    metric = bench.happened("diagnostics.metric").metric
    assert metric is not None
    assert (metric.key, metric.before, metric.finding.status) == ("echo_latency", "pass", "fail")


def test_one_key_is_not_told_of_too_often(bench: Bench) -> None:
    with_collector(bench)
    for _ in range(10):
        bench.report(COLLECTOR, "diagnostics.metric", changed())
    bench.report(COLLECTOR, "diagnostics.metric", changed("restarts"))
    assert bench.topics().count("diagnostics.metric") == 2
    bench.wait(TOLD_EVERY)
    bench.report(COLLECTOR, "diagnostics.metric", changed())
    assert bench.topics().count("diagnostics.metric") == 3


def test_the_memory_of_keys_is_bounded(bench: Bench) -> None:
    with_collector(bench)
    for number in range(2 * KEYS_MOST):
        bench.report(COLLECTOR, "diagnostics.metric", changed(f"key{number}"))
    assert len(bench.core.desk.diagnosis.told) == KEYS_MOST


def test_a_collector_reports_nothing_else_and_nobody_else_reports_figures(bench: Bench) -> None:
    with_collector(bench)
    before = len(bench.events)
    bench.report(COLLECTOR, "terminal.closed", {})
    bench.report(COLLECTOR, "diagnostics.metric", {"key": 1})
    bench.report(b"stranger", "diagnostics.metric", changed())
    assert len(bench.events) == before
    assert bench.core.desk.counters["worker.refused"] == 3

"""Figures against their thresholds: which status, which advice, and when it is news."""

import pytest

from lanekeeper.collector.findings import Findings, worst
from lanekeeper.collector.judging import RULES, How
from lanekeeper.collector.model import Model
from lanekeeper.wire.messages.diagnostics import Finding
from lanekeeper.wire.metrics import METRICS, Kind
from unit.collector.samples import BACKLOG, CREATE, sample, spread, value


class Judged:
    """A model with findings on it."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.findings = Findings()
        self.model = Model(self.findings.feeds)
        self.given: dict[str, float] = {}

    def hear(self, data: bytes, now: float = 1.0) -> None:
        """Take in a sample."""
        self.model.feed(data, now)

    def look(self, now: float = 1.0) -> dict[str, Finding]:
        """Return the findings."""
        return self.findings.look(self.model.series(), self.given, now)


def test_every_rule_is_about_a_metric_that_it_fits() -> None:
    for key, rule in RULES.items():
        metric = METRICS[rule.metric]
        if rule.how is How.SPREAD:
            assert metric.kind is Kind.HISTOGRAM, key
            assert rule.judged in {"p50", "p95", "p99", "max", "latest"}
        if rule.how in {How.LEVEL, How.SHARE_OF_LEVEL}:
            assert metric.kind is Kind.GAUGE, key
        for label, _ in (*rule.where, *rule.unless):
            assert label in metric.labels, key
        assert rule.fail is None or rule.warn <= rule.fail, key
        assert rule.criteria, key
        assert rule.advice.endswith("."), key
        assert len(Findings().look([], {}, 0.0)) == len(RULES)


def test_the_three_that_are_prescribed() -> None:
    names = {key: RULES[key].metric for key in RULES if "T026" in RULES[key].criteria}
    assert names.items() >= {
        ("lane_create_latency", "lanekeeper_lane_create_seconds"),
        ("session_restore_latency", "lanekeeper_session_restore_seconds"),
        ("output_backlog_depth", "lanekeeper_output_backlog_chunks"),
    }
    fails = [RULES[key].fail for key in ("lane_create_latency", "session_restore_latency")]
    assert fails == [0.030, 0.035]
    assert RULES["output_backlog_depth"].fail == 64


@pytest.mark.parametrize(("seconds", "status"), [(0.004, "pass"), (0.020, "warn"), (0.031, "fail")])
def test_a_latency_is_held_against_its_thresholds(seconds: float, status: str) -> None:
    judged = Judged()
    judged.hear(sample(1, "broker", spreads=[spread(CREATE, [0.001] * 5 + [seconds] * 5, "ok")]))
    finding = judged.look()["lane_create_latency"]
    assert (finding.status, finding.count, finding.max) == (status, 10, seconds)
    assert (finding.advice is None) == (status == "pass")


def test_a_failed_creation_is_no_latency_but_an_error() -> None:
    judged = Judged()
    said = [spread(CREATE, [0.001] * 9, "ok"), spread(CREATE, [5.0], "error")]
    judged.hear(sample(1, "broker", spreads=said))
    found = judged.look()
    assert found["lane_create_latency"].status == "pass"
    assert found["create_errors"].latest == pytest.approx(0.1)
    assert (found["create_errors"].status, found["create_errors"].unit) == ("fail", "ratio")


def test_without_observations_nothing_is_known() -> None:
    found = Judged().look()
    assert {found[key].status for key in ("echo_latency", "log_budget", "open_fds")} == {"unknown"}
    assert found["restarts"].status == "pass"
    assert worst(one.status for one in found.values()) == "pass"


def test_shares_of_levels_and_ratios_that_are_given() -> None:
    judged = Judged()
    levels = {"lanekeeper_log_reserved_bytes": 96, "lanekeeper_log_budget_bytes": 100}
    judged.hear(sample(1, "broker", values=[value(name, n) for name, n in levels.items()]))
    judged.given = {"open_fds": 0.8}
    found = judged.look()
    assert (found["log_budget"].latest, found["log_budget"].status) == (0.96, "fail")
    assert (found["open_fds"].max, found["open_fds"].status) == (0.8, "warn")


def test_methods_that_wait_are_not_slow() -> None:
    judged = Judged()
    name = "lanekeeper_command_seconds"
    said = [spread(name, [100.0], "terminal.wait", "ok"), spread(name, [0.01], "lane.list", "ok")]
    judged.hear(sample(spreads=said))
    assert judged.look()["command_latency"].max == 0.01


def test_growth_counts_within_the_window() -> None:
    judged = Judged()
    judged.hear(sample(values=[value("lanekeeper_demotions_total", 2)]), 10.0)
    assert judged.look(10.0)["demotions"].status == "warn"
    assert judged.look(10.0)["demotions"].count == 2
    assert judged.look(1000.0)["demotions"].status == "pass"


def test_a_status_that_changed_is_told_once() -> None:
    judged = Judged()
    assert judged.findings.changes(judged.look()) == []
    judged.hear(sample(spreads=[spread(BACKLOG, [1.0] * 10)]))
    assert judged.findings.changes(judged.look()) == []
    judged.hear(sample(spreads=[spread(BACKLOG, [1.0] * 10 + [100.0] * 50)]))
    (change,) = judged.findings.changes(judged.look())
    assert (change.key, change.before, change.finding.status) == (
        "output_backlog_depth",
        "pass",
        "fail",
    )
    assert judged.findings.changes(judged.look()) == []
    (back,) = judged.findings.changes(judged.look(2000.0))
    assert (back.before, back.finding.status) == ("fail", "unknown")

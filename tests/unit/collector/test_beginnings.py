"""What is shown before anything happened, and what is shown of the findings."""

from collections import Counter

from lanekeeper.collector.beginnings import REASONS, begin, named
from lanekeeper.collector.gathering import Gathering
from lanekeeper.collector.ledger import dump
from lanekeeper.collector.model import SERIES_MOST, Incarnation, Model
from lanekeeper.collector.usage import Seen
from lanekeeper.collector.window import WINDOW_SECONDS
from lanekeeper.keeper.figures import Figures
from lanekeeper.wire.messages.diagnostics import DiagnosticsRequest
from lanekeeper.wire.metrics import DAEMONS, METRICS, Kind
from unit.collector.samples import CREATE, OUTPUT, sample, spread, value

RESTARTS = "lanekeeper_process_restarts_total"


def page(gathering: Gathering) -> str:
    return gathering.render("", 10.0)[1].decode()


def finding(status: str, number: int) -> str:
    labels = f'finding="lane_create_latency",status="{status}"'
    return f"lanekeeper_finding{{{labels}}} {number}.0\n"


def changes(gathering: Gathering, now: float) -> set[tuple[str, str, str]]:
    found = gathering.changes(now)
    return {(one.key, one.before, one.finding.status) for one in found}


def test_what_can_be_named_is_there_at_zero_and_leaves_room_for_the_rest() -> None:
    model = Model()
    begin(model)
    shown = {(one.metric.name, one.labels): one for one in model.series()}
    assert (RESTARTS, ("worker", "signal")) in shown
    assert ("lanekeeper_demotions_total", ()) in shown
    assert {one.total for one in shown.values()} == {0.0}
    assert not any(sum(one.counts) for one in shown.values())
    assert model.tallies.lines < SERIES_MOST / 5


def test_what_is_named_fits_the_table() -> None:
    for name, labels in named():
        assert len(labels) == len(METRICS[name].labels)
        assert METRICS[name].kind is not Kind.GAUGE
    assert max(Counter(named()).values()) == 1
    recoveries = {labels for name, labels in named() if name == "lanekeeper_recovery_seconds"}
    # Nobody measures that of a keeper: there is no other that has seen it die.
    assert recoveries == {(role,) for role in DAEMONS if role != "keeper"}


def test_the_keeper_counts_deaths_by_reasons_that_are_named() -> None:
    figures = Figures()
    figures.took_over(asked=False)
    figures.hung(3)
    figures.replaced("worker", 1, 0, None, asked=True)
    figures.replaced("worker", 2, 1, None, asked=False)
    figures.replaced("worker", 3, None, 9, asked=False)
    figures.replaced("worker", 4, None, 9, asked=False)
    counted = [labels for name, labels, _ in figures.values() if name == RESTARTS]
    assert {reason for _, reason in counted} == set(REASONS)


def test_totals_of_the_collector_before_stay_as_they_are() -> None:
    before = Model()
    before.feed(sample(values=[value(OUTPUT, 70)]), 1.0)
    gathering = Gathering(5, 100, "2026-01-01T00:00:00Z")
    gathering.restore(dump(before), 2.0)
    assert f"{OUTPUT} 70.0\n" in page(gathering)


def test_a_finding_has_one_status_at_a_time() -> None:
    gathering = Gathering(5, 100, "2026-01-01T00:00:00Z")
    gathering.restore(b"", 1.0)
    assert finding("unknown", 1) in page(gathering)
    late = sample(9, "broker", start_time=5000, spreads=[spread(CREATE, [1.0] * 20, "ok")])
    gathering.model.feed(late, 2.0)
    assert finding("fail", 1) in page(gathering)
    assert finding("unknown", 0) in page(gathering)


def test_a_scrape_before_the_beat_does_not_hide_a_change_from_the_bus() -> None:
    gathering = Gathering(5, 100, "2026-01-01T00:00:00Z")
    gathering.restore(b"", 1.0)
    late = sample(9, "broker", start_time=5000, spreads=[spread(CREATE, [1.0] * 20, "ok")])
    gathering.model.feed(late, 2.0)
    page(gathering)
    gathering.dump()
    assert ("lane_create_latency", "unknown", "fail") in changes(gathering, 3.0)


def test_a_finding_passes_when_what_was_observed_is_long_ago() -> None:
    gathering = Gathering(5, 100, "2026-01-01T00:00:00Z")
    gathering.restore(b"", 1.0)
    late = sample(9, "broker", start_time=5000, spreads=[spread(CREATE, [1.0] * 20, "ok")])
    gathering.model.feed(late, 2.0)
    changes(gathering, 3.0)
    gathering.dump()
    later = 3.0 + 2 * WINDOW_SECONDS
    assert ("lane_create_latency", "fail", "unknown") in changes(gathering, later)


def test_what_has_not_been_looked_at_is_not_shown_as_nothing() -> None:
    gathering = Gathering(5, 100, "2026-01-01T00:00:00Z")
    gathering.restore(b"", 1.0)
    gathering.model.feed(sample(9, start_time=5000), 2.0)
    unseen = ("resident_bytes{", "open_fds{", "open_fds_ratio", "processes{")
    assert not [name for name in unseen if f"\nlanekeeper_{name}" in page(gathering)]
    (_, worker) = gathering.diagnose(DiagnosticsRequest(), 3.0).processes
    assert (worker.count, worker.resident_bytes, worker.open_fds) == (1, None, None)
    usage, who = gathering.usage, Incarnation("worker", 9, 5000)
    usage.begin(4.0)
    usage.see(Seen(5, 100, 1, 1.0, 70))
    usage.see(Seen(9, 5000, 1, 1.0, 300))
    usage.end()
    assert 'lanekeeper_resident_bytes{role="worker"} 300.0\n' in page(gathering)
    assert 'lanekeeper_processes{role="broker"} 0.0\n' in page(gathering)
    assert "\nlanekeeper_open_fds" not in page(gathering)
    usage.descriptors(who, 12, 0.5, 5.0)
    assert 'lanekeeper_open_fds{role="worker"} 12.0\n' in page(gathering)
    assert 'lanekeeper_open_fds{role="broker"}' not in page(gathering)
    assert "lanekeeper_open_fds_ratio 0.5\n" in page(gathering)
    (_, worker) = gathering.diagnose(DiagnosticsRequest(), 6.0).processes
    assert (worker.resident_bytes, worker.open_fds) == (300, 12)

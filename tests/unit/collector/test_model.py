"""Samples in, sums out: what is lost or repeated changes nothing, what is wrong is refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from lanekeeper.collector.model import (
    DEPARTED_MOST,
    DEPARTED_SECONDS,
    PROCESSES_MOST,
    Feed,
    Incarnation,
    Model,
)
from lanekeeper.collector.window import Weighed
from lanekeeper.wire.metrics import Metric
from lanekeeper.wire.sample import SAMPLE_BYTES, SAMPLE_VERSION, SampleError
from unit.collector.samples import BACKLOG, CREATE, LOGS, OUTPUT, lane, sample, spread, value


def shown(model: Model) -> dict[tuple[str, ...], float]:
    return {(one.metric.name, *one.labels): one.total for one in model.series()}


def test_counts_of_all_who_ever_lived_are_added_up() -> None:
    model = Model()
    model.feed(sample(1, values=[value(OUTPUT, 100)]), 1.0)
    model.feed(sample(1, values=[value(OUTPUT, 150)]), 2.0)
    model.feed(sample(1, values=[value(OUTPUT, 150)]), 3.0)
    model.feed(sample(2, values=[value(OUTPUT, 7)]), 3.0)
    assert shown(model) == {(OUTPUT,): 157}
    model.retire(Incarnation("worker", 1, 1000), 4.0)
    assert shown(model) == {(OUTPUT,): 157}


def test_a_pid_that_is_used_again_is_another_process() -> None:
    model = Model()
    model.feed(sample(1, start_time=5, values=[value(OUTPUT, 100)]), 1.0)
    model.feed(sample(1, start_time=9, values=[value(OUTPUT, 30)]), 2.0)
    assert shown(model) == {(OUTPUT,): 130}


def test_an_older_sample_that_comes_late_changes_no_count() -> None:
    model = Model()
    for total in (30, 10, 40):
        model.feed(sample(values=[value(OUTPUT, total)]), 1.0)
    model.feed(sample(spreads=[spread(CREATE, [0.01, 0.02], "ok")], role="broker"), 1.0)
    model.feed(sample(spreads=[spread(CREATE, [0.01], "ok")], role="broker"), 2.0)
    assert shown(model) == {(OUTPUT,): 40, (CREATE, "ok"): pytest.approx(0.03)}


def test_gauges_are_of_those_who_live() -> None:
    model = Model()
    model.feed(sample(1, values=[value(LOGS, 100)]), 1.0)
    model.feed(sample(2, values=[value(LOGS, 50)]), 1.0)
    model.feed(sample(1, values=[value(LOGS, 20)]), 2.0)
    assert shown(model) == {(LOGS,): 70}
    model.retire(Incarnation("worker", 1, 1000), 3.0)
    assert shown(model) == {(LOGS,): 50}
    model.feed(sample(2, values=[value(LOGS, 50)], last=True), 4.0)
    assert shown(model) == {(LOGS,): 0}


def test_a_sample_that_was_under_way_when_its_process_ended_is_counted_once() -> None:
    model = Model()
    model.feed(sample(values=[value(OUTPUT, 100), value(LOGS, 9)]), 1.0)
    model.retire(Incarnation("worker", 10, 1000), 2.0)
    model.feed(sample(values=[value(OUTPUT, 120), value(LOGS, 9)]), 3.0)
    assert shown(model) == {(OUTPUT,): 120, (LOGS,): 0}


def test_a_successor_ends_who_came_before() -> None:
    model = Model()
    model.feed(sample(1, start_time=5, values=[value(LOGS, 100)], lane=lane()), 1.0)
    model.feed(sample(2, start_time=6, values=[value(LOGS, 100)], lane=lane()), 2.0)
    assert shown(model) == {(LOGS,): 100}
    assert model.lanes()["lane_a"].who.pid == 2
    model.feed(sample(1, start_time=5, values=[value(LOGS, 100)], lane=lane()), 3.0)
    assert model.lanes()["lane_a"].who.pid == 2
    lanes = "lanekeeper_lanes"
    for pid in (3, 4):
        said = [value(lanes, 5, "ready")]
        model.feed(sample(pid, "broker", start_time=pid, values=said), 4.0)
    assert shown(model)[lanes, "ready"] == 5


def test_who_has_a_lane_is_told_by_its_generation_not_by_who_was_forked_first() -> None:
    model = Model()
    later = sample(2, start_time=9, values=[value(LOGS, 100)], lane=lane(generation=1))
    model.feed(later, 1.0)
    second = [value(LOGS, 30), value(OUTPUT, 7)]
    model.feed(sample(1, start_time=5, values=second, lane=lane(generation=2)), 2.0)
    assert model.lanes()["lane_a"].who.pid == 1
    model.feed(later, 3.0)
    assert model.lanes()["lane_a"].who.pid == 1
    model.forget(2.0 + DEPARTED_SECONDS)
    model.feed(sample(1, start_time=5, values=second, lane=lane(generation=2)), 200.0)
    assert shown(model) == {(LOGS,): 30, (OUTPUT,): 7}


def test_a_histogram_adds_up_bucket_by_bucket() -> None:
    model = Model()
    model.feed(sample(1, "broker", 1, spreads=[spread(CREATE, [0.001, 0.004], "ok")]), 1.0)
    model.feed(sample(2, "broker", 2, spreads=[spread(CREATE, [0.004, 9.0], "ok")]), 2.0)
    (series,) = (one for one in model.series() if one.metric.name == CREATE)
    assert series.counts == [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert series.total == pytest.approx(9.009)


def test_the_role_of_a_label_is_the_senders_unless_it_is_given() -> None:
    model = Model()
    dropped, restarts = "lanekeeper_samples_dropped_total", "lanekeeper_process_restarts_total"
    model.feed(sample(1, "broker", values=[value(dropped, 2)]), 1.0)
    model.feed(sample(2, "keeper", values=[value(restarts, 1, "worker", "died")]), 1.0)
    assert shown(model) == {(dropped, "broker"): 2, (restarts, "worker", "died"): 1}


@pytest.mark.parametrize(
    "change",
    [
        {"v": SAMPLE_VERSION - 1},
        {"role": "W"},
        {"role": "intruder"},
        {"pid": 0},
        {"extra": 1},
        {"values": [value("lanekeeper_unknown_total", 1)]},
        {"values": [value("other_total", 1)]},
        {"values": [value(OUTPUT, -1)]},
        {"values": [value(OUTPUT, float("nan"))]},
        {"values": [value(OUTPUT, float("inf"))]},
        {"values": [value(OUTPUT, 1, "surplus")]},
        {"values": [value("lanekeeper_lanes", 1)]},
        {"values": [value("lanekeeper_lanes", 1, 'x"} 1\n')]},
        {"values": [value("lanekeeper_lanes", 1, "ready\n")]},
        {"values": [value("lanekeeper_lanes", 1, "x" * 65)]},
        {"values": [value("lanekeeper_lanes", 1, "\u202eready")]},
        {"values": [value(CREATE, 1, "ok")]},
        {"values": [value(OUTPUT, 1)] * 1001},
        {"spreads": [[CREATE, ["ok"], [1, 2], 1.0, []]]},
        {"spreads": [[OUTPUT, [], [1], 1.0, []]]},
        {"spreads": [[CREATE, ["ok"], [1] * 12, 1.0, [float("nan")]]]},
        {"spreads": [[CREATE, ["ok"], [-1] * 12, 1.0, []]]},
        {"spreads": [[*spread(CREATE, [1.0] * 64, "ok")[:4], [1.0] * 65]]},
    ],
)
def test_what_is_no_sample_is_refused_and_counted_and_changes_nothing(
    change: dict[str, Any],
) -> None:
    model = Model()
    good: dict[str, Any] = {"v": SAMPLE_VERSION, "role": "worker", "pid": 10, "start_time": 1000}
    fields = good | {"values": [value(OUTPUT, 5)]} | change
    with pytest.raises(SampleError):
        model.feed(sample(**fields), 1.0)
    assert model.tallies.refused == 1
    assert shown(model) == {}
    assert not list(model.living())


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91" * 1000, bytes(SAMPLE_BYTES + 1)])
def test_bytes_that_are_no_sample_are_refused(data: bytes) -> None:
    model = Model()
    with pytest.raises(SampleError):
        model.feed(data, 1.0)
    assert model.tallies.refused == 1


def test_series_are_bounded_and_what_has_no_room_is_counted() -> None:
    model = Model(most=20)
    for number in range(40):
        name = "lanekeeper_incidents_total"
        model.feed(sample(number + 1, values=[value(name, 1, f"reason{number}")]), 1.0)
    assert len(shown(model)) == model.tallies.lines == 20
    assert model.tallies.series_refused == 20
    model.feed(sample(50, spreads=[spread(CREATE, [0.1], "ok")], role="broker"), 1.0)
    assert model.tallies.series_refused == 21
    assert model.tallies.refused == 0


def test_processes_are_bounded_and_those_that_are_known_go_on() -> None:
    model = Model()
    for pid in range(1, PROCESSES_MOST + 1):
        model.feed(sample(pid, values=[value(OUTPUT, 1)]), 1.0)
    with pytest.raises(SampleError, match="processes already"):
        model.feed(sample(PROCESSES_MOST + 1), 1.0)
    assert model.tallies.refused == 1
    model.feed(sample(1, values=[value(OUTPUT, 2)]), 1.0)
    assert shown(model) == {(OUTPUT,): PROCESSES_MOST + 1}
    model.retire(Incarnation("worker", 5, 1000), 2.0)
    model.feed(sample(PROCESSES_MOST + 1), 3.0)


def test_those_who_ended_are_forgotten_in_time_and_in_number() -> None:
    model = Model()
    for pid in range(1, DEPARTED_MOST + 100):
        model.feed(sample(pid, values=[value(OUTPUT, 1)], last=True), 1.0)
    assert len(list(model.departed())) == DEPARTED_MOST
    model.forget(1.0 + DEPARTED_SECONDS - 1)
    assert len(list(model.departed())) == DEPARTED_MOST
    model.forget(1.0 + DEPARTED_SECONDS)
    assert not list(model.departed())
    assert shown(model) == {(OUTPUT,): DEPARTED_MOST + 99}


class Heard:
    """Somebody who hears of every series."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.told: list[tuple[str, list[Weighed], float]] = []

    def feeds(self, metric: Metric, _labels: tuple[str, ...]) -> tuple[Feed, ...]:
        """Hear of this series, too."""

        def feed(observed: Sequence[Weighed], count: float, _now: float) -> None:
            self.told.append((metric.name, list(observed), count))

        return (feed,)


def test_who_listens_hears_of_what_is_new() -> None:
    heard = Heard()
    model = Model(heard.feeds)
    model.feed(sample(values=[value(OUTPUT, 5)], spreads=[spread(BACKLOG, [1, 2])]), 1.0)
    model.feed(sample(values=[value(OUTPUT, 5)], spreads=[spread(BACKLOG, [1, 2])]), 2.0)
    model.feed(sample(values=[value(OUTPUT, 8)]), 3.0)
    assert heard.told == [(OUTPUT, [], 5), (BACKLOG, [(1, 1), (2, 1)], 2), (OUTPUT, [], 3)]


def test_observations_of_which_none_is_shown_are_those_of_their_bucket() -> None:
    heard = Heard()
    model = Model(heard.feeds)
    name, labels, counts, total, _ = spread(CREATE, [0.004] * 100 + [0.9] + [9.0], "ok")
    model.feed(sample(1, "broker", spreads=[[name, labels, counts, total, [0.0042] * 50]]), 1.0)
    ((_, observed, count),) = heard.told
    assert observed == [(2.0, 1.0), (5.0, 1.0), *[(0.0042, 2.0)] * 50]
    assert count == 102


def test_what_a_sample_that_was_lost_had_shown_counts_with_the_next() -> None:
    heard = Heard()
    model = Model(heard.feeds)
    model.feed(sample(1, "broker", spreads=[spread(CREATE, [0.004], "ok")]), 1.0)
    name, labels, counts, total, _ = spread(CREATE, [0.004, 0.4], "ok")
    model.feed(sample(1, "broker", spreads=[[name, labels, counts, total, []]]), 2.0)
    assert heard.told[-1] == (CREATE, [(0.5, 1.0)], 1)


def test_what_happened_before_the_collector_began_is_no_news() -> None:
    heard = Heard()
    model = Model(heard.feeds, known_before=2000)
    model.feed(sample(values=[value(OUTPUT, 5)]), 1.0)
    assert heard.told == []
    assert shown(model) == {(OUTPUT,): 5}
    model.feed(sample(values=[value(OUTPUT, 6)]), 2.0)
    assert heard.told == [(OUTPUT, [], 1)]


def test_output_has_a_rate_between_two_samples() -> None:
    model = Model()
    model.feed(sample(lane=lane(output_bytes=1000)), 10.0)
    model.feed(sample(lane=lane(output_bytes=6000)), 15.0)
    assert model.lanes()["lane_a"].rate == pytest.approx(1000)

"""When a process pushes a sample, and what is in it."""

import pytest

from lanekeeper.wire.meter import FIRST_WITHIN, Meter
from lanekeeper.wire.metrics import METRICS
from lanekeeper.wire.sample import (
    RECENT_MAX,
    SAMPLE_SECONDS,
    SAMPLE_VERSION,
    Sample,
    Spread,
    Value,
    decode_sample,
)

NOW = 100.0
EVENTS = "lanekeeper_events_total"
CREATE = "lanekeeper_lane_create_seconds"
LANES = "lanekeeper_lanes"


def _meter(pid: int = 64) -> Meter:
    return Meter("broker", pid, 42, NOW)


def _taken(meter: Meter, now: float = NOW + 1000, *, last: bool = False) -> Sample:
    data = meter.take(now, last=last)
    assert data is not None
    meter.sent()
    return decode_sample(data)


def test_the_first_sample_says_who_there_is_and_comes_within_a_second() -> None:
    meter = _meter()
    assert meter.due() == NOW
    sample = _taken(meter, NOW)
    assert (sample.v, sample.role, sample.pid, sample.start_time) == (
        SAMPLE_VERSION,
        "broker",
        64,
        42,
    )
    assert (sample.values, sample.spreads, sample.lane, sample.last) == ([], [], None, False)


def test_processes_that_start_together_are_apart() -> None:
    first = {_meter(pid).due() for pid in range(64)}
    assert len(first) == 64
    assert all(NOW <= (due or 0) < NOW + FIRST_WITHIN for due in first)


def test_a_change_is_pushed_and_the_next_after_the_pause() -> None:
    meter = _meter()
    _taken(meter, NOW)
    assert meter.due() is None
    assert meter.take(NOW + 1000) is None
    meter.add(EVENTS)
    assert meter.due() == meter.slot == NOW + SAMPLE_SECONDS
    assert meter.take(NOW + SAMPLE_SECONDS - 0.1) is None
    assert _taken(meter, NOW + SAMPLE_SECONDS).values == [Value(EVENTS, [], 1.0)]
    assert meter.due() is None


def test_a_sample_that_was_not_sent_is_due_again_with_everything_it_showed() -> None:
    meter = _meter()
    meter.observe(CREATE, 0.004, "ok")
    refused = decode_sample(meter.take(NOW) or b"")
    assert meter.due() == NOW + SAMPLE_SECONDS
    meter.observe(CREATE, 0.008, "ok")
    (spread,) = _taken(meter, NOW + SAMPLE_SECONDS).spreads
    assert spread.recent == [*refused.spreads[0].recent, 0.008] == [0.004, 0.008]
    assert meter.due() is None


def test_what_has_not_changed_is_no_change() -> None:
    meter = _meter()
    meter.put(LANES, 3, "ready")
    _taken(meter)
    meter.put(LANES, 3, "ready")
    assert meter.due() is None
    meter.put(LANES, 2, "ready")
    assert _taken(meter, NOW + 2000).values == [Value(LANES, ["ready"], 2.0)]


def test_the_last_sample_does_not_wait_and_says_that_it_is() -> None:
    meter = _meter()
    _taken(meter, NOW)
    sample = _taken(meter, NOW + 0.1, last=True)
    assert sample.last


def test_everything_is_pushed_again_within_a_second_when_it_is_wanted() -> None:
    meter = _meter(96)
    meter.add(EVENTS, 7)
    meter.observe(CREATE, 0.004, "ok")
    _taken(meter)
    later = NOW + 5000
    meter.again(later)
    assert meter.due() == later + FIRST_WITHIN / 2
    sample = _taken(meter, later + 1)
    assert sample.values == [Value(EVENTS, [], 7.0)]
    assert sum(sample.spreads[0].counts) == 1


def test_a_histogram_has_a_bucket_for_each_bound_and_one_above_them_all() -> None:
    meter = _meter()
    bounds = METRICS[CREATE].buckets
    for value in (*bounds, bounds[-1] + 1, 0.0):
        meter.observe(CREATE, value, "ok")
    (spread,) = _taken(meter).spreads
    assert spread.counts == [2, *[1] * len(bounds)]
    assert spread.sum == pytest.approx(sum(bounds) + bounds[-1] + 1)
    assert spread.recent == [*bounds, bounds[-1] + 1, 0.0]


def test_observations_are_shown_once_and_the_newest_when_there_are_many() -> None:
    meter = _meter()
    for number in range(RECENT_MAX + 10):
        meter.observe(CREATE, number, "ok")
    (first,) = _taken(meter).spreads
    assert first.recent == [float(n) for n in range(10, RECENT_MAX + 10)]
    meter.observe(CREATE, 1, "error")
    ok, error = _taken(meter, NOW + 2000).spreads
    assert ok == Spread(CREATE, ["ok"], first.counts, first.sum, [])
    assert (error.labels, sum(error.counts), error.sum, error.recent) == (["error"], 1, 1.0, [1.0])


def test_who_observes_much_gets_what_takes_it() -> None:
    meter = _meter()
    _taken(meter)
    echoed = meter.spread("lanekeeper_echo_seconds")
    assert meter.due() is None
    echoed(0.002)
    assert meter.due() is not None
    meter.observe("lanekeeper_echo_seconds", 0.003)
    assert [each.recent for each in _taken(meter, NOW + 2000).spreads] == [[0.002, 0.003]]


def test_what_is_only_noted_travels_with_the_next_change() -> None:
    meter = _meter()
    _taken(meter, NOW)
    meter.note("lanekeeper_loop_lag_seconds", 0.001)
    assert meter.due() is None
    meter.add(EVENTS)
    assert [each.recent for each in _taken(meter).spreads] == [[0.001]]


def test_a_name_that_is_not_in_the_table_is_refused() -> None:
    meter = _meter()
    for use in (
        meter.add,
        meter.spread,
        lambda name: meter.put(name, 1),
        lambda name: meter.observe(name, 1),
    ):
        with pytest.raises(KeyError):
            use("lanekeeper_spam_total")
    assert _taken(meter).values == []

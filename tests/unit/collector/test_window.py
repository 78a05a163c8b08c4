"""Figures of the last ten minutes: exact where they say so, 1 % off at most elsewhere."""

import pickle
from collections.abc import Sequence

import pytest

from lanekeeper.collector.window import (
    SLOT_SECONDS,
    WINDOW_SECONDS,
    Tally,
    Weighed,
    Window,
    weighed,
)


def each(values: Sequence[float]) -> list[Weighed]:
    """Return observations that are all shown."""
    return [(value, 1.0) for value in values]


def test_nothing_was_observed() -> None:
    window = Window()
    assert window.summary(0.0) is None
    window.add([], 1.0)
    assert window.summary(1.0) is None


def test_one_observation_is_every_figure() -> None:
    window = Window()
    window.add([(0.0123, 1)], 5.0)
    seen = window.summary(5.0)
    assert seen is not None
    assert {seen.min, seen.p50, seen.p95, seen.p99, seen.max, seen.latest} == {0.0123}
    assert seen.count == 1


@pytest.mark.parametrize(("least", "growth"), [(1e-6, 1.004), (1.0, 1.0003), (0.02, 1.001)])
def test_percentiles_are_at_most_a_hundredth_off(least: float, growth: float) -> None:
    values = [least * growth ** ((number * 2971) % 5000) for number in range(5000)]
    window = Window()
    for start in range(0, len(values), 50):
        window.add(each(values[start : start + 50]), start / 10)
    seen, order = window.summary(500.0), sorted(values)
    assert seen is not None
    assert (seen.count, seen.min, seen.max) == (5000, order[0], order[-1])
    assert seen.latest == values[-1]
    for found, share in ((seen.p50, 0.5), (seen.p95, 0.95), (seen.p99, 0.99)):
        assert found == pytest.approx(order[round(share * 5000) - 1], rel=0.011)


def test_zero_and_whole_numbers_are_kept() -> None:
    window = Window()
    window.add(each([0.0] * 90 + [64.0] * 10), 1.0)
    seen = window.summary(1.0)
    assert seen is not None
    assert (seen.min, seen.p50, seen.max) == (0, 0, 64)
    assert seen.p95 == pytest.approx(64, rel=0.011)


def test_those_that_were_not_shown_count_too() -> None:
    window = Window()
    window.add([(1.0, 1000 / 64)] * 64, 1.0)
    window.add(each([9.0] * 10), 1.0)
    seen = window.summary(1.0)
    assert seen is not None
    assert (seen.count, seen.max) == (1010, 9.0)
    assert seen.p95 == pytest.approx(1.0, rel=0.011)


def test_a_few_that_took_long_are_not_hidden_by_many_that_came_later() -> None:
    bounds = (0.001, 0.01, 0.1, 1.0)
    window = Window()
    window.add(weighed(bounds, [0, 900, 0, 100, 0], [0.004] * 64), 1.0)
    seen = window.summary(1.0)
    assert seen is not None
    assert (seen.count, seen.max, seen.latest) == (1000, 1.0, 0.004)
    assert seen.p50 == pytest.approx(0.004, rel=0.011)
    assert seen.p95 == pytest.approx(1.0, rel=0.011)


def test_a_value_of_a_bucket_that_has_not_grown_is_no_news() -> None:
    assert weighed((1.0, 2.0), [0, 2, 0], [0.5, 1.5]) == [(1.5, 2.0)]
    assert weighed((1.0, 2.0), [0, 0, 3], []) == [(2.0, 3.0)]


def test_what_is_older_than_the_window_is_gone() -> None:
    window, tally = Window(), Tally()
    window.add([(9.0, 1)], 1.0)
    tally.add(9, 1.0)
    window.add([(1.0, 1)], 301.0)
    tally.add(1, 301.0)
    assert tally.total(301.0) == 10
    later = WINDOW_SECONDS + SLOT_SECONDS
    seen = window.summary(later)
    assert seen is not None
    assert (seen.count, seen.max, tally.total(later)) == (1, 1.0, 1)
    assert window.summary(later + WINDOW_SECONDS) is None
    assert tally.total(later + WINDOW_SECONDS) == 0


def test_a_window_is_bounded_however_much_is_observed() -> None:
    window = Window()
    sizes = []
    for number in range(4_000):
        window.add(
            [(10.0 ** ((number * 5 + at) * 37 % 19 - 9) * number, 1) for at in range(5)],
            number * 0.5,
        )
        if number in {1_500, 3_999}:
            sizes.append(len(pickle.dumps(window)))
    assert sizes[1] < 1.2 * sizes[0] < 200_000

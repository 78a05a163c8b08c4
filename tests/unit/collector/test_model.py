"""Samples in, sums out: what is lost or repeated changes nothing, what is wrong is refused."""

from typing import Any

import msgspec
import pytest

from lanekeeper.collector.model import Model, SampleError
from lanekeeper.wire.sample import NAMES_MAX, SAMPLE_BYTES


def _sample(incarnation: str = "a", **totals: float) -> bytes:
    return _of("worker", incarnation, totals)


def _of(role: str, incarnation: str, totals: dict[str, float]) -> bytes:
    return msgspec.msgpack.encode(
        {"v": 1, "role": role, "incarnation": incarnation, "totals": totals}
    )


def test_totals_of_incarnations_are_added_up() -> None:
    model = Model()
    model.feed(_sample("a", spawns=1, bytes=100))
    model.feed(_sample("a", spawns=3, bytes=100))
    model.feed(_sample("a", spawns=3, bytes=100))
    model.feed(_sample("b", spawns=2))
    model.feed(_of("broker", "x", {"spawns": 0}))
    assert model.totals() == {
        ("broker", "spawns"): 0,
        ("worker", "bytes"): 100,
        ("worker", "spawns"): 5,
    }
    statistics = model.statistics()
    assert (statistics.samples, statistics.incarnations, statistics.names) == (5, 3, 3)


def test_an_older_sample_that_comes_late_changes_nothing() -> None:
    model = Model()
    model.feed(_sample("a", spawns=3))
    model.feed(_sample("a", spawns=1))
    model.feed(_sample("a", spawns=4))
    assert model.totals() == {("worker", "spawns"): 4}


def test_incarnations_are_bounded_and_their_sums_stay() -> None:
    model = Model(incarnations=2)
    for name in "abc":
        model.feed(_sample(name, spawns=1))
    assert model.totals() == {("worker", "spawns"): 3}
    assert model.statistics().incarnations == 2


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"role": "W"},
        {"incarnation": ""},
        {"totals": {"Bad": 1}},
        {"totals": {"x": -1}},
        {"totals": {"x": "1"}},
        {"totals": {f"n{n}": 1 for n in range(NAMES_MAX + 1)}},
        {"extra": 1},
    ],
)
def test_what_is_no_sample_is_refused_and_counted(change: dict[str, Any]) -> None:
    model = Model()
    sample = {"v": 1, "role": "worker", "incarnation": "a", "totals": {}, **change}
    with pytest.raises(SampleError):
        model.feed(msgspec.msgpack.encode(sample))
    assert model.statistics().refused == 1


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91" * 1000, bytes(SAMPLE_BYTES + 1)])
def test_bytes_that_are_no_sample_are_refused(data: bytes) -> None:
    with pytest.raises(SampleError):
        Model().feed(data)


def test_names_are_bounded() -> None:
    model = Model()
    model.feed(_of("worker", "a", {f"n{n}": 1.0 for n in range(NAMES_MAX)}))
    with pytest.raises(SampleError, match="names of totals"):
        model.feed(_sample("b", one_more=1))
    model.feed(_sample("b", n1=1))
    assert model.totals()["worker", "n1"] == 2

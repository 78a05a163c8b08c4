"""When a process pushes a sample, and what is in it."""

import math

import msgpack

from lanekeeper.collector.model import decode_sample
from lanekeeper.wire.sample import SAMPLE_SECONDS, Sampler

NOW = 100.0


def test_nothing_is_pushed_before_anything_has_happened() -> None:
    sampler = Sampler("broker", 7, 42)
    assert sampler.due({}) is None
    assert sampler.take({}, NOW) is None
    assert sampler.take({}, math.inf) is None


def test_a_change_is_pushed_at_once_and_the_next_after_the_pause() -> None:
    sampler = Sampler("broker", 7, 42)
    first = sampler.take({"commands": 1}, NOW)
    assert first is not None
    assert decode_sample(first).totals == {"commands": 1.0}
    assert sampler.due({"commands": 1}) is None
    assert sampler.due({"commands": 9}) == NOW + SAMPLE_SECONDS
    assert sampler.take({"commands": 9}, NOW + SAMPLE_SECONDS - 0.1) is None
    assert sampler.take({"commands": 9}, NOW + SAMPLE_SECONDS) is not None
    assert sampler.take({"commands": 9}, NOW + 10 * SAMPLE_SECONDS) is None


def test_the_last_sample_does_not_wait() -> None:
    sampler = Sampler("worker", 7, 42)
    assert sampler.take({"commands": 1}, NOW) is not None
    assert sampler.take({"commands": 2}, math.inf) is not None


def test_a_change_in_place_is_a_change() -> None:
    sampler = Sampler("broker", 7, 42)
    counters = {"commands": 1}
    assert sampler.take(counters, NOW) is not None
    counters["commands"] += 1
    assert sampler.due(counters) == NOW + SAMPLE_SECONDS


def test_a_sample_carries_role_incarnation_and_names_of_metrics() -> None:
    sampler = Sampler("broker", 7, 42)
    sample = msgpack.unpackb(sampler.take({"refused.NOT_FOUND": 2}, NOW) or b"")
    assert sample == {
        "v": 1,
        "role": "broker",
        "incarnation": "7-42",
        "totals": {"refused_not_found": 2.0},
    }

"""What a killed collector leaves to the next: no counter falls, and none jumps."""

import msgspec
import pytest

from lanekeeper.collector.ledger import LedgerError, dump, restore
from lanekeeper.collector.model import Incarnation, Model
from unit.collector.samples import CREATE, LOGS, OUTPUT, sample, spread, value


def shown(model: Model) -> dict[tuple[str, ...], tuple[float, int]]:
    return {(s.metric.name, *s.labels): (s.total, sum(s.counts)) for s in model.series()}


def used() -> Model:
    model = Model()
    model.feed(sample(1, values=[value(OUTPUT, 100), value(LOGS, 5)]), 1.0)
    model.feed(sample(2, values=[value(OUTPUT, 30)]), 1.0)
    model.feed(sample(3, "broker", spreads=[spread(CREATE, [0.5, 0.25], "ok")]), 1.0)
    model.retire(Incarnation("worker", 2, 1000), 2.0)
    return model


def test_the_next_one_goes_on_from_there() -> None:
    model = Model()
    restore(model, dump(used()), 100.0)
    assert shown(model) == {(OUTPUT,): (130, 0), (CREATE, "ok"): (0.75, 2)}
    model.feed(sample(1, values=[value(OUTPUT, 100)]), 101.0)
    model.feed(sample(3, "broker", spreads=[spread(CREATE, [0.5, 0.25, 1.0], "ok")]), 101.0)
    assert shown(model) == {(OUTPUT,): (130, 0), (CREATE, "ok"): (1.75, 3)}
    model.feed(sample(1, values=[value(OUTPUT, 140)]), 102.0)
    assert shown(model)[(OUTPUT,)] == (170, 0)


def test_those_who_had_ended_are_not_counted_again() -> None:
    model = Model()
    restore(model, dump(used()), 100.0)
    model.feed(sample(2, values=[value(OUTPUT, 30)]), 101.0)
    assert shown(model)[(OUTPUT,)] == (130, 0)
    assert [one.who.pid for one in model.departed()] == [2]


def test_what_was_kept_is_kept_again_the_same() -> None:
    first = dump(used())
    model = Model()
    restore(model, first, 100.0)
    again = Model()
    restore(again, dump(model), 200.0)
    assert shown(again) == shown(model)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"\xc1",
        msgspec.msgpack.encode([2, [], []]),
        msgspec.msgpack.encode([1, [[0, "lanekeeper_unknown_total", [], 1.0, []]], []]),
        msgspec.msgpack.encode([1, [[0, LOGS, [], 1.0, []]], []]),
        msgspec.msgpack.encode([1, [[0, OUTPUT, ["surplus"], 1.0, []]], []]),
        msgspec.msgpack.encode([1, [[0, CREATE, ["ok"], 1.0, [1, 2]]], []]),
        msgspec.msgpack.encode([1, [], [["worker", 1, 1, False, {0: 1.0}, {}]]]),
        msgspec.msgpack.encode(
            [1, [[0, OUTPUT, [], 1.0, []]], [["worker", 1, 1, False, {}, {0: [1]}]]]
        ),
        dump(used())[:-3],
    ],
)
def test_what_is_no_ledger_is_refused_whole(data: bytes) -> None:
    model = Model()
    with pytest.raises(LedgerError):
        restore(model, data, 1.0)
    assert not model.series()
    assert not list(model.living())

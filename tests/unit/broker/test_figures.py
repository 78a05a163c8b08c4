"""What the broker's samples say of the plane, and what it passes on of the keeper."""

import msgspec
import pytest

from lanekeeper.broker.figures import Figures
from lanekeeper.keeper.identity import Process
from lanekeeper.wire.limits import LOG_BUDGET
from lanekeeper.wire.messages.events import Happened
from lanekeeper.wire.meter import LAG_TOLD
from lanekeeper.wire.sample import Sample, decode_sample

from .bench import Bench, a_terminal

Values = dict[tuple[str, ...], float]
SPREAD = ["lanekeeper_recovery_seconds", ["worker"], [0, 1, *[0] * 10], 0.007, [0.007]]


@pytest.fixture
def figures(bench: Bench) -> Figures:
    return Figures(Process(7, 42), bench.core.desk, bench.now)


def sample(figures: Figures, bench: Bench) -> Sample:
    """Return everything the broker would say now."""
    bench.now += 10
    figures.again(bench.now)
    data = figures.take(bench.now + 1)
    assert data is not None
    figures.pushed(sent=True)
    return decode_sample(data)


def values(figures: Figures, bench: Bench, name: str) -> Values:
    taken = sample(figures, bench).values
    return {tuple(v.labels): v.value for v in taken if v.name == f"lanekeeper_{name}"}


def test_lanes_sessions_and_terminals_are_counted_by_state(bench: Bench, figures: Figures) -> None:
    one, first = bench.lane("one")
    bench.lane("two")
    bench.grant("three")
    bench.spawned(one, first)
    expected = {("running",): 1.0, ("ready",): 1.0, ("provisioning",): 1.0}
    assert values(figures, bench, "lanes") == expected
    assert values(figures, bench, "terminals") == {("active",): 1.0}
    assert values(figures, bench, "sessions") == {(): 1.0}
    bench.keeper(op="died", lane_id=one, generation=1, recovering=True)
    lanes = values(figures, bench, "lanes")
    assert (lanes["running",], lanes["recovering",]) == (0.0, 1.0)


def test_the_log_budget_is_told_with_what_is_spoken_for(bench: Bench, figures: Figures) -> None:
    lane_id, route = bench.lane()
    terminal = a_terminal(lane_id, "sess_t", "term_t", capacity=123_456)
    bench.spawned(lane_id, route)
    before = values(figures, bench, "log_reserved_bytes")[()]
    bench.report(route, "terminal.spawned", Happened(terminal=terminal))
    assert values(figures, bench, "log_reserved_bytes")[()] - before == 123_456
    assert values(figures, bench, "log_budget_bytes") == {(): LOG_BUDGET}


def test_events_are_those_of_this_process(bench: Bench) -> None:
    bench.lane("one")
    figures = Figures(Process(7, 42), bench.core.desk, bench.now)
    assert values(figures, bench, "events_total") == {(): 0.0}
    before = len(bench.events)
    bench.lane("two")
    assert values(figures, bench, "events_total") == {(): float(len(bench.events) - before)}


def test_the_plane_is_degraded_without_a_keeper_and_while_lanes_are_away(
    bench: Bench, figures: Figures
) -> None:
    assert values(figures, bench, "degraded") == {}
    bench.core.desk.keeper = False
    bench.core.desk.expected.add("lane_x")
    assert values(figures, bench, "degraded") == {("keeper.away",): 1.0, ("lanes.away",): 1.0}
    bench.core.desk.keeper = True
    bench.core.desk.expected.clear()
    assert values(figures, bench, "degraded") == {("keeper.away",): 0.0, ("lanes.away",): 0.0}


def test_what_went_wrong_is_told_by_reason_and_what_went_well_is_not(
    bench: Bench, figures: Figures
) -> None:
    bench.refusal("workspace.spam")
    bench.call("workspace.list")
    bench.keeper(op="spam")
    expected = {("refused.UNKNOWN_METHOD",): 1.0, ("keeper.unknown",): 1.0}
    assert values(figures, bench, "incidents_total") == expected


def test_nothing_is_pushed_while_nothing_has_changed(bench: Bench, figures: Figures) -> None:
    sample(figures, bench)
    assert figures.due() is None
    figures.touch()
    due = figures.due()
    assert due is not None
    assert figures.take(due) is None
    assert figures.due() is None
    figures.lag(LAG_TOLD / 2)
    assert figures.due() is None
    figures.lag(LAG_TOLD)
    due = figures.due()
    assert due is not None
    (spread,) = decode_sample(figures.take(due) or b"").spreads
    assert spread.recent == [LAG_TOLD / 2, LAG_TOLD]


def test_what_the_collector_did_not_take_is_pushed_again_after_the_next_beat(
    bench: Bench, figures: Figures
) -> None:
    sample(figures, bench)
    figures.touch()
    figures.lag(LAG_TOLD)
    refused = figures.take(figures.due() or 0.0)
    figures.pushed(sent=False)
    assert refused is not None
    assert figures.due() is None
    figures.lag(0.0)
    due = figures.due()
    assert due is not None
    (spread,) = decode_sample(figures.take(due) or b"").spreads
    assert spread.recent == [LAG_TOLD, 0.0]
    figures.pushed(sent=True)
    figures.lag(0.0)
    assert figures.due() is None


def told(**fields: object) -> dict[str, object]:
    return {
        "op": "figures",
        "pid": 3,
        "start_time": 4,
        "values": [["lanekeeper_vault_entries", [], 5]],
        "spreads": [SPREAD],
        "degraded": ["collector"],
        **fields,
    }


def test_the_keepers_figures_are_passed_on_as_its_own_sample(
    bench: Bench, figures: Figures
) -> None:
    assert figures.keeper.again() == []
    (data,) = figures.keeper.hear(told())
    passed = decode_sample(data)
    assert (passed.role, passed.pid, passed.start_time) == ("keeper", 3, 4)
    assert [(v.name, v.value) for v in passed.values] == [("lanekeeper_vault_entries", 5.0)]
    assert passed.spreads[0].counts[1] == 1
    assert figures.keeper.again() == [data]
    assert values(figures, bench, "degraded") == {("collector",): 1.0}
    figures.keeper.hear(told(degraded=[]))
    assert values(figures, bench, "degraded") == {("collector",): 0.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"pid": None},
        {"values": [["lanekeeper_vault_entries", [], -1]]},
        {"values": [["spam", [], 1]]},
        {"spreads": [1]},
    ],
)
def test_what_is_no_sample_is_not_passed_on(figures: Figures, wrong: dict[str, object]) -> None:
    (good,) = figures.keeper.hear(told())
    with pytest.raises(msgspec.ValidationError):
        figures.keeper.hear(told(**wrong))
    assert figures.keeper.again() == [good]

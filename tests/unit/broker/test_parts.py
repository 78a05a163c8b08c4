"""The small parts: deadlines, history, story, records, listings, journal."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.broker.deadlines import Deadlines, Due, Key
from lanekeeper.broker.journal import append, load, pack
from lanekeeper.broker.listings import fit
from lanekeeper.broker.records import (
    Answered,
    Genesis,
    RecordError,
    Taken,
    decode_record,
    encode_record,
)
from lanekeeper.broker.replay import PAGE_BYTES, History
from lanekeeper.broker.state import State
from lanekeeper.broker.stimuli import Instant
from lanekeeper.broker.story import Story
from lanekeeper.keeper.journal import COMPACT_MIN, Journal
from unit.broker.bench import Bench, content


def _key(number: int) -> Key:
    return Key(Due.COMMAND, "lane", str(number))


@given(st.lists(st.tuples(st.integers(0, 20), st.one_of(st.none(), st.floats(0, 100)))))
def test_deadlines_ring_once_in_order_and_not_when_cleared(
    steps: list[tuple[int, float | None]],
) -> None:
    deadlines, expected = Deadlines(), dict[Key, float]()
    for number, when in steps:
        if when is None:
            deadlines.clear(_key(number))
            expected.pop(_key(number), None)
        else:
            deadlines.set(_key(number), when)
            expected[_key(number)] = when
    assert deadlines.next() == min(expected.values(), default=None)
    assert len(deadlines) == len(expected)
    due = list(iter(lambda: deadlines.take(50.0), None))
    assert set(due) == {key for key, when in expected.items() if when <= 50.0}
    assert [expected[key] for key in due] == sorted(expected[key] for key in due)
    assert deadlines.take(50.0) is None


def test_cleared_deadlines_do_not_pile_up() -> None:
    deadlines = Deadlines()
    for number in range(10_000):
        deadlines.set(_key(number), 1e9)
        deadlines.clear(_key(number))
    assert len(deadlines) == 0
    assert deadlines.next() is None


def test_a_command_that_was_taken_is_over_by_its_id_or_with_its_lane() -> None:
    state = State()
    for lane_id, command_id in (("a", "1"), ("a", "2"), ("b", "3")):
        state.apply(Taken(lane_id, command_id.encode(), command_id))
    state.apply(Taken("a", None, "1"))
    assert state.taken == {("a", "2"): b"2", ("b", "3"): b"3"}
    state.apply(Taken("a", None))
    assert state.taken == {("b", "3"): b"3"}


def test_history_is_bounded_by_count_and_by_size() -> None:
    history = History(kept=3, size=10)
    history.begin("ep", 0)
    for data in (b"1", b"2", b"3", b"4"):
        history.add(data)
    assert (history.first, history.last, history.all()) == (2, 4, [b"2", b"3", b"4"])
    history.add(b"123456789")
    assert (history.first, history.last) == (4, 5)
    assert history.size == 10
    history.add(b"far too large for it")
    assert (history.first, history.last, history.all()) == (7, 6, [])
    assert history.after(0, 10) == []


def test_a_page_of_history_is_bounded_by_bytes() -> None:
    history = History()
    history.begin("ep", 0)
    for _ in range(3):
        history.add(bytes(PAGE_BYTES // 2))
    history.add(bytes(2 * PAGE_BYTES))
    assert len(history.after(0, 100)) == 2
    assert len(history.after(2, 100)) == 1
    assert len(history.after(3, 100)) == 1
    assert history.after(4, 100) == []


def test_a_story_forgets_its_beginning() -> None:
    story = Story(kept=2)
    for kind in ("a", "b", "c"):
        story.begin(kind).what = "did"
    assert story.tell() == "2:b did; 3:c did"
    assert story.number == 3


def test_fit_gives_one_entry_at_least() -> None:
    assert fit(["x" * 100, "y"], 10) == ["x" * 100]
    assert fit(["x", "y"], 10) == ["x", "y"]
    assert fit([], 10) == []


@given(st.binary(max_size=64))
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    try:
        record = decode_record(data)
    except RecordError:
        return
    assert decode_record(encode_record(record)) == record


def test_timestamps_are_rfc_3339() -> None:
    assert Instant(0.0, 1_000_000_123_456_789).ts == "1970-01-12T13:46:40.123456Z"


def test_a_journal_that_has_doubled_is_compacted_and_gives_the_same_state(bench: Bench) -> None:
    for n in range(20):
        bench.call("workspace.create", {"name": f"w{n}"})
    journal = Journal.create("test")
    append(journal, bench.journal, bench.state)
    answer = encode_record(Answered("c1", bytes(COMPACT_MIN), 1.0))
    append(journal, [answer], bench.state)
    assert journal.size < COMPACT_MIN
    again = Journal.open(os.dup(journal.fd))
    state = load(again)
    assert content(state, bench.now) == content(bench.state, bench.now)
    again.close()
    journal.close()


def test_an_empty_journal_gives_an_empty_state() -> None:
    journal = Journal.create("test")
    assert content(load(journal), 0.0) == content(State(), 0.0)
    assert next(iter(State().snapshot())) == Genesis("", 0)
    journal.close()


def test_a_foreign_journal_is_refused() -> None:
    journal = Journal.create("test")
    journal.append(next(pack([b"something else"])))
    with pytest.raises(RecordError, match="not a record"):
        load(journal)
    journal.close()

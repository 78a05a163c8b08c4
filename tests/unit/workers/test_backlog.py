"""How many messages and bytes the slowest consumer of a terminal has not acknowledged."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.wire.limits import MAX_CHUNK
from lanekeeper.workers.backlog import KEPT, Depth, Marks, depth, slowest
from lanekeeper.workers.consumers import Consumer

SIZES = st.lists(st.integers(1, MAX_CHUNK), max_size=60)


def marked(*ends: int) -> Marks:
    marks = Marks()
    for end in ends:
        marks.add(end)
    return marks


def consumer(offset: int, policy: str = "block") -> Consumer:
    return Consumer(f"c{offset}", "l", policy, offset)


def test_messages_count_that_end_after_what_was_acknowledged() -> None:
    marks = marked(10, 20, 30)
    assert [marks.after(offset) for offset in (0, 9, 10, 15, 29, 30)] == [3, 3, 2, 2, 1, 0]
    assert marks.after(0) == 3


@given(sizes=SIZES, asked=st.lists(st.integers(0, 60 * MAX_CHUNK), max_size=20))
def test_it_is_what_counting_gives(sizes: list[int], asked: list[int]) -> None:
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    marks = marked(*ends)
    for offset in asked:
        assert marks.after(offset) == sum(end > offset for end in ends)


def test_of_many_messages_the_newest_are_counted_and_the_others_estimated() -> None:
    marks = marked(*range(1, 3 * KEPT + 1))
    assert marks.after(3 * KEPT - 5) == 5
    assert marks.after(2 * KEPT) == KEPT
    older = 2 * KEPT
    assert marks.after(0) == KEPT + -(-older // MAX_CHUNK)


def test_old_messages_are_forgotten_when_somebody_asks_and_stay_estimated() -> None:
    marks = marked(*range(1, 3 * KEPT + 1))
    first = marks.after(0)
    for end in range(3 * KEPT + 1, 4 * KEPT + 1):
        marks.add(end)
    assert marks.after(4 * KEPT - 1) == 1
    assert marks.after(0) <= first + 1


def test_before_a_successor_began_there_are_only_bytes() -> None:
    marks = Marks(3 * MAX_CHUNK)
    assert marks.after(0) == 3
    marks.add(3 * MAX_CHUNK + 1)
    assert marks.after(MAX_CHUNK) == 3
    assert marks.after(3 * MAX_CHUNK) == 1


def test_the_slowest_registered_consumer_decides_whatever_its_policy() -> None:
    assert slowest([]) is None
    one = slowest([consumer(30), consumer(10, "drop"), consumer(20)])
    assert one is not None
    assert one.id == "c10"


def test_a_backlog_is_from_its_acknowledgement_to_the_cursor() -> None:
    last = consumer(12)
    assert depth(marked(10, 20, 30), 30, (0, 35), last) == Depth(2, 18, last)


def test_what_the_log_no_longer_has_is_no_backlog() -> None:
    last = consumer(0)
    assert depth(marked(10, 20, 30), 30, (20, 35), last) == Depth(1, 10, last)
    assert depth(marked(10, 20, 30), 30, (40, 50), last) == Depth(0, 0, last)


def test_without_a_consumer_it_is_what_is_not_yet_published() -> None:
    assert depth(marked(10), 10, (0, 10), None) == Depth(0, 0, None)
    assert depth(marked(10), 10, (0, 11), None) == Depth(1, 1, None)
    assert depth(marked(10), 10, (0, 10 + MAX_CHUNK + 1), None) == Depth(2, MAX_CHUNK + 1, None)


def test_memory_is_bounded_without_a_consumer_too() -> None:
    marks = Marks()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for end in range(1, 100 * KEPT):
            marks.add(end)
            if end % KEPT == 0:
                depth(marks, end, (0, end), None)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # An end takes 8 bytes; an array that grows has some spare.
    assert grown < 8 * 4 * KEPT

"""The input queue: bounded, in order, acknowledged when delivered, never cut in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_INPUT_QUEUE
from lanekeeper.workers.inputs import CANONICAL_LINE, Entry, InputQueue

LINES = b"\n\r"


def put(
    queue: InputQueue,
    data: bytes,
    name: str = "c",
    *,
    ends: bytes | None = None,
    close: bool = False,
) -> None:
    entry = Entry(name, len(data), len(data), close=close)
    queue.check(entry, data, ends=ends)
    queue.accept(entry, data, ends=ends)


@given(
    st.lists(st.binary(max_size=40), max_size=20),
    st.lists(st.integers(1, 50), min_size=200, max_size=200),
)
def test_every_input_is_done_once_and_when_its_last_byte_has_left(
    pieces: list[bytes], writes: list[int]
) -> None:
    queue = InputQueue()
    for number, piece in enumerate(pieces):
        put(queue, piece, str(number))
    left, done = 0, [entry.command_id for entry in queue.taken(0)]
    steps = iter(writes * 10)
    while queue.waiting:
        taken = min(len(queue), next(steps))
        left += taken
        done += [entry.command_id for entry in queue.taken(taken)]
        ends = [sum(map(len, pieces[: n + 1])) for n in range(len(pieces))]
        assert len(done) == sum(end <= left for end in ends)
    assert done == [str(n) for n in range(len(pieces))]
    assert len(queue) == 0


def test_a_full_queue_refuses_and_changes_nothing() -> None:
    queue = InputQueue()
    put(queue, bytes(MAX_INPUT_QUEUE))
    with pytest.raises(WireError) as refused:
        put(queue, b"x")
    assert refused.value.code == "BACKPRESSURE"
    assert refused.value.info.retryable
    assert len(queue) == MAX_INPUT_QUEUE


def test_a_line_that_canonical_mode_would_cut_is_refused() -> None:
    queue = InputQueue()
    put(queue, b"x" * CANONICAL_LINE + b"\n", ends=LINES)
    put(queue, b"x" * CANONICAL_LINE, ends=LINES)
    with pytest.raises(WireError) as refused:
        put(queue, b"x", ends=LINES)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert str(CANONICAL_LINE) in refused.value.info.message
    put(queue, b"\n", ends=LINES)
    put(queue, b"x" * 3 * CANONICAL_LINE)


def test_an_open_line_is_known() -> None:
    queue = InputQueue()
    put(queue, b"ab", ends=LINES)
    assert queue.line_is_open()
    put(queue, b"c\n", ends=LINES)
    assert not queue.line_is_open()


def test_nothing_follows_the_end_of_the_input() -> None:
    queue = InputQueue()
    put(queue, b"", close=True)
    with pytest.raises(WireError) as refused:
        put(queue, b"x")
    assert refused.value.code == "INVALID_TRANSITION"
    assert queue.waiting
    assert [entry.close for entry in queue.taken(0)] == [True]


def test_what_was_not_delivered_is_given_back() -> None:
    queue = InputQueue()
    put(queue, b"abc", "a")
    put(queue, b"def", "b")
    queue.taken(1)
    assert [e.command_id for e in queue.abandon()] == ["a", "b"]
    assert not queue.waiting


def test_a_carriage_return_ends_a_line_only_where_the_terminal_says_so() -> None:
    data = b"x" * 3000 + b"\r" + b"x" * 3000
    put(InputQueue(), data, ends=LINES)
    with pytest.raises(WireError):
        put(InputQueue(), data, ends=b"\n")


def test_what_waited_is_looked_at_again_when_lines_are_collected_now() -> None:
    queue = InputQueue()
    put(queue, b"short\n", "short")
    put(queue, b"x" * 5000, "long")
    put(queue, b"more", "more")
    queue.taken(2)
    waiting = b"ort\n" + b"x" * 5000 + b"more"
    assert [e.command_id for e in queue.settle(waiting, LINES)] == ["long", "more"]
    assert len(queue) == 4
    assert queue.unchecked == 0
    put(queue, b"next\n", "next", ends=LINES)
    assert [e.command_id for e in queue.taken(9)] == ["short", "next"]


def test_an_input_that_was_sent_in_part_is_given_up_too() -> None:
    queue = InputQueue()
    put(queue, b"x" * 9000, "long")
    queue.taken(100)
    assert [e.command_id for e in queue.settle(b"x" * 8900, LINES)] == ["long"]
    assert not queue.waiting
    put(queue, b"y\n", "next", ends=LINES)
    assert [e.command_id for e in queue.taken(2)] == ["next"]

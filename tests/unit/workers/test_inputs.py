"""The input queue: bounded, in order, acknowledged when delivered, never cut in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_INPUT_QUEUE
from lanekeeper.workers.inputs import CANONICAL_LINE, Entry, InputQueue


def entry(data: bytes, name: str = "c", *, close: bool = False) -> Entry:
    return Entry(name, data, len(data), close=close)


@given(st.lists(st.binary(max_size=40), max_size=20), st.lists(st.integers(1, 50), min_size=200))
def test_bytes_come_out_as_they_went_in_and_every_entry_is_done_once(
    pieces: list[bytes], writes: list[int]
) -> None:
    queue = InputQueue()
    for number, piece in enumerate(pieces):
        queue.accept(entry(piece, str(number)), canonical=False)
    out, done = b"", []
    steps = iter(writes * 10)
    while queue.waiting:
        taken = queue.pending()[: next(steps)]
        out += taken
        finished = queue.written(len(taken))
        if finished is not None:
            done.append(finished.command_id)
    assert out == b"".join(pieces)
    assert done == [str(n) for n in range(len(pieces))]
    assert len(queue) == 0


def test_a_full_queue_refuses_and_changes_nothing() -> None:
    queue = InputQueue()
    queue.accept(entry(bytes(MAX_INPUT_QUEUE)), canonical=False)
    with pytest.raises(WireError) as refused:
        queue.accept(entry(b"x"), canonical=False)
    assert refused.value.code == "BACKPRESSURE"
    assert refused.value.info.retryable
    assert len(queue) == MAX_INPUT_QUEUE


def test_a_line_that_canonical_mode_would_cut_is_refused() -> None:
    queue = InputQueue()
    queue.accept(entry(b"x" * CANONICAL_LINE + b"\n"), canonical=True)
    queue.accept(entry(b"x" * CANONICAL_LINE), canonical=True)
    with pytest.raises(WireError) as refused:
        queue.accept(entry(b"x"), canonical=True)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert str(CANONICAL_LINE) in refused.value.info.message
    queue.accept(entry(b"\n"), canonical=True)
    queue.accept(entry(b"x" * 3 * CANONICAL_LINE), canonical=False)


def test_an_open_line_is_known() -> None:
    queue = InputQueue()
    queue.accept(entry(b"ab"), canonical=True)
    assert queue.line_is_open()
    queue.accept(entry(b"c\n"), canonical=True)
    assert not queue.line_is_open()


def test_nothing_follows_the_end_of_the_input() -> None:
    queue = InputQueue()
    queue.accept(entry(b"", close=True), canonical=False)
    with pytest.raises(WireError) as refused:
        queue.accept(entry(b"x"), canonical=False)
    assert refused.value.code == "INVALID_TRANSITION"
    assert queue.waiting
    assert queue.pending() == b""
    finished = queue.written(0)
    assert finished is not None
    assert finished.close


def test_what_was_not_delivered_is_given_back() -> None:
    queue = InputQueue()
    queue.accept(entry(b"abc", "a"), canonical=False)
    queue.accept(entry(b"def", "b"), canonical=False)
    queue.written(1)
    assert [e.command_id for e in queue.abandon()] == ["a", "b"]
    assert not queue.waiting

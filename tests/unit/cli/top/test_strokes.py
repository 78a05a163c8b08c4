"""Keys from bytes, wherever a read cuts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.cli.strokes import LONGEST, Strokes

TYPED = b"jk\x1b[A\x1b[B\x1bOC\x1b[5~\x1b[6~/\xc3\xa9\r\x7f\x03\x15\x1b[1;5Aq"
KEYS = ["j", "k", "up", "down", "right", "page-up", "page-down", "/", "é", "enter", "backspace"]
KEYS += ["ctrl-c", "ctrl-u", "q"]


@given(st.lists(st.integers(0, len(TYPED)), max_size=6))
def test_keys_are_the_same_wherever_a_read_ends(cuts: list[int]) -> None:
    strokes = Strokes()
    places = [0, *sorted(cuts), len(TYPED)]
    pieces = [TYPED[a:b] for a, b in pairwise(places)]
    assert [key for piece in pieces for key in strokes.feed(piece)] == KEYS
    assert not strokes.pending


def test_a_lone_escape_is_a_key_when_nothing_follows() -> None:
    strokes = Strokes()
    assert [strokes.feed(b"\x1b"), strokes.pending] == [[], True]
    assert [strokes.flush(), strokes.pending] == [["escape"], False]
    assert strokes.flush() == []


def test_an_escape_before_another_key_is_one() -> None:
    assert Strokes().feed(b"\x1bG") == ["escape", "G"]
    assert Strokes().feed(b"\x1b\x1b[A") == ["escape", "up"]


@pytest.mark.parametrize("junk", [b"\x1b[" + b"1" * 500, b"\x1b[" + b"\x00" * 500])
def test_a_sequence_without_an_end_does_not_swallow_what_follows(junk: bytes) -> None:
    strokes = Strokes()
    strokes.feed(junk)
    assert strokes.feed(b"zzq")[-1:] == ["q"]
    assert len(strokes.flush()) <= LONGEST


@given(st.binary(max_size=300))
def test_no_bytes_are_refused(data: bytes) -> None:
    strokes = Strokes()
    keys = strokes.feed(data) + strokes.flush()
    assert len(keys) <= len(data)
    assert not strokes.pending

"""A person's terminal is put back as it was, whatever a program has switched on."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.cli.modes import Modes

PLAIN = Modes().undo()


def undone(*pieces: bytes) -> bytes:
    """Return what undoes these pieces, without what is always sent."""
    modes = Modes()
    for piece in pieces:
        modes.feed(piece)
    return modes.undo().removesuffix(PLAIN)


def test_nothing_special_needs_nothing_special() -> None:
    assert undone(b"text \x1b[31mred\x1b[0m\n") == b""


def test_the_alternate_screen_is_left_and_the_cursor_shown() -> None:
    assert undone(b"\x1b[?1049h\x1b[?25l") == b"\x1b[?1049l\x1b[?25h"


def test_what_the_program_switched_off_itself_is_left_alone() -> None:
    assert undone(b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l") == b""


def test_several_modes_in_one_sequence() -> None:
    assert undone(b"\x1b[?1000;1006h") == b"\x1b[?1006l\x1b[?1000l"


def test_pushed_keyboard_flags_are_popped() -> None:
    assert undone(b"\x1b[>1u\x1b[>5u\x1b[<u") == b"\x1b[<1u"


@given(cut=st.integers(0, 40))
def test_a_sequence_may_be_cut_anywhere(cut: int) -> None:
    data = b"before\x1b[?1049h\x1b[?2004h\x1b[>1u after"
    assert undone(data[:cut], data[cut:]) == undone(data)


@given(cuts=st.lists(st.integers(0, 30), max_size=5))
def test_nothing_is_counted_twice(cuts: list[int]) -> None:
    data = b"\x1b[>1u\x1b[>1u\x1b[<u"
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert undone(*pieces) == b"\x1b[<1u"

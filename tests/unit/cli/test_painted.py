"""A live terminal that begins with a painted screen: the join, a gap, and the way back."""

from lanekeeper.cli.note import SECONDS, Note
from lanekeeper.cli.painted import Painted
from lanekeeper.cli.sizes import Size
from lanekeeper.client import Data, Gap, Resized, Screen
from lanekeeper.client.errors import error_for
from lanekeeper.wire.messages.screen import Cursor


def screen(offset: int, paint: bytes) -> Screen:
    cursor = Cursor(row=0, col=0)
    return Screen(offset=offset, epoch=1, exact=True, cols=9, rows=2, cursor=cursor, paint=paint)


def test_the_screen_comes_first_below_what_was_there() -> None:
    shown = Painted(screen(10, b"paint"), lambda: screen(0, b""), "name (ctrl-] detaches)", 3)
    assert shown.begin() == b"\r\n" * 3 + b"\x1b[22;2t\x1b]2;name (ctrl-] detaches)\x07paint"


def test_the_stream_goes_on_where_the_paint_ends() -> None:
    shown = Painted(screen(10, b""), lambda: screen(0, b""), "", 1)
    assert shown.render(Data(4, b"456")) == b""
    assert shown.render(Data(7, b"789ab")) == b"ab"
    assert shown.render(Data(12, b"c")) == b"c"
    assert shown.render(Resized(3, 4)) == b""


def test_a_gap_is_painted_over() -> None:
    shown = Painted(screen(10, b"\x1b[?1049h"), lambda: screen(50, b"new"), "", 1)
    shown.begin()
    again = shown.render(Gap(20, 40))
    assert again.startswith(b"\x1b[?1049l")
    assert again.endswith(b"new")
    assert shown.render(Data(40, b"0123456789ab")) == b"ab"


def test_without_a_screen_a_gap_stays_a_hole() -> None:
    def none() -> Screen:
        raise error_for("INTERNAL", "no emulator")

    shown = Painted(screen(10, b""), none, "", 1)
    assert shown.render(Gap(10, 20)) == b""
    assert shown.render(Data(20, b"on")) == b"on"


def test_at_the_end_modes_and_title_are_put_back() -> None:
    shown = Painted(screen(10, b"\x1b[?25l"), lambda: screen(0, b""), "", 1)
    shown.begin()
    undone = shown.undo()
    assert b"\x1b[?25h" in undone
    assert undone.endswith(b"\x1b[23;2t")


def test_a_note_covers_the_last_row_and_is_painted_away() -> None:
    shown = Painted(screen(10, b""), lambda: screen(50, b"new"), "", 1)
    note = Note(shown.repaint)
    assert note.left(1.0) is None
    assert note.show("words", Size(5, 9), 1.0) == b"\x1b7\x1b[9;1H\x1b[0;7m[word\x1b[0m\x1b8"
    assert note.left(2.0) == SECONDS - 1.0
    assert note.clear(2.0) == b""
    assert note.clear(1.0 + SECONDS).endswith(b"new")
    assert note.left(9.0) is None
    assert note.clear(9.0) == b""
    assert shown.render(Data(40, b"0123456789ab")) == b"ab"

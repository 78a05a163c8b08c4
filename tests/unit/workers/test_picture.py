"""A picture of output: text, cells, what paints it again, and an emulator that fails."""

import pytest

from lanekeeper.wire.messages.screen import Cursor, Run, Screen, ScreenRequest
from lanekeeper.workers import emulation, picture
from lanekeeper.workers.emulation import EmulatorError
from lanekeeper.workers.picture import Picture

COLORS = b"a\x1b[1;31mred \x1b[0;48;2;1;2;3m\xe6\xbc\xa2\x1b[m.\x1b[7m \x1b[m  "


def taken(drawn: Picture, asked: ScreenRequest | None = None) -> Screen:
    shot = drawn.show(asked or ScreenRequest(), 3)
    while not shot.develop():
        pass
    return shot.screen


def drawn(data: bytes, cols: int = 20, rows: int = 4, offset: int = 0) -> Picture:
    made = Picture(cols, rows, offset, hole=offset > 0)
    made.feed(data)
    return made


def test_text_with_everything_beside_it() -> None:
    screen = taken(drawn(b"\x1b]0;t\x07one\r\n two  \x1b[?25l"))
    assert screen == Screen(
        offset=23,
        epoch=3,
        exact=True,
        cols=20,
        rows=4,
        cursor=Cursor(row=1, col=6, visible=False),
        title="t",
        lines=["one", " two", "", ""],
    )


def test_cells_are_runs_of_the_same_look() -> None:
    screen = taken(drawn(COLORS), ScreenRequest(form="cells"))
    assert screen.cells is not None
    assert screen.cells[0] == [
        Run(text="a"),
        Run(text="red", foreground=1, bold=True),
        Run(text=" "),
        Run(text="漢", width=2, background="#010203"),
        Run(text="."),
        Run(text=" ", inverse=True),
    ]
    assert screen.cells[1:] == [[], [], []]


def test_rows_can_be_chosen() -> None:
    made = drawn(b"0\r\n1\r\n2\r\n3")
    screen = taken(made, ScreenRequest(form="cells", first=1, count=2))
    assert (screen.first, screen.lines) == (1, ["1", "2"])
    assert screen.cells == [[Run(text="1")], [Run(text="2")]]
    assert taken(made, ScreenRequest(first=9)).lines == []


def test_the_cursor_stays_on_the_screen_after_the_last_column() -> None:
    assert taken(drawn(b"x" * 20)).cursor == Cursor(row=0, col=19)


@pytest.mark.parametrize(
    "data",
    [
        COLORS,
        b"one\r\n\r\nthree\x1b[2;2H",
        b"shell\x1b[?1049h\x1b[H\x1b[2Jvim\x1b[?2004h\x1b]0;vim\x07",
        b"\x1b[2;3r\x1b[?6hx",
        b"w" * 30,
        b"\x1b[?25l\x1b[3;3Hx\x1b[38;5;200my",
    ],
)
def test_a_paint_draws_the_same_and_asks_nothing(data: bytes) -> None:
    made = drawn(data)
    paint = taken(made, ScreenRequest(form="paint")).paint
    assert paint is not None
    again = drawn(paint)
    asked = ScreenRequest(form="cells")
    first, second = taken(made, asked), taken(again, asked)
    assert first.lines == second.lines
    assert first.cells == second.cells
    assert first.cursor == second.cursor
    assert (first.alternate, first.title) == (second.alternate, second.title)
    assert b"\xc2" not in paint


def test_what_was_printed_on_the_primary_screen_comes_back_after_the_alternate_one() -> None:
    paint = taken(drawn(b"shell\x1b[?1049hvim"), ScreenRequest(form="paint")).paint
    assert paint is not None
    assert taken(drawn(paint + b"\x1b[?1049l")).lines[0] == "shell"


def test_a_size_applies_from_where_it_was_set() -> None:
    made = drawn(b"\x1b[?1049h\x1b[4;20Hx")
    made.resize(30, 6)
    made.feed(b"\x1b[6;30Hy")
    screen = taken(made)
    assert (screen.cols, screen.rows) == (30, 6)
    assert screen.lines[5] == " " * 29 + "y"


def test_a_picture_that_missed_something_says_so_until_it_is_known_again() -> None:
    made = drawn(b"half", offset=1000)
    assert not taken(made).exact
    made.feed(b"\x1b[H\x1b[2Jwhole")
    screen = taken(made)
    assert screen.exact
    assert screen.lines[0] == "whole"
    made.feed(b"\x1b[?1049h\x1b[H")
    assert taken(made).exact
    made.feed(b"\x1b[?1049l")
    assert taken(made).exact


def test_title_and_modes_are_kept_over_a_hole() -> None:
    before = drawn(b"\x1b]0;t\x07\x1b[?1049h\x1b[?2004h")
    after = Picture(20, 4, 5000, before, hole=True)
    screen = taken(after, ScreenRequest(form="paint"))
    assert (screen.title, screen.alternate, screen.exact) == ("t", True, False)
    assert screen.paint is not None
    assert b"\x1b[?2004h" in screen.paint


class PanicError(BaseException):
    """As a library in Rust raises it: not an Exception."""


class Failing:
    """An emulator that fails when it is fed."""

    def feed_str(self, text: str) -> None:
        """Fail."""
        raise PanicError(text)


def test_a_panic_of_the_emulator_is_an_error_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picture, "emulator", lambda _cols, _rows: Failing())
    with pytest.raises(EmulatorError, match="PanicError: boom"):
        drawn(b"boom")


def test_a_missing_emulator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(emulation, "import_module", missing)
    with pytest.raises(EmulatorError, match="pyavt"):
        Picture(80, 24, 0)


def test_what_ends_the_process_passes_through() -> None:
    with pytest.raises(SystemExit), emulation.Shielded():
        raise SystemExit(3)

"""The painted screen: characters across chunk borders, colours, wide characters, sizes."""

import pytest

from kit.screen import CHUNK, Screen, paint


def test_text_colours_and_movement() -> None:
    screen = paint(b"\x1b[31mred\x1b[0m\r\n\x1b[5;10Hhere")
    assert screen.rows[0] == "red"
    assert screen.rows[4] == " " * 9 + "here"
    assert screen.cursor == (4, 13)


def test_a_character_may_be_split_at_any_byte() -> None:
    data = "žluťoučký 日本 🙂".encode()
    whole = paint(data).text
    for cut in range(len(data)):
        screen = Screen()
        screen.feed(data[:cut])
        screen.feed(data[cut:])
        assert screen.text == whole


def test_wide_characters_take_two_columns() -> None:
    assert paint("日本".encode()).cursor == (0, 4)


def test_bytes_that_are_no_text_are_shown_as_replacements() -> None:
    assert paint(b"a\xffb").text == "a\ufffdb"


def test_more_than_one_chunk() -> None:
    assert paint(b"x" * (CHUNK + 1) + b"\r\nend", cols=80, rows=2).rows[-1] == "end"


def test_the_alternate_screen_gives_the_first_back() -> None:
    screen = paint(b"before\x1b[?1049h\x1b[Hdrawing")
    assert screen.rows[0] == "drawing"
    screen.feed(b"\x1b[?1049l")
    assert screen.text == "before"


def test_a_hidden_cursor_is_told() -> None:
    assert not paint(b"\x1b[?25l").cursor_visible


def test_a_resize_keeps_the_text() -> None:
    screen = paint(b"hello")
    screen.resize(40, 10)
    assert screen.size == (40, 10)
    assert screen.rows[0] == "hello"


@pytest.mark.parametrize(("cols", "rows"), [(1, 24), (80, 0)])
def test_a_screen_that_is_too_small_is_refused(cols: int, rows: int) -> None:
    with pytest.raises(ValueError, match="columns"):
        Screen(cols, rows)

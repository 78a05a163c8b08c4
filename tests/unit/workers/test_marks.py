"""What a screen has beside its cells, and how another terminal is brought to the same."""

import pytest

from lanekeeper.workers.marks import STACK_MAX, TITLE_MAX, Marks


def marked(data: bytes) -> Marks:
    marks = Marks()
    marks.feed(data)
    return marks


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"", None),
        (b"\x1b]0;one\x07", "one"),
        (b"\x1b]2;tw\xc3\xb3\x1b\\", "twó"),
        (b"\x1b]1;icon\x07", None),
        (b"\x1b]0;a\x07\x1b[22;0;0t\x1b]0;b\x07", "b"),
        (b"\x1b]0;a\x07\x1b[22;0;0t\x1b]0;b\x07\x1b[23;0;0t", "a"),
        (b"\x1b[23t", None),
        (b"\x1b]0;be\x01ep\x07", "beep"),
        (b"\x1b]0;" + b"x" * 900 + b"\x07", "x" * TITLE_MAX),
    ],
)
def test_the_title_is_the_last_one_set(data: bytes, title: str | None) -> None:
    assert marked(data).title == title


@pytest.mark.parametrize(
    ("data", "alternate"),
    [
        (b"", False),
        (b"\x1b[?1049h", True),
        (b"\x1b[?1049h\x1b[?1049l", False),
        (b"\x1b[?1;47h", True),
        (b"\x1b[?1047h\x1bc", False),
    ],
)
def test_which_screen_is_shown(data: bytes, *, alternate: bool) -> None:
    assert marked(data).alternate is alternate


@pytest.mark.parametrize(
    ("data", "setup"),
    [
        (b"", b""),
        (b"\x1b[?2004h\x1b[?1000;1006h\x1b[?1000l", b"\x1b[?1006h\x1b[?2004h"),
        (b"\x1b=", b"\x1b="),
        (b"\x1b=\x1b>", b""),
        (b"\x1b[>1u\x1b[>5u", b"\x1b[>1u\x1b[>5u"),
        (b"\x1b[>1u\x1b[>5u\x1b[<u", b"\x1b[>1u"),
        (b"\x1b[>1u\x1b[<9u\x1b[<u", b""),
        (b"\x1b[=4u", b"\x1b[>4u"),
        (b"\x1b[>1u\x1b[=4;2u", b"\x1b[>5u"),
        (b"\x1b[>5u\x1b[=4;3u", b"\x1b[>1u"),
        (b"\x1b[>1u\x1b[?1049h", b""),
        (b"\x1b[>4;2m", b"\x1b[>4;2m"),
        (b"\x1b[>4;2m\x1b[>4m", b""),
        (b"\x1b[4 q", b"\x1b[4 q"),
        (b"\x1b]0;t\x07", b"\x1b]2;t\x07"),
        (b"\x1b[?2004h\x1b=\x1b[>4;2m\x1b[4 q\x1bc", b""),
    ],
)
def test_another_terminal_is_brought_to_the_same_modes(data: bytes, setup: bytes) -> None:
    assert marked(data).setup() == setup
    assert marked(setup).setup() == setup


def test_what_is_pushed_is_bounded() -> None:
    assert marked(b"\x1b[>1u" * 100).setup() == b"\x1b[>1u" * STACK_MAX

"""When a screen is known again after output was missed."""

import pytest

from lanekeeper.workers.knowledge import Knowledge

ROWS = 5
LINES = b"line\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x1bc",
        b"\x1b[H\x1b[2J",
        b"\x1b[2J some \x1b[3;4H",
        b"\x1b[H\x1b[J",
        b"\x1b[1;1H\x1b[m\x1b[0J",
        LINES * 2 * ROWS,
        b"\x1b[31mred\x1b[m\r\n" * 2 * ROWS,
        b"\x1b]0;t\x07" + LINES * 2 * ROWS,
        b"\x1b[?1049h\x1b[H",
        b"\x1b[?1049h\x1b[H\x1b[2J\x1b[?1049l\x1bc",
    ],
)
def test_the_screen_is_known_after(data: bytes) -> None:
    knowledge = Knowledge(ROWS)
    knowledge.feed(data)
    assert knowledge.known


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\x1b[2J",
        b"\x1b[H",
        b"\x1b[2;2H\x1b[J",
        b"\x1b[H text \x1b[J",
        b"\x1b[1J\x1b[H",
        LINES * (2 * ROWS - 1),
        LINES * ROWS + b"\x1b[3A" + LINES * ROWS,
        b"\x1bM" + LINES * ROWS,
        b"\x1b[?1049h",
        b"\x1b[?47h\x1b[H",
        b"\x1b[H\x1b[2J\x1b[?1049h",
        b"\x1b[?1049h\x1b[H\x1b[2J\x1b[?1049l",
        b"\x1b[H\x1b[2J\x1b[?1049l",
    ],
)
def test_the_screen_is_not_known_after(data: bytes) -> None:
    knowledge = Knowledge(ROWS)
    knowledge.feed(data)
    assert not knowledge.known
    assert not knowledge.complete


def test_each_screen_is_known_by_itself() -> None:
    knowledge = Knowledge(ROWS)
    seen = []
    for data in (LINES * 2 * ROWS, b"\x1b[?1049h", b"\x1b[H", b"\x1b[?1049l"):
        knowledge.feed(data)
        seen.append((knowledge.known, knowledge.complete))
    assert seen == [(True, True), (False, False), (True, False), (True, True)]


def test_a_screen_that_began_as_the_alternate_one_uncovers_one_that_is_not_known() -> None:
    knowledge = Knowledge(ROWS, alternate=True)
    seen = []
    for data in (b"\x1b[H\x1b[2J", b"\x1b[?1049l"):
        knowledge.feed(data)
        seen.append(knowledge.known)
    assert seen == [True, False]


def test_lines_are_counted_anew_when_the_size_changes() -> None:
    knowledge = Knowledge(ROWS)
    knowledge.feed(LINES * (2 * ROWS - 1))
    knowledge.resized(ROWS)
    knowledge.feed(LINES)
    assert not knowledge.known


def test_numbers_of_any_length_are_taken() -> None:
    knowledge = Knowledge(ROWS)
    knowledge.feed(b"\x1b[?%sh\x1b[?%s;1049h\x1b[H" % (b"1" * 5000, b"0" * 5000))
    assert knowledge.known

"""Bracketed paste: only for a program that asked, around the whole paste, never broken out of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.workers.paste import BEGIN, END, STEP, Bracketing, Paste

ON, OFF = b"\x1b[?2004h", b"\x1b[?2004l"


class Output:
    """What a program wrote, as its log gives it."""

    def __init__(self, content: bytes = b"") -> None:
        """Keep everything."""
        self.content = content
        self.tail = 0

    def read(self, offset: int, count: int) -> bytes:
        """Return at most a chunk."""
        if offset < self.tail:
            return b""
        return self.content[offset : offset + min(count, 65536)]

    def wanted(self, bracketing: Bracketing) -> bool:
        """Ask whether the program wants brackets now."""
        return bracketing.wanted(self.read, self.tail, len(self.content))


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", False),
        (b"hello" + ON + b"$ ", True),
        (ON + b"$ " + OFF + b"output", False),
        (OFF + ON, True),
        (b"\x1b[?1;2004;25h", True),
        (ON + b"\x1b[?1;2004l", False),
        (b"\x1b[?20041h \x1b[2004h 2004h", False),
        (ON + b"\x1bc", False),
        (ON + bytes(3 * STEP), True),
        (ON + bytes(STEP - 4) + OFF + bytes(STEP), False),
    ],
)
def test_the_last_request_counts(content: bytes, *, wanted: bool) -> None:
    output = Output(content)
    bracketing = Bracketing(0)
    assert output.wanted(bracketing) is wanted
    assert output.wanted(bracketing) is wanted
    output.content += b"text" + ON
    assert output.wanted(bracketing) is True


def test_a_request_in_two_pieces_is_seen() -> None:
    output = Output(b"x" * 10 + ON[:4])
    bracketing = Bracketing(0)
    assert not output.wanted(bracketing)
    output.content += ON[4:]
    assert output.wanted(bracketing)


def test_a_request_before_the_program_is_not_its_own() -> None:
    assert not Output(ON + b"$ ").wanted(Bracketing(len(ON)))


def test_a_request_that_was_seen_in_time_outlives_the_log() -> None:
    output = Output(ON + bytes(4 * STEP))
    bracketing = Bracketing(0)
    now = 1.0
    for _ in range(4):
        bracketing.keep_up(output.read, 0, len(output.content), now)
        now += 1
    output.tail = 3 * STEP
    assert output.wanted(bracketing)


def test_output_that_was_let_go_unread_withdraws_the_request() -> None:
    output = Output(ON)
    bracketing = Bracketing(0)
    assert output.wanted(bracketing)
    output.content += bytes(9 * STEP)
    bracketing.keep_up(output.read, 0, len(output.content), 1.0)
    bracketing.keep_up(output.read, 0, len(output.content), 1.001)
    output.tail = 8 * STEP
    assert not output.wanted(bracketing)


def test_a_paste_in_pieces_has_one_bracket_at_each_end() -> None:
    first, paste = Paste().wrap(b"one ", paste=True, more=True, wanted=True)
    second, paste = paste.wrap(b"two ", paste=True, more=True, wanted=False)
    third, paste = paste.wrap(b"three", paste=True, more=False, wanted=False)
    assert first + second + third == BEGIN + b"one two three" + END
    assert paste == Paste()


def test_a_paste_that_nobody_ended_ends_before_other_input() -> None:
    _, paste = Paste().wrap(b"half", paste=True, more=True, wanted=True)
    assert paste.wrap(b"x", paste=False, more=False, wanted=False) == (END + b"x", Paste())


def test_a_program_that_did_not_ask_gets_the_bytes_alone() -> None:
    assert Paste().wrap(END + b"x", paste=True, more=False, wanted=False)[0] == END + b"x"


@given(st.lists(st.text("\x1b[201~x", max_size=12).map(str.encode), max_size=8))
def test_nothing_in_a_paste_can_end_it(pieces: list[bytes]) -> None:
    sent, paste = b"", Paste()
    for piece in pieces:
        data, paste = paste.wrap(piece, paste=True, more=True, wanted=True)
        sent += data
    data, _ = paste.wrap(b"", paste=True, more=False, wanted=True)
    sent += data
    assert sent.startswith(BEGIN)
    assert sent.index(END) == len(sent) - len(END)

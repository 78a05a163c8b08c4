"""What was typed is told apart from what a program prints."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.workers.echo import LINE_BYTES, LINES, Typed, Verdict

from .lanes import FakeLog


def judge(typed: Typed, content: bytes, word: bytes, nth: int = 0) -> Verdict:
    place = -1
    for _ in range(nth + 1):
        place = content.index(word, place + 1)
    return typed.judge(FakeLog(content), place, place + len(word))[0]


def typed(text: bytes, offset: int = 0) -> Typed:
    notes = Typed()
    notes.note(offset, text)
    return notes


def test_a_shell_shows_the_command_and_then_its_output() -> None:
    content = b"$ echo done\r\n\x1b[?2004l\rdone\r\n$ "
    notes = typed(b"echo done\r", 2)
    assert judge(notes, content, b"done") is Verdict.ECHO
    assert judge(notes, content, b"done", 1) is Verdict.OUTPUT
    assert judge(notes, content, b"echo done\r\n") is Verdict.ECHO


def test_what_a_program_repeats_is_its_output() -> None:
    content = b"hello\r\nhello\r\n"
    assert judge(typed(b"hello\n"), content, b"hello") is Verdict.ECHO
    assert judge(typed(b"hello\n"), content, b"hello", 1) is Verdict.OUTPUT


def test_what_was_typed_before_the_prompt_is_shown_twice() -> None:
    content = b"echo done\r\n\x1b[?2004h$ echo done\r\n\x1b[?2004l\rdone\r\n$ "
    notes = typed(b"echo done\r")
    verdicts = [judge(notes, content, b"done", nth) for nth in range(3)]
    assert verdicts == [Verdict.ECHO, Verdict.ECHO, Verdict.OUTPUT]


def test_wraps_colours_and_single_keys_do_not_hide_an_echo() -> None:
    notes = Typed()
    for key in b"echo done":
        notes.note(2, bytes([key]))
    assert judge(notes, b"$ ec \rho \x1b[32mdone\x1b[0m", b"done") is Verdict.ECHO


def test_half_an_echo_is_not_decided() -> None:
    notes = typed(b"echo done now\r", 2)
    assert judge(notes, b"$ echo done", b"done") is Verdict.UNDECIDED
    assert judge(notes, b"$ echo done\r\n", b"done") is Verdict.OUTPUT
    assert judge(notes, b"$ echo done now", b"done") is Verdict.ECHO


@pytest.mark.parametrize("content", [b"done\r\n$ echo done\r\n", b"no: done\r\n$ echo done\r\n"])
def test_output_from_before_the_typing_is_output(content: bytes) -> None:
    notes = typed(b"echo done\r", content.index(b"echo"))
    assert judge(notes, content, b"done") is Verdict.OUTPUT


PIECES = st.sampled_from([b"a", b"ab", b"\r\n", b" \r", b"\x1b[m", b"\x1b", b"$ ", b"\x1b]0;t\x07"])


@given(
    st.lists(PIECES, min_size=1, max_size=12),
    st.lists(PIECES, max_size=6),
    st.integers(0, 30),
    st.integers(0, 10),
)
def test_any_output_is_judged(
    shown: list[bytes], keys: list[bytes], start: int, length: int
) -> None:
    content = b"".join(shown)
    start = min(start, len(content))
    end = min(start + length, len(content))
    notes = Typed()
    for key in keys:
        notes.note(0, key)
    verdict, until = notes.judge(FakeLog(content), start, end)
    assert verdict is not Verdict.ECHO or start <= until <= len(content)


def test_memory_of_typing_is_bounded() -> None:
    notes = Typed()
    for number in range(1000):
        notes.note(0, b"line %d\n" % number * 100)
    assert judge(notes, b"line 999\r\n", b"line 999") is Verdict.ECHO
    assert judge(notes, b"line 0\r\n", b"line 0") is Verdict.OUTPUT


@pytest.mark.parametrize("shown", [b"-" * 16_384, b"-" * 8_000 + b"x" + b"-" * 8_000])
@pytest.mark.parametrize("end", [b"\r\n", b""])
def test_the_work_for_one_match_is_bounded(shown: bytes, end: bytes) -> None:
    content = b"$ " + shown + end
    notes = Typed()
    for number in range(LINES):
        notes.note(number * 10, b"-" * (LINE_BYTES - number) + b"\n")
    began = time.process_time()
    for place in range(4000, 4004):
        assert notes.judge(FakeLog(content), place, place + 1)[0] is not Verdict.ECHO
    # A turn of the lane has 10 ms; this is for slow machines. It was a second for each line.
    assert time.process_time() - began < 1.0

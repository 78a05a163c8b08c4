"""Where output may be cut for an emulator, and what it gets for what it would draw wrongly."""

import re
import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.workers.sequences import HOLD, boundary, text, tidy

CHUNK: Final = 64 * 1024
AT_ONCE: Final = 0.5
"""Seconds for one chunk: a hundred times what it takes, a small part of what trying again costs."""


@pytest.mark.parametrize(
    ("whole", "rest"),
    [
        (b"plain", b""),
        (b"done\x1b[1m", b""),
        (b"a", b"\x1b"),
        (b"a", b"\x1b[1;3"),
        (b"a", b"\x1b]0;title"),
        (b"a\x1b]0;title\x07", b""),
        (b"a\x1b]0;title\x1b\\", b""),
        (b"a", b"\x1b]0;title\x1b"),
        (b"\x1b[1m", b"\x1bP$q"),
        (b"\x1b(B", b""),
        (b"x", b"\x1b("),
        (b"x\x1bc", b""),
        ("kůň".encode(), b""),
        (b"k", b"\xc5"),
        (b"", "漢".encode()[:2]),
        ("漢".encode(), b""),
        (b"a", "😀".encode()[:3]),
        (b"\x80\x80\x80\x80", b""),
        (b"", b""),
    ],
)
def test_a_cut_is_between_sequences_and_characters(whole: bytes, rest: bytes) -> None:
    assert boundary(whole + rest) == len(whole)


def test_a_sequence_that_is_too_long_waits_no_more() -> None:
    endless = b"\x1b]0;" + b"x" * HOLD
    assert boundary(endless) == len(endless)


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        (b"\xc2\x9b31mred", b"\x1b[31mred"),
        (b"a\x7fb", b"ab"),
        (b"a\x1b[65535bz", b"a\x1b[1000bz"),
        (b"a\x1b[12bz", b"a\x1b[12bz"),
        (b"a\x1b[0001000bz", b"a\x1b[0001000bz"),
        (b"a\x1b[0001001bz", b"a\x1b[1000bz"),
        (b"a\x1b[65535;bz", b"a\x1b[1000bz"),
        (b"a\x1b[65535;1:2bz", b"a\x1b[1000bz"),
        (b"a\x1b[65535:bz", b"a\x1b[1000bz"),
        (b"a\x1b[;65535bz", b"a\x1b[;65535bz"),
        (b"a\x1b[\x0065535bz", b"a\x1b[\x001000bz"),
        (b"a\x1b[65\r\n5\x1c35bz", b"a\x1b[\r\n\x1c1000bz"),
        (b"a\x1b[655\x1835bz", b"a\x1b[655\x1835bz"),
        (b"a\xc2\x9b65535;bz", b"a\x1b[1000bz"),
        (b"a\x1b[" + b"9" * 9999 + b"bz", b"a\x1b[1000bz"),
        (b"\x1b[4:3mcurly\x1b[4:0m", b"\x1b[4mcurly\x1b[24m"),
        (b"\x1b[58;5;3;1mx", b"\x1b[1mx"),
        (b"\x1b[58;2;1;2;3mx", b"x"),
        (b"\x1b[58:2::1:2:3;4mx", b"\x1b[4mx"),
        (b"\x1b[38;5;58;21mx", b"\x1b[38;5;58;4mx"),
        (b"\x1b[38;2;21;58;4m\x1b[m", b"\x1b[38;2;21;58;4m\x1b[m"),
    ],
)
def test_what_emulators_draw_differently_is_put_plainly(given: bytes, drawn: bytes) -> None:
    assert tidy(given) == drawn


@pytest.mark.parametrize("beginning", [b"4:", b"0", b"21", b"58;", b"9", b"\0001", b"1:", b"9;"])
def test_parameters_without_end_take_no_longer_than_any_output(beginning: bytes) -> None:
    data = (b"\x1b[" + beginning * CHUNK)[:CHUNK]
    began = time.process_time()
    assert len(tidy(data)) == CHUNK
    assert time.process_time() - began < AT_ONCE


@given(
    pieces=st.lists(
        st.sampled_from([b"\x1b[", *(b"%c" % c for c in b"0124589:;mbx\0"), b"58", b"21", b"4:3"]),
        max_size=40,
    )
)
def test_attributes_and_repetitions_are_found_as_trying_everything_finds_them(
    pieces: list[bytes],
) -> None:
    data = b"".join(pieces)
    slowly = re.compile(rb"\x1b\[[0-9;:\0]*[mb]").sub(lambda found: tidy(found[0]), data)
    assert tidy(data) == slowly


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        ("e\u0301a".encode(), "éa"),
        ("x\u0301\u0302y".encode(), "xy"),
        ("\u0301y".encode(), "y"),
        ("\n\u200by".encode(), "\ny"),
        ("x\u061cy".encode(), "xy"),
        ("x\u2066y\u2067z\u2068\u2069!".encode(), "xyz!"),
        ("x\U000e0001\U000e0067\U000e007f!".encode(), "x!"),
        (b"a\xffb", "a�b"),
        (b"plain", "plain"),
    ],
)
def test_every_character_has_a_cell_of_its_own(data: bytes, seen: str) -> None:
    assert text(data) == seen


def test_marks_on_one_character_without_end_take_no_longer_than_any_output() -> None:
    data = ("e" + "\u0301" * (CHUNK // 4) + "\u0316" * (CHUNK // 4)).encode()
    began = time.process_time()
    assert text(data) == "é"
    assert time.process_time() - began < AT_ONCE

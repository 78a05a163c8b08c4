"""What is shown to people: safe words, aligned columns, ages, ends of programs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanekeeper.cli.settings import wants_color
from lanekeeper.cli.text import (
    age,
    command_line,
    count,
    duration,
    ended,
    how,
    paint,
    safe,
    table,
)
from lanekeeper.wire.messages.lane import Ended
from lanekeeper.wire.messages.terminal import ExitStatus


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("grün ✓", "grün ✓"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x9b6n", "\\x9b6n"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\udcff", "\\xff"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_nothing_acts_on_the_terminal(text: str | bytes, shown: str) -> None:
    assert safe(text) == shown


@given(st.text())
def test_safe_text_is_printable(text: str) -> None:
    assert all(c.isprintable() for c in safe(text))


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert safe("abcdef", 4) == "abc…"


def test_a_command_is_one_line() -> None:
    assert command_line(["sh", "-c", "echo hi\n", ""]) == "sh -c 'echo hi\\n' ''"


def test_columns_are_aligned() -> None:
    shown = table(("A", "LONG"), [("xxx", "y"), ("z", "yy")], color=False)
    assert shown == "A    LONG\nxxx  y\nz    yy"


def test_states_are_coloured_and_still_aligned() -> None:
    shown = table(("A", "STATE"), [("x", "ready"), ("y", "failed")], color=True, state=1)
    assert "\x1b[32mready \x1b[0m" in shown
    assert "\x1b[31mfailed\x1b[0m" in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (61, "1m1s"), (3_600, "1h0m"), (90_061, "1d1h"), (-5, "0s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_ages() -> None:
    now = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
    assert age("2026-01-01T12:00:00.5Z", now) == "29s"
    assert age("yesterday", now) == "-"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (None, "running"),
        (ExitStatus(kind="exited", code=7), "exit 7"),
        (ExitStatus(kind="signaled", signal=9), "SIGKILL"),
        (ExitStatus(kind="signaled", signal=11, core=True), "SIGSEGV, core dumped"),
        (ExitStatus(kind="signaled", signal=60), "signal 60"),
        (ExitStatus(kind="unknown"), "exit status unknown"),
    ],
)
def test_how_a_program_ended(status: ExitStatus | None, text: str) -> None:
    assert how(status) == text


def test_numbers_of_things() -> None:
    assert (count(1, "lane"), count(2, "lane"), count(0, "process")) == (
        "1 lane",
        "2 lanes",
        "0 processes",
    )
    assert ended(Ended(terminals=1, processes=3, killed=2)) == (
        "1 terminal, 3 processes, 2 of them killed"
    )


def test_paint() -> None:
    assert paint("x", "red", color=True) == "\x1b[31mx\x1b[0m"
    assert paint("x", "red", color=False) == "x"


@pytest.mark.parametrize(
    ("choice", "environ", "tty", "expected"),
    [
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {"TERM": "xterm"}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {}, True, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_when_to_colour(choice: str, environ: dict[str, str], *, tty: bool, expected: bool) -> None:
    assert wants_color(choice, environ, tty=tty) is expected

"""The typist is a real person at a real terminal: job control, drawing, sizes, questions."""

import re
import sys

import pytest

from kit.typist import Typist
from kit.waiting import WaitedTooLongError


def test_a_shell_has_the_terminal_and_job_control() -> None:
    with Typist(["bash", "--norc", "--noprofile", "-i"]) as person:
        person.enter("PS1='% '; echo $((6 * 7)) && tty")
        person.expect(re.compile(r"^42\n/dev/pts/\d+$", re.MULTILINE))
        person.enter("sh -c 'echo $((50 + 5)); exec sleep 60'")
        person.expect("55")
        person.press("ctrl-z")
        person.expect("Stopped")
        person.enter("kill -9 %1; disown %1; exit 7")
        assert person.expect_exit() == 7


def test_a_size_reaches_the_program_and_the_screen() -> None:
    with Typist(["bash", "--norc", "--noprofile", "-i"], cols=100, rows=30) as person:
        person.enter("stty size")
        person.expect("30 100")
        person.resize(72, 20)
        person.enter("stty size")
        person.expect("20 72")
        assert person.screen.size == (72, 20)


def test_a_hung_up_program_is_ended() -> None:
    with Typist([sys.executable, "-c", "input('waiting ')"]) as person:
        person.expect("waiting")
    assert person.process.returncode == -1


def test_a_stubborn_program_is_ended_too() -> None:
    script = "trap '' HUP TERM INT; echo ready; while :; do sleep 1; done"
    with Typist(["bash", "-c", script]) as person:
        person.expect("ready")
    assert person.process.returncode == -9


def test_questions_are_answered_even_in_two_pieces() -> None:
    script = (
        "stty raw -echo; printf 'ab\\033['; printf '6n';"
        "answer=$(dd bs=1 count=6 2>/dev/null); stty sane;"
        "printf '\\n%s\\n' \"$answer\" | cat -v"
    )
    with Typist(["bash", "-c", script]) as person:
        person.expect("^[[1;3R")
        assert person.answered == [b"\x1b[6n"]


def test_what_does_not_appear_is_shown_with_the_screen() -> None:
    with (
        Typist(["bash", "-c", "echo something else; read x"]) as person,
        pytest.raises(WaitedTooLongError, match="something else"),
    ):
        person.expect("this", timeout=0.5)

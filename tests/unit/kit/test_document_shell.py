"""The shell for documents: commands are found, last, are compared, and fail loudly."""

import pytest

from kit.document_shell import CommandFailedError, Shell, console_commands, matches


def test_commands_continuations_and_output_are_told_apart() -> None:
    block = "$ one \\\n> more\nfirst\n> quoted\n$ two\n"
    assert list(console_commands(block)) == [("one \\\nmore", "first\n> quoted"), ("two", "")]


@pytest.mark.parametrize(
    ("wanted", "seen", "same"),
    [
        ("lane_... ready", "lane_abc ready", True),
        ("first\n...\nlast", "first\na\nb\nlast", True),
        ("exact", "exact   \n\n", True),
        ("exact", "exactly", False),
        ("a.c", "abc", False),
        ("", "noise", False),
        ("...", "", True),
    ],
)
def test_dots_stand_for_any_text(wanted: str, seen: str, *, same: bool) -> None:
    assert matches(wanted, seen) is same


def test_a_directory_and_a_variable_last() -> None:
    with Shell() as shell:
        shell.run("mkdir x && cd x && WORD=yes")
        assert shell.run("echo $WORD ${PWD##*/}") == "yes x\n"
        assert shell.run("cat") == ""
        assert shell.run("false; echo $?").strip() == "1"
        assert shell.run_program("print(6 * 7)\n").strip() == "42"


def test_a_command_that_fails_is_shown() -> None:
    with Shell() as shell, pytest.raises(CommandFailedError, match="status 3"):
        shell.run("echo before; (exit 3)")

"""What other clients and programs are called reaches a person's terminal written out."""

import click
import pytest

from kit.waiting import wait_until
from lanekeeper.cli.ends import Way
from lanekeeper.cli.errors import CliError
from lanekeeper.cli.main import of_click, report
from lanekeeper.cli.note import Note
from lanekeeper.cli.pen import Pen
from lanekeeper.cli.settings import Settings
from lanekeeper.cli.sizes import Size
from lanekeeper.client import Plane
from unit.cli.desk import PATIENCE_S, at_terminal, relayed

EVIL = "evil\x1b]52;c;eA==\x07\x9b6n\nlane: all is well"
SHOWN = "evil\\x1b]52;c;eA==\\x07\\x9b6n\\nlane: all is well"


def test_an_error_is_one_line_that_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    failure = CliError("SPAWN_FAILED", f"{EVIL}: no such file", hint=f"look for {EVIL}")
    assert report(failure, Settings(), []) == 1
    told = capsys.readouterr().err
    assert told == f"lane: {SHOWN}: no such file [SPAWN_FAILED]\n      look for {SHOWN}\n"


def test_a_mistake_in_the_command_line_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = click.Argument(["form"], type=click.Choice(["one", "two"]))
    failure = of_click(click.MissingParameter(param=wanted, message="\x1b[2Jgone"))
    assert failure is not None
    report(failure, Settings(), [])
    told = capsys.readouterr().err
    assert "\\x1b[2Jgone" in told
    assert [line.strip() for line in told.splitlines()][1:3] == ["one,", "two [USAGE]"]


def test_a_note_over_a_screen_is_text() -> None:
    shown = Note(lambda: b"").show(f"{EVIL} writes", Size(80, 24), 0.0)
    assert shown == b"\x1b7\x1b[24;1H\x1b[0;7m[%b writes]\x1b[0m\x1b8" % SHOWN.encode()


def test_who_writes_is_told_as_text(plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    with at_terminal() as desk:
        desk.ends.pen = Pen(terminal)
        desk.ends.pen.note = f"looking on: {EVIL} writes"

        def person() -> None:
            wait_until(lambda: desk.said, PATIENCE_S, "a notice")
            desk.type(b"\x1d")

        assert relayed(plane, terminal, desk, person).way is Way.DETACHED
    assert desk.said == [f"\r\n[looking on: {SHOWN} writes]\r"]

"""`lane send`: what goes to the program, in which order and in how many commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lanekeeper.cli.main import run
from lanekeeper.client import Plane
from unit.client.fakeplane import FakePlane


def inputs(fake: FakePlane) -> list[tuple[Any, ...]]:
    """Return the data of all input, whether it is a paste, and whether the end follows."""
    bodies: list[dict[str, Any]] = [
        one["payload"] for one in fake.seen if one["method"] == "terminal.input"
    ]
    return [
        (one.get("data", b""), one.get("paste", False), one.get("eof", False)) for one in bodies
    ]


def send(fake: FakePlane, *words: str) -> int:
    return run(["--runtime-dir", str(fake.directory), "send", "build", *words])


@pytest.fixture
def program(fake: FakePlane, plane: Plane, monkeypatch: pytest.MonkeyPatch) -> FakePlane:
    """A program that reads, on a plane without anybody's configuration."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(fake.directory))
    plane.lane("build").spawn(["sink"])
    return fake


@pytest.fixture
def typed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard input that says `from stdin`."""
    path = tmp_path / "stdin"
    path.write_text("from stdin")
    with path.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        yield


@pytest.mark.usefixtures("typed_in")
def test_enter_and_the_end_follow_standard_input(program: FakePlane) -> None:
    assert send(program, "first ", "--stdin", "--enter", "--eof") == 0
    assert inputs(program) == [
        (b"first ", False, False),
        (b"from stdin", False, False),
        (b"\r", False, True),
    ]


def test_enter_is_pressed_after_a_paste_and_is_no_part_of_it(program: FakePlane) -> None:
    assert send(program, "text", "--paste", "--enter", "--eof") == 0
    assert inputs(program) == [(b"text", True, False), (b"\r", False, True)]


@pytest.mark.usefixtures("typed_in")
def test_enter_is_no_part_of_pasted_standard_input(program: FakePlane) -> None:
    assert send(program, "--stdin", "--paste", "--enter") == 0
    assert inputs(program) == [
        (b"from stdin", True, False),
        (b"", True, False),
        (b"\r", False, False),
    ]


def test_a_line_is_one_command(program: FakePlane) -> None:
    words = ("text", "--enter", "--eof", "--idempotency-key", "cmd_aaaaaaaaaaaaaaaa")
    assert send(program, *words) == 0
    assert inputs(program) == [(b"text\r", False, True)]
    assert send(program, "--enter", "--paste") == 0
    assert inputs(program)[1:] == [(b"\r", False, False)]


def test_a_key_stands_for_one_command(
    program: FakePlane, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ("--idempotency-key", "cmd_aaaaaaaaaaaaaaaa")
    assert send(program, "text", "--paste", "--enter", *key) == 3
    assert "--paste with --enter" in capsys.readouterr().err
    assert inputs(program) == []

"""The table of verbs, the help, and what a mistyped or a future verb says."""

import json
from collections.abc import Iterator

import click
import pytest

from lanekeeper.cli.lazy import LazyGroup, Verb, load
from lanekeeper.cli.main import lane, run
from lanekeeper.cli.verbs import LATER, SECTIONS, VERBS


@pytest.fixture(autouse=True)
def _no_plane(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.mktemp("none")
    monkeypatch.setenv("LANEKEEPER_DIR", str(base / "plane"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(base))


def every(group: LazyGroup, path: str = "lane") -> Iterator[tuple[str, click.Command, str]]:
    """Yield path, command and table text of every verb of a group."""
    for name, entry in group.entries.items():
        command = load(entry)
        yield f"{path} {name}", command, entry.help
        if isinstance(command, LazyGroup):
            yield from every(command, f"{path} {name}")


ROOT = lane if isinstance(lane, LazyGroup) else None


def test_every_entry_is_a_command_whose_help_begins_as_the_table_says() -> None:
    assert ROOT is not None
    for path, command, text in every(ROOT):
        assert command.help, path
        assert text.endswith("."), path


def test_every_verb_shows_examples_that_use_it() -> None:
    assert ROOT is not None
    shown = [(p, c) for p, c, _ in every(ROOT) if not isinstance(c, click.Group)]
    assert len(shown) > 35
    for path, command in shown:
        if not path.endswith("bench"):
            assert isinstance(command, Verb), path
            assert "lane " in (command.epilog or ""), path


def test_every_verb_has_a_section_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert {entry.section for entry in VERBS.values()} == set(SECTIONS)
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name}" in text for name in VERBS)
    assert not any(f"\n  {name} " in text for name in LATER)


@pytest.mark.parametrize("verb", ["run", "attach", "session", "session create", "config show"])
def test_help_of_a_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*verb.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: lane {verb}")
    assert verb == "session" or f"  lane {verb}" in text


def test_a_mistyped_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["atach", "x"]) == 2
    streams = capsys.readouterr()
    assert "did you mean attach" in streams.err
    assert streams.out == ""


def test_a_mistyped_verb_of_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["session", "crate"]) == 2
    assert "did you mean create" in capsys.readouterr().err


@pytest.mark.parametrize("verb", sorted(LATER))
def test_a_verb_of_a_later_step_names_the_step(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb, "x", "--all"]) == 3
    assert LATER[verb] in capsys.readouterr().err


def test_errors_are_json_when_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "--json"]) == 7
    streams = capsys.readouterr()
    assert streams.out == ""
    error = json.loads(streams.err)
    assert error["code"] == "NO_PLANE"
    assert error["schema"] == 1


def test_a_usage_error_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "--json", "--no-such-option"]) == 2
    assert json.loads(capsys.readouterr().err)["code"] == "USAGE"


def test_json_for_the_program_is_not_json_for_lane(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "x", "--", "ls", "--json"]) == 7
    assert capsys.readouterr().err.startswith("lane: ")


def test_no_plane_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == 7
    assert "lane up" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocol"] == "helios.localbus.v1"


def test_without_arguments_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Usage: lane" in "".join(capsys.readouterr())


def test_an_option_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANEKEEPER_VERSION_JSON", "1")
    assert run(["version"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == 1


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_LANE_COMPLETE" in capsys.readouterr().out

"""The configuration file: precedence, origins, and mistakes in it."""

import json
from pathlib import Path

import pytest

from lanekeeper.cli.config import find, load, variable
from lanekeeper.cli.main import run


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A configuration file of this test's own, not there yet."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("LANEKEEPER_CONFIG", str(path))
    monkeypatch.setenv("LANEKEEPER_DIR", str(tmp_path / "plane"))
    return path


@pytest.mark.parametrize("words", [["config"], ["config", "show"], ["config", "check"]])
def test_the_help_says_where_the_file_is(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert "$XDG_CONFIG_HOME/lanekeeper/config.toml" in text
    assert "LANEKEEPER_CONFIG" in text


def test_where_it_is_looked_for() -> None:
    assert find({"LANEKEEPER_CONFIG": "/x.toml"}) == Path("/x.toml")
    assert find({"XDG_CONFIG_HOME": "/c"}) == Path("/c/lanekeeper/config.toml")
    assert find({"HOME": "/h"}) == Path("/h/.config/lanekeeper/config.toml")
    assert find({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}) == Path(
        "/h/.config/lanekeeper/config.toml"
    )


def test_a_missing_file_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml").values == {}


def test_dashes_and_underscores_are_the_same(config: Path) -> None:
    config.write_text('runtime-dir = "/x"\n[run]\ndetach-key = "ctrl-a"\n')
    assert load(config).values == {"runtime_dir": "/x", "run": {"detach_key": "ctrl-a"}}


def test_the_variable_of_an_option() -> None:
    assert variable((), "color") == "LANEKEEPER_COLOR"
    assert variable(("run",), "detach_key") == "LANEKEEPER_RUN_DETACH_KEY"


def test_the_file_sets_a_default(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("[version]\njson = true\n")
    assert run(["version"]) == 0
    assert json.loads(capsys.readouterr().out)["version"]


def origin_of(capsys: pytest.CaptureFixture[str], name: str, *args: str) -> tuple[object, str]:
    """Return value and origin of a setting, as `config show` tells them."""
    assert run([*args, "config", "show", "--all", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["settings"]
    found = {row["name"]: (row["value"], row["origin"]) for row in rows}
    value, origin = found[name]
    return value, str(origin)


def test_flag_then_environment_then_file_then_default(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert origin_of(capsys, "color") == ("auto", "default")
    config.write_text('color = "never"\n')
    assert origin_of(capsys, "color") == ("never", f"file {config}")
    monkeypatch.setenv("LANEKEEPER_COLOR", "always")
    assert origin_of(capsys, "color") == ("always", "environment LANEKEEPER_COLOR")
    assert origin_of(capsys, "color", "--color", "auto") == ("auto", "flag")


def test_options_of_verbs_are_shown(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("[run]\nkeep = 60\n")
    assert origin_of(capsys, "run.keep") == (60, f"file {config}")
    assert run(["config", "show", "--origin"]) == 0
    assert "run.keep" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "did you mean color"),
        ("[runn]\nkeep = 1", "did you mean run"),
        ("this is not toml", "is not TOML"),
    ],
)
def test_a_mistake_stops_every_verb_with_a_suggestion(
    text: str, message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(text)
    assert run(["ls"]) == 3
    assert message in capsys.readouterr().err


def test_a_mistake_in_the_verbs_own_table(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("[ls]\nworkspaces = 'web'\n")
    assert run(["ls"]) == 3
    assert "did you mean workspace" in capsys.readouterr().err


def test_check_lists_all_mistakes(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("colour = 1\n[run]\nkeep = 'long'\n[session.create]\nx = 1\n")
    assert run(["config", "check", "--json"]) == 3
    mistakes = json.loads(capsys.readouterr().err)["details"]["mistakes"]
    assert len(mistakes) == 3
    assert mistakes[1].startswith("run.keep: ")
    assert mistakes[2].startswith("session.create.x is not a setting")


def test_check_of_a_right_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("[run]\nkeep = 60\n")
    assert run(["config", "check"]) == 0
    assert "is right" in capsys.readouterr().out


def test_a_broken_file_does_not_stop_the_verbs_that_explain_it(config: Path) -> None:
    config.write_text("broken")
    assert run(["version"]) == 0
    assert run(["config", "check"]) == 3

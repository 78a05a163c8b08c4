"""`lane run` with a key: the first bytes are safe, and a repeated one joins the program."""

import os
from pathlib import Path
from typing import Any

import pytest

from lanekeeper.cli.main import run
from unit.client.fakeplane import FakePlane

KEY = "cmd_aaaaaaaaaaaaaaaa"


@pytest.fixture(autouse=True)
def unconfigured(fake: FakePlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's configuration, and nothing to read."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(fake.directory))


def lane_run(fake: FakePlane, *words: str) -> int:
    options = ("run", "build", "--stdin", "none", "--idempotency-key", KEY, "--")
    with Path(os.devnull).open() as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", nothing)
        with pytest.raises(SystemExit) as ended:
            run(["--runtime-dir", str(fake.directory), *options, *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def payloads(fake: FakePlane, method: str) -> list[dict[str, Any]]:
    return [one["payload"] for one in fake.seen if one["method"] == method]


def test_a_keyed_run_consumes_from_its_first_byte(
    fake: FakePlane, capfd: pytest.CaptureFixture[str]
) -> None:
    assert lane_run(fake, "echo", "hello") == 0
    assert capfd.readouterr().out == "hello\n"
    spawned = payloads(fake, "terminal.spawn")[0]
    assert spawned["consume"]["policy"] == "forever"
    assert payloads(fake, "terminal.consume") == []


def test_a_repeated_run_registers_anew(fake: FakePlane, capfd: pytest.CaptureFixture[str]) -> None:
    assert lane_run(fake, "echo", "hello") == 0
    assert lane_run(fake, "echo", "hello") == 0
    assert capfd.readouterr().out == "hello\nhello\n"
    assert len(fake.terminals) == 1
    ours = payloads(fake, "terminal.consume")[-1]["lease_id"]
    assert ours not in fake.terminals["term_0000000000000000"].consumers

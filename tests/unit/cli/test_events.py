"""`lane events`: topics by their beginning, and going on where events are gone."""

import json

import pytest

from lanekeeper.cli.main import run
from unit.client.fakeplane import FakePlane


@pytest.fixture(autouse=True)
def unconfigured(fake: FakePlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's configuration."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(fake.directory))


def events(fake: FakePlane, *words: str) -> int:
    return run(["--runtime-dir", str(fake.directory), "events", *words])


def topics(text: str) -> list[str]:
    return [json.loads(line)["topic"] for line in text.splitlines()]


def test_a_topic_is_a_beginning(fake: FakePlane, capsys: pytest.CaptureFixture[str]) -> None:
    for topic in ("lane.created", "terminal.created", "terminal.exited", "session.created"):
        fake.do(f"event {topic}")
    assert events(fake, "--json", "--topic", "terminal.") == 0
    assert topics(capsys.readouterr().out) == ["terminal.created", "terminal.exited"]
    assert events(fake, "--json", "--topic", "lane.created", "--topic", "sess") == 0
    assert topics(capsys.readouterr().out) == ["lane.created", "session.created"]


def test_events_that_are_gone_are_said_and_the_rest_is_shown(
    fake: FakePlane, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(6):
        fake.do("event")
    fake.first_event = 4
    assert events(fake, "--json", "--since", "1") == 0
    told = capsys.readouterr()
    assert len(topics(told.out)) == 3
    assert "events from 2 to 3 are gone" in told.err

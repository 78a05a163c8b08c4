"""`lane wait`: how long it waits, and what it refuses."""

import pytest

from lanekeeper.cli.main import run
from lanekeeper.client import Plane
from lanekeeper.client.awaiting import Until, wait_for
from lanekeeper.client.effects import Call
from lanekeeper.client.errors import TimedOutError
from lanekeeper.wire.messages.terminal import Gap
from lanekeeper.wire.messages.waiting import Wait, WaitResult
from unit.client.fakeplane import FakePlane

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture(autouse=True)
def unconfigured(fake: FakePlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's configuration."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(fake.directory))


def wait(fake: FakePlane, *words: str) -> int:
    return run(["--runtime-dir", str(fake.directory), "wait", "build", *words])


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ((), HOUR),  # one of as many as it takes
        (("--timeout", "60"), 60),
        (("--timeout", "inf"), DAY),
        (("--timeout", "1e9"), DAY),
    ],
)
def test_how_long_the_lane_is_asked_to_wait(
    fake: FakePlane, plane: Plane, words: tuple[str, ...], seconds: float
) -> None:
    plane.lane("build").spawn(["exit", "0"])
    assert wait(fake, *words) == 0
    asked = next(one for one in fake.seen if one["method"] == "terminal.wait")
    assert asked["deadline_ms"] == seconds * 1000


@pytest.mark.parametrize("option", ["--timeout", "--idle"])
def test_what_is_no_number_of_seconds_is_refused(
    fake: FakePlane, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wait(fake, option, "nan") == 2
    assert "number of seconds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("until", "seconds"),
    [(Until(), HOUR), (Until(idle=7200), 4 * HOUR), (Until(idle=20 * HOUR), DAY)],
)
def test_a_silence_fits_into_one_of_the_waits(until: Until, seconds: float) -> None:
    asked = next(wait_for("term_x", None, until, None))
    assert isinstance(asked, Call)
    assert asked.result is WaitResult
    assert asked.timeout == seconds


def test_a_search_is_asked_in_short_turns_and_goes_on_where_it_was() -> None:
    waiting = wait_for("term_x", None, Until(match="done", offset=5), 70.0)
    over = [TimedOutError("TIMEOUT", "", details={"searched": place}) for place in (100, 200, 300)]
    asked = [next(waiting), *(waiting.throw(one) for one in over[:2])]
    with pytest.raises(TimedOutError, match="within 70 s"):
        waiting.throw(over[2])
    calls = [one for one in asked if isinstance(one, Call)]
    assert [one.timeout for one in calls] == [30.0, 30.0, 10.0]
    assert isinstance(calls[-1].payload, Wait)
    assert calls[-1].payload.offset == 200


def test_what_was_gone_in_an_earlier_turn_is_told_with_the_match() -> None:
    waiting = wait_for("term_x", None, Until(match="done", offset=5), None)
    next(waiting)
    for place in (100, 200):
        gone = {"start": place - 10, "end": place}
        details: dict[str, object] = {"searched": place, "gap": gone}
        waiting.throw(TimedOutError("TIMEOUT", "", details=details))
    with pytest.raises(StopIteration) as found:
        waiting.send(WaitResult(reason="match", gap=Gap(start=300, end=310)))
    assert found.value.value.gap == Gap(start=90, end=310)

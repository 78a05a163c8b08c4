"""A lane's worker hangs while the plane lives: a stream waits for the successor, not for ever."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.waiting import wait_until
from lanekeeper.client import Data, Plane, Unreachable, connect, following
from unit.client.fakeplane import FakePlane

MANY = 1_000_000


@pytest.fixture
def plane(fake: FakePlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plane]:
    """A client that loses patience soon."""
    for name in ("QUIET_SECONDS", "QUIET_LEASED", "READ_SECONDS"):
        monkeypatch.setattr(following, name, 0.2)
    with connect(fake.directory, timeout=0.4) as connected:
        yield connected


def rounds(fake: FakePlane) -> int:
    """Return how often the client asked whether the plane lives, after its greeting."""
    return fake.methods().count("plane.hello") - 1


def test_a_stream_outlasts_a_worker_that_answers_nothing(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    stream = terminal.output(0, timeout=20)
    fake.faults.ignore["terminal.read"] = MANY
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(next, stream)
        wait_until(lambda: rounds(fake) >= 2, 10, "a second look whether the plane lives")
        assert not taken.done()
        fake.faults.ignore.clear()
        fake.do("write back")
        item = taken.result(20)
    assert isinstance(item, Data)
    stream.close()


def test_a_stream_ends_when_nobody_answers_at_all(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    stream = terminal.output(0, timeout=20)
    fake.do("write here")
    assert isinstance(next(stream), Data)
    fake.faults.silent = True
    with pytest.raises(Unreachable, match="neither the lane nor the broker answers"):
        next(stream)
    fake.faults.silent = False
    stream.close()


def test_a_stream_does_not_wait_for_ever(
    fake: FakePlane, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "DEAF_MOST", 2)
    terminal = plane.lane("build").spawn(["cat"])
    stream = terminal.output(0, timeout=20)
    fake.faults.ignore["terminal.read"] = MANY
    with pytest.raises(Unreachable):
        next(stream)
    fake.faults.ignore.clear()
    stream.close()

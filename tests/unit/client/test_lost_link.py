"""A connection is lost with a command on it: the command goes over the next one at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kit.waiting import wait_until
from lanekeeper.client import Plane, aio, session
from lanekeeper.client.asking import Asker
from lanekeeper.wire.messages.lane import LaneList
from unit.client.fakeplane import FakePlane


@pytest.fixture(autouse=True)
def _no_other_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent again because time has passed."""
    monkeypatch.setattr(session, "RESEND_FIRST", 3600.0)


def _interrupted(fake: FakePlane, method: str, act: Callable[[], Any]) -> list[str]:
    """Let a command be heard by a broker that dies of it; return the ids that were sent."""
    fake.faults.ignore[method] = 1
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(act)
        wait_until(lambda: method in fake.methods(), 10, "the command")
        fake.do("die")
        fake.do("revive")
        done.result(20)
    return [one["id"] for one in fake.seen if one["method"] == method]


def test_a_blocking_client_sends_it_again(fake: FakePlane, plane: Plane) -> None:
    ids = _interrupted(fake, "lane.create", lambda: plane.lane("build"))
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_an_asynchronous_client_sends_it_again(fake: FakePlane) -> None:
    async def make() -> None:
        async with await aio.connect(fake.directory) as plane:
            await plane.lane("build")

    ids = _interrupted(fake, "lane.create", lambda: asyncio.run(make()))
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_single_question_is_asked_again(fake: FakePlane) -> None:
    def ask() -> None:
        with Asker(str(fake.directory), 15.0) as asker:
            asker.ask("lane.list", LaneList)

    assert len(_interrupted(fake, "lane.list", ask)) == 2


def test_input_goes_over_the_next_hot_path(fake: FakePlane, plane: Plane) -> None:
    terminal = plane.lane("build").spawn(["cat"])
    ids = _interrupted(fake, "terminal.input", lambda: terminal.send("x", timeout=15))
    assert len(set(ids)) == 1
    assert len(ids) == 2

"""Asking a lane for a screen: what is drawn, answered and refused."""

import pytest
from msgspec.structs import replace

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_WAITERS
from lanekeeper.wire.messages.screen import Cursor, Screen, ScreenRequest
from lanekeeper.workers.actions import Draw, Drawn, Reply
from lanekeeper.workers.state import LaneState

from .lanes import ASSIGNMENT, Lane, answer, only

SCREEN = Screen(
    offset=5, epoch=3, exact=True, cols=80, rows=24, cursor=Cursor(row=0, col=5), lines=["hello"]
)


@pytest.fixture
def lane() -> Lane:
    return Lane()


def test_the_answer_comes_when_it_is_drawn(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    asked = {"form": "cells", "first": 2, "count": 3}
    done = lane.command("terminal.screen", asked, terminal_id=terminal, deadline_ms=2500)
    draw = only(done, Draw)
    assert draw.asked == ScreenRequest(form="cells", first=2, count=3)
    assert (draw.terminal_id, draw.deadline) == (terminal, lane.now + 2.5)
    assert not [one for one in done if isinstance(one, Reply)]
    assert answer(lane.give(Drawn(draw.command_id, SCREEN, None)))["lines"] == ["hello"]
    assert lane.give(Drawn(draw.command_id, SCREEN, None)) == []


def test_a_retry_waits_for_the_same_drawing(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    draw = only(lane.command("terminal.screen", terminal_id=terminal, id="a"), Draw)
    assert lane.command("terminal.screen", terminal_id=terminal, id="a", route=b"other") == []
    replies = lane.give(Drawn(draw.command_id, SCREEN, None))
    assert [one.route for one in replies if isinstance(one, Reply)] == [b"me", b"other"]


@pytest.mark.parametrize(
    ("drawn", "code"),
    [
        ((None, WireError("INTERNAL", "it failed")), "INTERNAL"),
        ((None, None), "INTERNAL"),
        ((replace(SCREEN, lines=["x" * 300_000]), None), "LIMIT_EXCEEDED"),
    ],
)
def test_why_there_is_none(
    lane: Lane, drawn: tuple[Screen | None, WireError | None], code: str
) -> None:
    terminal = lane.run(lane.session())
    draw = only(lane.command("terminal.screen", terminal_id=terminal), Draw)
    assert answer(lane.give(Drawn(draw.command_id, *drawn)))["code"] == code


def test_a_screen_that_is_too_large_is_not_drawn(lane: Lane) -> None:
    terminal = lane.run(lane.session(), cols=1000, rows=1000)
    refused = lane.call("terminal.screen", terminal_id=terminal)
    assert (refused["code"], refused["details"]) == ("LIMIT_EXCEEDED", {"limit": 200_000})


def test_requests_are_bounded(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    for _ in range(MAX_WAITERS):
        lane.command("terminal.screen", terminal_id=terminal)
    assert lane.call("terminal.screen", terminal_id=terminal)["code"] == "LIMIT_EXCEEDED"


def test_a_journal_gives_the_sizes_back(lane: Lane) -> None:
    terminal = lane.run(lane.session())
    for cols in (90, 100):
        lane.call("terminal.resize", {"cols": cols, "rows": 30}, terminal_id=terminal)
    lane.logs[terminal].content = b"output"
    lane.call("terminal.resize", {"cols": 110, "rows": 30}, terminal_id=terminal)
    kept = [(one.offset, one.cols) for one in lane.replayed().sizes[terminal]]
    assert kept == [(0, 100), (6, 110)]
    again = LaneState(ASSIGNMENT)
    for record in lane.core.state.snapshot():
        again.apply(record, lane.now)
    assert again.sizes == lane.core.state.sizes

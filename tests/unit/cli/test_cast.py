"""The format of a recording: times, sizes, cut characters, gaps, live output."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lanekeeper.cli.cast import Cast, Subject, live_clock
from lanekeeper.client import Data, Gap, Item, Resized
from lanekeeper.wire.messages.recording import TimelineResult

SECOND = 1_000_000_000


def cast(
    items: list[Item], *, start: int = 0, clock: Iterator[int] | None = None, **known: Any
) -> tuple[dict[str, Any], list[Any]]:
    """Return header and events of a recording."""
    past: dict[str, Any] = {"times": [], "sizes": [(0, 0, 80, 24)], "head": 0, "tail": 0} | known
    renderer = Cast(
        TimelineResult(**past), Subject(start, "title", "prog"), lambda: next(clock or iter(()))
    )
    text = b"".join(map(renderer.render, items)) + renderer.undo()
    header, *events = map(json.loads, text.decode("ascii").splitlines())
    return header, events


def test_old_output_gets_its_times_and_sizes() -> None:
    header, events = cast(
        [Data(0, b"aabb"), Data(4, b"ccc")],
        times=[(0, 5 * SECOND), (2, 6 * SECOND), (6, 9 * SECOND)],
        sizes=[(0, 5 * SECOND, 80, 24), (5, 8 * SECOND, 100, 30)],
        head=7,
    )
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert header["timestamp"] == 5
    assert events == [
        [0, "o", "aa"],
        [1, "o", "bb"],
        [1, "o", "c"],
        [3, "r", "100x30"],
        [3, "o", "c"],
        [4, "o", "c"],
    ]


def test_a_character_that_is_cut_comes_whole() -> None:
    word = "tw\u00f6".encode()
    _, events = cast(
        [Data(0, word[:3]), Data(3, word[3:]), Data(4, b"\xff")],
        times=[(0, 0), (3, SECOND)],
        head=5,
    )
    assert "".join(text for _, _, text in events) == "tw\u00f6\ufffd"


def test_live_output_follows_the_old() -> None:
    clock = iter([12 * SECOND, 13 * SECOND, 12 * SECOND])
    _, events = cast(
        [Data(0, b"old"), Data(3, b"new"), Resized(90, 20), Data(6, b"x")],
        times=[(0, 10 * SECOND)],
        head=3,
        clock=clock,
    )
    assert events == [[0, "o", "old"], [2, "o", "new"], [3, "r", "90x20"], [3, "o", "x"]]


@pytest.mark.parametrize(("start", "lost"), [(0, 40), (40, None)])
def test_a_late_beginning_has_the_size_of_then_and_says_what_is_lost(
    start: int, lost: int | None
) -> None:
    gap: list[Item] = [Gap(0, 40)] if lost else []
    header, events = cast(
        [*gap, Data(40, b"x")],
        start=start,
        times=[(30, 7 * SECOND)],
        sizes=[(0, 0, 80, 24), (20, SECOND, 60, 10)],
        head=41,
        tail=40,
    )
    assert (header["width"], header["height"]) == (60, 10)
    assert header["lanekeeper"].get("lost") == lost
    assert [event[1] for event in events] == (["m", "o"] if lost else ["o"])


def test_live_time_goes_on_from_the_past_when_the_clock_was_set_back() -> None:
    known = TimelineResult(
        times=[(0, 5000 * SECOND)],
        sizes=[(0, 0, 80, 24), (3, 5001 * SECOND, 90, 24)],
        head=4,
        tail=0,
    )
    ticks = iter((0, 2 * SECOND, 3 * SECOND))
    clock = live_clock(known, 1000 * SECOND, lambda: next(ticks))
    assert [clock(), clock()] == [5003 * SECOND, 5004 * SECOND]


def test_live_time_is_the_wall_clocks() -> None:
    known = TimelineResult(times=[(0, 5000 * SECOND)], sizes=[(0, 0, 80, 24)], head=4, tail=0)
    ticks = iter((7, 7 + SECOND))
    assert live_clock(known, 6000 * SECOND, lambda: next(ticks))() == 6001 * SECOND

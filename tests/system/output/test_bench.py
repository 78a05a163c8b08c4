"""The parts of `lane bench` with several subscribers, in small: they verify what they measure."""

from pathlib import Path

import pytest

from kit.cluster import Plane
from lanekeeper.bench import echo, memory, report, sharing, subscribers
from lanekeeper.bench.pattern import ENDLESS, Check, Stream
from lanekeeper.bench.throughput import LINE
from lanekeeper.client import Plane as Connected

SIZE = 5_000_000


def quietly(_text: str) -> None:
    """Show no progress."""


def test_several_subscribers_get_every_byte_and_a_rate(
    shared_plane: Plane, client: Connected, tmp_path: Path
) -> None:
    stream = Stream(str(tmp_path), SIZE)
    found = subscribers.measure(client, str(shared_plane.dir), stream, 1, quietly, (1, 2))
    assert [one["subscribers"] for one in found] == [1, 2]
    assert all(one["rate"]["min"] > 0 for one in found)


def test_lanes_that_flood_at_once_are_compared(
    shared_plane: Plane, client: Connected, tmp_path: Path
) -> None:
    stream = Stream(str(tmp_path), ENDLESS)
    found = sharing.measure(client, str(shared_plane.dir), stream, 0.3, quietly, 2)
    assert found["lanes"] == found["rate"]["count"] == 2
    assert 0 < found["ratio_min_max"] <= 1


def test_a_flood_is_within_its_budget_and_shown(
    shared_plane: Plane, client: Connected, tmp_path: Path
) -> None:
    stream = Stream(str(tmp_path), 6 * SIZE)
    found = memory.measure(client, str(shared_plane.dir), stream, quietly)
    assert found["missed"]["fast"] == 0
    assert 0 < found["worker"] <= found["budget"]
    shown = report.text({"machine": report.machine(), "tmux": None, "memory": found})
    assert "0.03 GB flood: worker and log" in shown
    assert client.lanes() == []


@pytest.mark.parametrize("flood", [None, "yes"])
def test_an_echo_is_compared_with_that_of_bare_zeromq(client: Connected, flood: str | None) -> None:
    found = echo.measure(client, 20, quietly, flood, with_tmux=False)
    assert found["bare"]["count"] == found["lanekeeper"]["count"] == 20
    assert found["bare"]["p50"] > 0
    assert found["ratio_to_bare_p50"] > 0
    shown = report.text({"machine": report.machine(), "tmux": None, "echo": found})
    assert "echo, bare ZeroMQ loop (ms)" in shown
    assert "plain client / bare" in shown
    assert client.lanes() == []


def test_the_pattern_finds_what_is_lost_doubled_or_wrong() -> None:
    data = b"." + LINE * 50
    for end in (1, 2, 1001, len(data)):
        check = Check()
        check.feed(data[:end])
        check.feed(data[end:])
        assert check.delivered == len(data)
    for broken in (data[:700] + data[701:], data[:700] + data[699:], data[:9] + b"x" + data[10:]):
        with pytest.raises(ValueError, match="wrong bytes"):
            Check().feed(broken)
    check = Check()
    check.feed(data[:100])
    check.gap(1500)
    check.feed(data[1500:])
    assert (check.delivered, check.missed) == (len(data) - 1400, 1400)

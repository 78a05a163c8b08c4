"""The picture of `lane top` on terminals of many sizes."""

import os

import pytest

from kit.screen import paint
from lanekeeper.cli.canvas import Canvas
from lanekeeper.cli.looks import Listing
from lanekeeper.cli.sizes import Size
from lanekeeper.wire.messages.diagnostics import Finding, Status
from unit.cli.top.desk import NOW, SPACES, Desk, diagnostics, lane

HEADS = ["vCPU%", "MEM", "OUT/S", "BACKLOG", "PROGS", "AGE", "LOG"]
SIZES = [(80, 24), (120, 40), (40, 10), (20, 8), (10, 5), (200, 9), (2, 2), (80, 1)]


@pytest.mark.parametrize(("cols", "rows"), SIZES)
@pytest.mark.parametrize("key", ["", "/", "s", "?"])
def test_a_picture_fits(desk: Desk, cols: int, rows: int, key: str) -> None:
    desk.lanes(*(f"lane{number}" for number in range(1000)))
    desk.keys(*key)
    assert len(desk.shown(cols, rows)) == rows


def test_what_80_by_24_shows(desk: Desk) -> None:
    desk.lanes(*(f"lane{number}" for number in range(1000)))
    desk.loads(lane7=0.5, lane9=0.25)
    lines = desk.shown()
    assert max(map(len, lines)) <= 80
    assert lines[1] == "lanes: 1000 (1000 running)"
    assert lines[2] == "health: pass  nothing to report"
    assert lines[3] == "plane: 1 process, 80M resident, CPU -, 40 descriptors"
    assert lines[4].split() == [
        "LANE",
        "STATE",
        "vCPU%",
        "MEM",
        "OUT/S",
        "BACKLOG",
        "PROGS",
        "AGE",
        "LOG",
    ]
    assert lines[5].split() == [">lane7", "running", "50.0", "0", "0", "0", "1/1", "1h0m", "0"]
    assert lines[6].split()[:3] == ["lane9", "running", "25.0"]
    assert lines[7].split()[2:6] == ["-", "-", "-", "-"]
    assert len(lines) == 24
    assert lines[-1].startswith("enter attach")


def test_the_selected_lane_is_always_in_sight(desk: Desk) -> None:
    desk.lanes(*(f"lane{number:03}" for number in range(100)))
    for keys in (["G"], ["page-up"], ["up"] * 30, ["g"], ["page-down", "page-down"]):
        for key in keys:
            desk.keys(key)
            row = desk.board.selected
            assert row is not None
            assert any(line.startswith(f">{row.address}") for line in desk.shown(80, 14))


def test_lanes_keep_their_places_while_the_selection_moves_among_them(desk: Desk) -> None:
    desk.lanes(*(f"lane{number:03}" for number in range(100)))
    desk.keys("G")
    before = [line[1:] for line in desk.shown()[5:22]]
    desk.keys("up", "up")
    assert [line[1:] for line in desk.shown()[5:22]] == before


def test_a_plane_that_does_not_answer_is_said_and_what_is_known_stays(desk: Desk) -> None:
    desk.lanes("a")
    desk.board.unlisted("gone \x1b]0;x\x07")
    lines = desk.shown()
    assert "no answer: gone \\x1b]0;x\\x07" in lines[0]
    assert lines[5].startswith(">a")
    desk.lanes("a")
    assert "answers" in desk.shown()[0]


def test_findings_are_named(desk: Desk) -> None:
    found = diagnostics()
    found.status = "fail"
    told: dict[str, Status] = {"echo_latency": "warn", "open_fds": "fail", "ptys": "pass"}
    for key, status in told.items():
        finding = Finding(
            metric="lanekeeper_x", count=1, judged="p95", p95=0.02, status=status, criteria=[]
        )
        found.metrics[key] = finding
    desk.board.diagnosed(found, NOW)
    line = desk.shown(120)[2]
    assert line.startswith("health: fail  open_fds p95 0.02; echo_latency p95 0.02; `lane diag`")


def test_an_incomplete_listing_and_a_reason_are_told(desk: Desk) -> None:
    failed = lane("a", "failed")
    failed.reason = "crash loop\x1b[2J"
    desk.board.listed(Listing([failed], SPACES, complete=False), NOW)
    lines = desk.shown()
    assert "still coming back" in lines[1]
    assert lines[22] == "a: crash loop\\x1b[2J"


@pytest.mark.parametrize("color", [False, True])
def test_a_terminal_shows_the_picture_and_is_left_as_it_was(desk: Desk, *, color: bool) -> None:
    desk.lanes("one", "two")
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as reader:
        canvas = Canvas(writing, color=color)
        size = Size(80, 24)
        canvas.enter(size)
        canvas.draw(desk.scene.lines(size, NOW), size)
        first = reader.read(65536) or b""
        canvas.draw(desk.scene.lines(size, NOW), size)
        canvas.flush()
        desk.keys("j")
        canvas.draw(desk.scene.lines(size, NOW), size)
        second = reader.read(65536) or b""
        canvas.leave()
        left = reader.read(65536) or b""
        canvas.close()
        os.close(writing)
    screen = paint(first + second)
    assert [line.rstrip() for line in screen.rows] == desk.shown()
    assert first.startswith(b"\x1b[?1049h")
    assert left.endswith(b"\x1b[?1049l")
    assert b"\x1b[?25h" in left
    assert (b"\x1b[32m" in first) == color
    # nothing flickers: a frame is drawn over the last one, nothing is erased in between
    assert not any(erase in second for erase in (b"\x1b[2J", b"\x1b[J", b"\x1b[K"))
    assert len(second) < 4096

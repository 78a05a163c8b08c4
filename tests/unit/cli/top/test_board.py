"""The lanes of `lane top`: sorted, filtered, selected."""

from datetime import timedelta

import pytest

from lanekeeper.cli.columns import BY_NAME, COLUMNS, fitting, percent, short_bytes
from lanekeeper.cli.keyboard import Attach, LookNow, Mode, Quit, Repaint, Suspend
from lanekeeper.cli.looks import Listing
from lanekeeper.cli.summary import load_line
from lanekeeper.wire.messages.diagnostics import ProcessLoad
from unit.cli.top.desk import NOW, SPACES, Desk, diagnostics, figures, lane


def test_lanes_are_sorted_by_what_they_take_and_those_without_figures_come_last(desk: Desk) -> None:
    desk.lanes("a", "b", "c", "d")
    desk.loads(b=0.5, d=0.7)
    assert desk.order == ["d", "b", "a", "c"]
    desk.keys("r")
    assert desk.order == ["b", "d", "a", "c"]


def test_names_are_sorted_from_a_and_lanes_of_other_workspaces_carry_theirs(desk: Desk) -> None:
    found = [lane("z"), lane("a"), lane("m", workspace="ws_web"), lane("o", workspace="ws_gone")]
    desk.board.listed(Listing(found, SPACES), NOW)
    desk.keys("s", "n")
    assert desk.order == ["a", "web/m", "ws_gone/o", "z"] or desk.order == sorted(desk.order)
    assert "web/m" in desk.order


def test_the_first_row_is_selected_until_a_key_moves_then_the_lane(desk: Desk) -> None:
    desk.lanes("a", "b", "c")
    desk.loads(a=0.9, b=0.5, c=0.1)
    assert selected(desk) == "a"
    desk.loads(a=0.1, b=0.9, c=0.5)
    assert selected(desk) == "b"
    desk.keys("down")
    assert selected(desk) == "c"
    desk.loads(a=0.5, b=0.2, c=0.9)
    assert (selected(desk), desk.board.index) == ("c", 0)
    desk.keys("escape")
    desk.loads(a=0.9, b=0.2, c=0.1)
    assert selected(desk) == "a"


def test_a_lane_that_goes_leaves_the_selection_where_it_was(desk: Desk) -> None:
    desk.lanes("a", "b", "c", "d")
    desk.keys("s", "n", "G")
    assert selected(desk) == "d"
    desk.lanes("a", "b")
    assert selected(desk) == "b"
    desk.lanes()
    assert desk.board.selected is None
    assert desk.keys("enter", "down", "G", "k") == []
    desk.lanes("x")
    assert selected(desk) == "x"


def test_movement_stays_in_the_list(desk: Desk) -> None:
    desk.lanes(*(f"lane{number:02}" for number in range(40)))
    desk.shown()
    for keys, index in (
        (["up"], 0),
        (["down", "j"], 2),
        (["page-down"], 19),
        ([" "], 36),
        (["ctrl-f"], 39),
        (["page-up"], 22),
        (["home"], 0),
        (["end"], 39),
        (["g"], 0),
    ):
        desk.keys(*keys)
        assert desk.board.index == index, keys


def test_a_filter_follows_what_is_typed_and_a_broken_one_changes_nothing(desk: Desk) -> None:
    desk.lanes("build", "web", "webpack", "x")
    desk.keys("/", *"we")
    assert desk.order == ["web", "webpack"]
    desk.keys("(")
    assert desk.order == ["web", "webpack"]
    assert "no pattern" in desk.keyboard.message
    desk.keys("backspace", *"b$", "enter")
    assert desk.keyboard.mode is Mode.LIST
    assert desk.order == ["web"]
    desk.keys("/", "ctrl-u")
    assert len(desk.order) == 4
    desk.keys(*"X", "escape")
    assert (desk.board.pattern, len(desk.order)) == ("", 4)


def test_a_pattern_cannot_hold_up_the_keys(desk: Desk) -> None:
    desk.lanes("a" * 64)
    desk.keys("/", *"(a*)*(a*)*(a*)*b", "enter")
    assert desk.order == []


def test_keys_that_sort_ask_for_other_figures_when_these_are_needed(desk: Desk) -> None:
    desk.lanes("a", "b")
    assert desk.keys("s", "m") == [LookNow()]
    assert desk.board.by is BY_NAME["memory"]
    assert desk.keys("s", "m") == []
    assert desk.keys("s", "!") == []
    assert desk.keys(">") == [LookNow()]
    assert desk.board.by is BY_NAME["output"]
    desk.keys(*["<"] * 4)
    assert desk.board.by is COLUMNS[0]
    desk.keys("left")
    assert desk.board.by is COLUMNS[-1]


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("q", Quit()),
        ("ctrl-c", Quit(interrupted=True)),
        ("ctrl-z", Suspend()),
        ("ctrl-l", Repaint()),
        ("tab", LookNow()),
    ],
)
def test_a_key_that_does_something(desk: Desk, key: str, action: object) -> None:
    assert desk.keys(key) == [action]


def test_ctrl_c_leaves_from_everywhere(desk: Desk) -> None:
    for opening in ("/", "s", "?"):
        assert desk.keys(opening, "ctrl-c")[-1] == Quit(interrupted=True)
        desk.keys("escape")


def test_enter_attaches_to_the_selected_lane_or_to_one_of_its_terminals(desk: Desk) -> None:
    desk.lanes("a", "b")
    assert desk.keys("down", "enter") == [Attach("b")]
    desk.keyboard.offer(["default/b:main.t1", "default/b:main.t2"])
    assert desk.keys("down", "down", "up", "down", "enter") == [Attach("default/b:main.t2")]
    desk.keyboard.offer(["default/b:main.t1"])
    assert desk.keys("x", "escape", "enter") == [Attach("b")]


def test_without_figures_old_ones_are_not_shown_as_new(desk: Desk) -> None:
    desk.lanes("a")
    desk.loads(a=0.5)
    desk.board.undiagnosed("the collector is away\x1b[2J", NOW)
    assert desk.board.rows[0].cpu is None
    assert "the collector is away\\x1b[2J" in "\n".join(desk.shown())


def test_processors_of_the_plane_are_those_of_the_last_look_of_its_collector(desk: Desk) -> None:
    board = desk.board
    board.diagnosed(diagnostics(), NOW)
    assert "CPU -," in load_line(board.load)
    for seconds in (10.0, 80.0):
        board.diagnosed(diagnostics(cpu_seconds=seconds, cpu=0.05), NOW)
        assert "CPU 5.0 %" in load_line(board.load)


def test_what_has_not_been_looked_at_is_a_dash(desk: Desk) -> None:
    found = diagnostics()
    found.processes = [ProcessLoad(role="broker", count=1, cpu_seconds=0.0)]
    desk.board.diagnosed(found, NOW)
    line = load_line(desk.board.load)
    assert line == "plane: 1 process, - resident, CPU -, - descriptors"


def test_ages_are_those_of_the_look(desk: Desk) -> None:
    desk.board.listed(Listing([lane("a")], SPACES), NOW + timedelta(minutes=1))
    assert desk.board.rows[0].age == 3660.0


def test_memory_and_output_are_sorted_by(desk: Desk) -> None:
    desk.lanes("a", "b")
    found = diagnostics(figures("a", memory=1, output=9.0), figures("b", memory=2, output=3.0))
    desk.board.diagnosed(found, NOW)
    desk.keys("s", "m")
    assert desk.order == ["b", "a"]
    desk.keys("s", "o")
    assert desk.order == ["a", "b"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0"),
        (1023, "1023"),
        (1024, "1.0K"),
        (10 * 1024, "10K"),
        (1023.7 * 1024, "1024K"),
        (5 << 20, "5.0M"),
        (700 << 30, "700G"),
        (1 << 70, "1024E"),
    ],
)
def test_bytes_in_five_characters(count: float | None, text: str) -> None:
    assert short_bytes(count) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("processors", "text"), [(None, "-"), (0.0, "0.0"), (0.123, "12.3"), (9.98, "998.0")]
)
def test_percent(processors: float | None, text: str) -> None:
    assert percent(processors) == text
    assert len(percent(64.0)) <= 5


@pytest.mark.parametrize("width", range(1, 200))
def test_columns_fit_or_only_the_name_is_left(width: int) -> None:
    columns = fitting(width)
    taken = sum(column.width + 1 for column in columns) - 1
    assert columns[0].name == "name"
    assert taken <= width or len(columns) == 1


def selected(desk: Desk) -> str | None:
    """Return the address of the selected lane."""
    lane_ = desk.board.selected
    return None if lane_ is None else lane_.address

"""The `:` commands of `lane top`: what they do, how they are completed and corrected."""

import pytest

from lanekeeper.cli.keyboard import Attach, LookNow, Mode, Pace, Quit
from unit.cli.top.desk import Desk


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A board with three lanes."""
    desk.lanes("build", "bus", "web")
    desk.loads(web=0.5, bus=0.2)
    return desk


def typed(desk: Desk, line: str) -> list[object]:
    """Type a command and press enter; return what is to be done."""
    return list(desk.keys(":", *line, "enter"))


def mode(desk: Desk) -> Mode:
    """Return who gets the next key."""
    return desk.keyboard.mode


def below(desk: Desk) -> list[str]:
    """Return the line of notices and the last one."""
    return desk.shown()[-2:]


@pytest.mark.parametrize("line", ["sort memory", "sort mem", "s mem", "  sort   memory  "])
def test_sort(full: Desk, line: str) -> None:
    assert typed(full, line) == [LookNow()]  # other lanes may be the first ones
    assert full.board.by.name == "memory"
    assert mode(full) is Mode.LIST


def test_sort_by_name_and_the_other_way_round(full: Desk) -> None:
    assert full.order == ["web", "bus", "build"]
    typed(full, "sort name")
    assert full.order == ["build", "bus", "web"]
    typed(full, "reverse")
    assert full.order == ["web", "bus", "build"]


def test_filter_takes_the_rest_of_the_line_and_nothing_shows_all(full: Desk) -> None:
    assert typed(full, "filter ^b|no such lane") == []
    assert full.order == ["bus", "build"]
    typed(full, "filter")
    assert len(full.order) == 3


def test_attach_to_a_lane_by_its_address_or_to_the_selected_one(full: Desk) -> None:
    assert typed(full, "attach build:main.shell") == [Attach("build:main.shell")]
    assert typed(full, "attach") == [Attach("web")]


def test_interval(full: Desk) -> None:
    assert typed(full, "interval 7.5") == [Pace(7.5)]
    assert below(full)[0] == "a look every 7.5 s"


@pytest.mark.parametrize(("line", "status"), [("quit", Quit()), ("q", Quit())])
def test_quit(full: Desk, line: str, status: Quit) -> None:
    assert typed(full, line) == [status]


def test_help_shows_the_keys_and_names_the_commands(full: Desk) -> None:
    typed(full, "help")
    assert mode(full) is Mode.HELP
    assert any("sort filter attach interval" in line for line in full.shown())


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("sotr cpu", "no command 'sotr'"),
        ("sort", "sort COLUMN"),
        ("sort nothing", "no column 'nothing'"),
        ("filter (", "no pattern"),
        ("interval", "0.5 to 3600"),
        ("interval soon", "0.5 to 3600"),
        ("interval 0.1", "0.5 to 3600"),
        ("interval nan", "0.5 to 3600"),
        ("quit now", "quit takes nothing"),
        ("attach one two", "attach [LANE]"),
    ],
)
def test_what_is_wrong_is_said_and_can_be_corrected(full: Desk, line: str, word: str) -> None:
    assert typed(full, line) == []
    notice, last = below(full)
    assert word in notice
    assert last.startswith(f":{line}")
    assert full.order == ["web", "bus", "build"]
    full.keys("ctrl-u", *"reverse", "enter")
    assert full.order == ["bus", "web", "build"]


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("so", ":sort "),
        ("q", ":quit"),
        ("sort m", ":sort memory"),
        ("s cp", ":s cpu"),
        ("attach w", ":attach web"),
        ("attach b", ":attach bu"),
        ("filter b", ":filter b"),
        ("nothing b", ":nothing b"),
        ("xyz", ":xyz"),
    ],
)
def test_tab_completes_words(full: Desk, line: str, completed: str) -> None:
    full.keys(":", *line, "tab")
    assert f":{full.keyboard.line.typed}" == completed


def test_tab_shows_the_choices_when_there_are_several(full: Desk) -> None:
    full.keys(":", *"attach b", "tab")
    assert below(full)[0] == "build  bus"
    full.keys("s", "tab")
    assert below(full)[1].startswith(":attach bus")


def test_escape_leaves_and_so_does_a_backspace_too_many(full: Desk) -> None:
    full.keys(":", *"quit", "escape")
    assert mode(full) is Mode.LIST
    assert below(full)[1].startswith("enter attach")
    full.keys(":", "s", "backspace")
    assert mode(full) is Mode.COMMAND
    full.keys("backspace")
    assert mode(full) is Mode.LIST
    assert full.keys(":", "enter") == []
    assert mode(full) is Mode.LIST


def test_what_can_be_typed_is_shown(full: Desk) -> None:
    full.keys(":")
    assert "sort COLUMN" in below(full)[0]
    full.keys(*"inter")
    assert below(full)[0].startswith("interval SECONDS")
    full.keys("ctrl-u", *"sort ")
    assert "memory" in below(full)[0]


def test_earlier_commands_come_back(full: Desk) -> None:
    typed(full, "sort name")
    typed(full, "sort age")
    full.keys(":", *"unfinished", "up")
    assert full.keyboard.line.typed == "sort age"
    full.keys("up", "up")
    assert full.keyboard.line.typed == "sort name"
    full.keys("down", "down")
    assert full.keyboard.line.typed == "unfinished"


def test_keys_edit_the_end_of_the_line(full: Desk) -> None:
    full.keys(":", *"attach build", "ctrl-w", *"bus", "left", "page-up", "enter")
    assert full.keyboard.line.earlier == ["attach bus"]


def test_a_line_is_bounded_and_its_end_is_in_sight(full: Desk) -> None:
    full.keys(":", *("x" * 500), "y")
    assert len(full.keyboard.line.typed) == 200
    last = full.shown(40)[-1]
    assert last[:40] == "…" + "x" * 38 + " "


def test_ctrl_c_leaves_for_good(full: Desk) -> None:
    assert full.keys(":", "s", "ctrl-c") == [Quit(interrupted=True)]

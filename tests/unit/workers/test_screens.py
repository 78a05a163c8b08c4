"""When screens are drawn: for requests, in idle turns, over holes; what a request holds back."""

import pytest

from lanekeeper.wire.messages.screen import ScreenRequest
from lanekeeper.workers import emulation, picture, screens
from lanekeeper.workers.knowledge import Knowledge
from lanekeeper.workers.marks import Marks
from lanekeeper.workers.screens import ROOM, WARM_MAX

from .drawing import Drawer


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


def test_nothing_is_drawn_before_somebody_asks(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"output")
    drawer.turn(idle=True)
    assert not drawer.screens.behind
    assert drawer.logs[terminal].taken == 0


def test_a_request_is_answered_with_all_there_was(drawer: Drawer) -> None:
    screen = drawer.draw(drawer.terminal(b"hello\r\nworld"))
    assert screen.lines[:2] == ["hello", "world"]
    assert (screen.offset, screen.epoch, screen.exact) == (12, 3, True)
    assert not drawer.screens.behind


def test_a_big_backlog_takes_many_turns_and_others_are_answered_first(drawer: Drawer) -> None:
    big = drawer.terminal(b"\x1b[1mword\x1b[m \x1b[2J" * 200_000)
    drawer.ask(big)
    drawer.turn()
    assert drawer.screens.behind
    small = drawer.ask(drawer.terminal(b"small"))
    drawer.turns(lambda: drawer.answers)
    assert drawer.answers[0].command_id == small


def test_sizes_apply_at_their_offsets(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"\x1b[?1049h\x1b[5;20Hx\x1b[5")
    drawer.resize(terminal, 40, 8)
    drawer.resize(terminal, 30, 7)
    drawer.logs[terminal].write(b";2Hy\x1b[7;30Hz")
    screen = drawer.draw(terminal)
    assert (screen.cols, screen.rows) == (30, 7)
    assert screen.lines == ["", "", "", "", " y" + " " * 17 + "x", "", " " * 29 + "z"]


def test_an_unfinished_sequence_waits_and_the_offset_says_so(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"done\x1b[3")
    assert drawer.draw(terminal).offset == 4
    assert not drawer.screens.behind
    drawer.logs[terminal].write(b"1mred")
    screen = drawer.draw(terminal)
    assert (screen.offset, screen.lines[0]) == (12, "donered")


def test_a_long_string_is_drawn_although_a_slice_does_not_hold_it(drawer: Drawer) -> None:
    terminal = drawer.terminal(
        b"a\x1b]0;" + b"t" * 3000 + b"\x07b\x1bP" + b"q" * 50_000 + b"\x1b\\c"
    )
    screen = drawer.draw(terminal)
    assert screen.lines[0] == "abc"
    assert screen.title == "t" * 512


def test_after_a_hole_the_screen_is_inexact_until_it_is_known(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"\x1b[2;2Hlost" + b"\x1b[H." * 40_000)
    drawer.logs[terminal].tail = 8192
    assert not drawer.draw(terminal).exact
    drawer.logs[terminal].write(b"\x1b[H\x1b[Jnew")
    screen = drawer.draw(terminal)
    assert (screen.exact, screen.lines[0]) == (True, "new")


def test_a_flood_of_lines_is_drawn_from_near_its_end_and_exact(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"line of a flood\r\n" * 300_000)
    log = drawer.logs[terminal]
    log.tail = log.head - 4 * 1024 * 1024
    screen = drawer.draw(terminal)
    assert screen.exact
    assert screen.lines == ["line of a flood"] * 4 + [""]
    assert log.taken <= 2 * 64 * 1024


def test_a_screen_that_was_asked_for_keeps_up_in_idle_turns(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"a")
    drawer.draw(terminal)
    drawer.logs[terminal].write(b"bcd")
    drawer.turn()
    assert drawer.logs[terminal].taken == 1
    drawer.turns(lambda: not drawer.screens.behind, idle=True)
    assert drawer.logs[terminal].taken == 4
    assert not drawer.screens.behind


def test_reading_is_held_only_while_a_request_would_lose_output(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"\x1b[H" * 1_000_000)
    log = drawer.logs[terminal]
    log.capacity = log.head
    assert not drawer.screens.holds(terminal)
    drawer.ask(terminal)
    drawer.turns(lambda: drawer.screens.holds(terminal))
    log.capacity += 2 * ROOM
    assert not drawer.screens.holds(terminal)


def test_what_is_not_drawn_in_time_is_refused(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"\x1b[2J" * 500_000)
    drawer.ask(terminal, deadline=0.0)
    drawer.turns(lambda: drawer.answers)
    assert drawer.refusal().code == "TIMEOUT"
    assert drawer.refusal().info.retryable


def test_a_terminal_that_goes_takes_its_requests_along(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"\x1b[2J" * 100_000)
    drawer.ask(terminal)
    drawer.turn()
    drawer.close(terminal)
    assert drawer.refusal().code == "TERMINAL_NOT_FOUND"
    assert not drawer.screens.behind
    assert drawer.screens.forget(terminal) == []
    drawer.ask("nothing")
    assert drawer.refusal().code == "INVALID_TRANSITION"


def test_an_emulator_that_fails_is_replaced(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def feed_str(self, text: str) -> None:
            raise MemoryError(text)

    terminal = drawer.terminal(b"text")
    with monkeypatch.context() as patched:
        patched.setattr(picture, "emulator", lambda _cols, _rows: Failing())
        drawer.ask(terminal)
        drawer.turns(lambda: drawer.answers)
    assert drawer.refusal().code == "INTERNAL"
    assert drawer.screens.failures == 1
    assert not drawer.screens.behind
    assert drawer.draw(terminal).lines[0] == "text"
    assert emulation.emulator(2, 1) is not None


@pytest.mark.parametrize(
    ("owner", "name"),
    [(picture, "tidy"), (Marks, "feed"), (Knowledge, "feed"), (screens, "tidy")],
)
def test_whatever_fails_over_output_costs_the_screen_and_not_the_lane(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    def fail(*_args: object) -> None:
        raise ValueError("too long")

    terminal = drawer.terminal(b"retired\r\ntext")
    drawer.logs[terminal].tail = 9
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, fail)
        drawer.ask(terminal)
        drawer.turns(lambda: drawer.answers)
    assert drawer.refusal().code == "INTERNAL"
    assert drawer.draw(terminal).lines[0] == "text"


def test_screens_that_nobody_asks_for_any_more_are_given_up(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn() -> int:
        return sum(log.taken for log in drawer.logs.values())

    terminals = [drawer.terminal(b"x") for _ in range(WARM_MAX + 3)]
    for terminal in terminals:
        drawer.draw(terminal)
    for terminal in terminals:
        drawer.logs[terminal].write(b"y")
    before = drawn()
    drawer.turns(lambda: drawn() > before, idle=True)
    assert drawn() - before <= WARM_MAX
    monkeypatch.setattr(screens, "WARM_SECONDS", -1.0)
    drawer.turn(idle=True)
    assert not drawer.screens.behind
    assert drawer.draw(terminals[0]).lines[0] == "xy"


def test_the_cells_of_a_large_screen_take_several_turns(drawer: Drawer) -> None:
    row = "".join(f"\x1b[38;5;{n % 256}mx" for n in range(400))
    terminal = drawer.terminal("\r\n".join([row] * 100).encode(), cols=400, rows=100)
    screen = drawer.draw(terminal, ScreenRequest(form="cells", first=10, count=50))
    assert screen.cells is not None
    assert [len(runs) for runs in screen.cells] == [400] * 50

"""Where the cursor was when a program asked, found on the screen as it was drawn up to there."""

import pytest

from .drawing import Drawer


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


def test_the_cursor_is_where_it_was_at_an_offset(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"one\r\ntwo\x1b[6n\x1b[4;8H\x1b[6n\x1b[H" + b"x" * 5000)
    drawer.seek(terminal, 12, 22)
    drawer.ask(terminal)
    drawer.turns(lambda: drawer.answers)
    assert drawer.places == [((2, 4), (4, 8))]
    head = drawer.logs[terminal].head
    drawer.logs[terminal].write(b"\x1b[2;2H")
    drawer.seek(terminal, head + 6)
    drawer.turns(lambda: drawer.places[1:])
    assert drawer.places[1:] == [((2, 2),)]


def test_nothing_is_drawn_behind_a_question_nobody_has_heard_of(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"first")
    drawer.draw(terminal)
    drawer.logs[terminal].write(b"\x1b[6n\x1b[3;3H")
    drawer.unheard = 9
    drawer.turns(lambda: drawer.logs[terminal].taken == 9, idle=True)
    drawer.unheard = None
    drawer.seek(terminal, 9)
    drawer.turns(lambda: drawer.places)
    assert drawer.places == [((1, 6),)]


def test_the_cursor_is_given_up_in_time_and_with_its_terminal(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"\x1b[2J" * 100_000 + b"end")
    drawer.seek(terminal, 400_003, deadline=0.0)
    drawer.turns(lambda: drawer.places)
    assert drawer.places == [()]
    drawer.seek(terminal, 400_003)
    drawer.close(terminal)
    drawer.seek("nothing", 1)
    assert drawer.places == [(), (), ()]
    assert not drawer.screens.behind

"""When screens are drawn: for requests, in idle turns, over holes; what a request holds back."""

from dataclasses import dataclass, field

import pytest

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.messages.screen import Screen, ScreenRequest
from lanekeeper.workers import emulation, picture, screens
from lanekeeper.workers.actions import Draw, Drawn, Stimulus
from lanekeeper.workers.screens import ROOM, WARM_MAX, Screens

from .lanes import Lane

FAR = 1e12


@dataclass
class Written:
    """A log that a test writes to and retires."""

    capacity: int = 4 * 1024 * 1024
    tail: int = 0
    content: bytearray = field(default_factory=bytearray)
    head: int = 0

    def __post_init__(self) -> None:
        """Let the log end where the content does."""
        self.head = len(self.content)

    def write(self, data: bytes) -> None:
        """Add output."""
        self.content += data
        self.head = len(self.content)

    def read(self, offset: int, count: int) -> bytes:
        """Return a range that is kept."""
        return b"" if offset < self.tail else bytes(self.content[offset : offset + count])


class Drawer:
    """The screens of a lane whose terminals a test writes to."""

    def __init__(self) -> None:
        """Make a lane without terminals."""
        self.lane = Lane()
        self.session = self.lane.session()
        self.logs: dict[str, Written] = {}
        self.screens = Screens(self._log, self.lane.core.state)
        self.answers: list[Drawn] = []
        self._count = 0

    def _log(self, terminal: str) -> Written | None:
        return self.logs.get(terminal)

    def terminal(self, output: bytes = b"", **spawn: int) -> str:
        """Start a terminal of 20 by 5 with some output and return its id."""
        terminal = self.lane.run(self.session, **({"cols": 20, "rows": 5} | spawn))
        self.logs[terminal] = Written(content=bytearray(output))
        return terminal

    def resize(self, terminal: str, cols: int, rows: int) -> None:
        """Change the size where the log ends now."""
        self.lane.logs[terminal].content = bytes(self.logs[terminal].content)
        self.lane.call("terminal.resize", {"cols": cols, "rows": rows}, terminal_id=terminal)

    def ask(self, terminal: str, deadline: float = FAR, asked: ScreenRequest | None = None) -> str:
        """Ask for a screen; return the command's id."""
        self._count += 1
        draw = Draw(terminal, f"cmd{self._count}", asked or ScreenRequest(), deadline)
        self._take(self.screens.ask(draw))
        return draw.command_id

    def turn(self, *, idle: bool = False) -> None:
        """Let one turn pass."""
        self._take(self.screens.turn(idle=idle))

    def draw(self, terminal: str, asked: ScreenRequest | None = None) -> Screen:
        """Ask and let turns pass until it is answered; return the screen."""
        self.ask(terminal, asked=asked)
        before = len(self.answers)
        for _ in range(100_000):
            if len(self.answers) > before:
                break
            self.turn()
        last = self.answers[-1]
        assert last.screen is not None, last.error
        return last.screen

    def close(self, terminal: str) -> None:
        """Let a terminal go."""
        self._take(self.screens.forget(terminal))

    def refusal(self) -> WireError:
        """Return why the last request was refused."""
        error = self.answers[-1].error
        assert error is not None
        return error

    def _take(self, stimuli: list[Stimulus]) -> None:
        self.answers += [one for one in stimuli if isinstance(one, Drawn)]


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


def test_nothing_is_drawn_before_somebody_asks(drawer: Drawer) -> None:
    drawer.terminal(b"output")
    drawer.turn(idle=True)
    assert not drawer.screens.behind
    assert drawer.screens.drawn_bytes == 0


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
    while not drawer.answers:
        drawer.turn()
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
    assert drawer.screens.drawn_bytes <= 64 * 1024


def test_a_screen_that_was_asked_for_keeps_up_in_idle_turns(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"a")
    drawer.draw(terminal)
    drawer.logs[terminal].write(b"bcd")
    drawer.turn()
    assert drawer.screens.drawn_bytes == 1
    drawer.turn(idle=True)
    assert drawer.screens.drawn_bytes == 4
    assert not drawer.screens.behind


def test_reading_is_held_only_while_a_request_would_lose_output(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"\x1b[H" * 1_000_000)
    log = drawer.logs[terminal]
    log.capacity = log.head
    assert not drawer.screens.holds(terminal)
    drawer.ask(terminal)
    drawer.turn()
    assert drawer.screens.holds(terminal)
    log.capacity += 2 * ROOM
    assert not drawer.screens.holds(terminal)


def test_what_is_not_drawn_in_time_is_refused(drawer: Drawer) -> None:
    terminal = drawer.terminal(b"\x1b[2J" * 500_000)
    drawer.ask(terminal, deadline=0.0)
    drawer.turn()
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
        drawer.turn()
    assert drawer.refusal().code == "INTERNAL"
    assert drawer.screens.failures == 1
    assert not drawer.screens.behind
    assert drawer.draw(terminal).lines[0] == "text"
    assert emulation.emulator(2, 1) is not None


def test_screens_that_nobody_asks_for_any_more_are_given_up(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminals = [drawer.terminal(b"x") for _ in range(WARM_MAX + 3)]
    for terminal in terminals:
        drawer.draw(terminal)
    for terminal in terminals:
        drawer.logs[terminal].write(b"y")
    before = drawer.screens.drawn_bytes
    drawer.turn(idle=True)
    assert drawer.screens.drawn_bytes - before <= WARM_MAX
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

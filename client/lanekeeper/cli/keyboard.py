"""What the keys of `lane top` mean: one goes in, what is to be done comes out.

    LIST    keys move, sort and turn round, and open the others
    FILTER  what is typed is the pattern; the lanes follow it at once
    COMMAND what is typed is a command, done by enter
    SORT    the next key names the column
    PICK    a lane has several terminals: one is chosen
    HELP    the keys; the next one goes back

Pure; called by `dashboard`, changes the board.
"""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from lanekeeper.cli.board import Board, Matcher
from lanekeeper.cli.columns import BY_KEY, BY_NAME, COLUMNS, Column
from lanekeeper.cli.commandline import BadCommandError, CommandLine, Order
from lanekeeper.cli.text import safe

LONGEST_PATTERN: Final = 200
HELP: Final = (
    "up down k j        select a lane       page-up page-down  a screenful",
    "home end g G       the first, the last escape             back to the first",
    "enter              attach to its terminal; its detach key comes back here",
    "/                  filter by a pattern; escape there shows all lanes",
    "s                  sort by a column    < > left right     by the next one",
    "r                  turn the order round",
    ":                  sort filter attach interval reverse help quit, in words",
    "tab                look again now      ctrl-l             draw again",
    "ctrl-z             stop, as a job      q ctrl-c           leave",
    "",
    "CPU%, MEM  worker and programs together; 100 % is one processor",
    "OUT/S      bytes of output a second",
    "BACKLOG    bytes that the slowest registered consumer has not acknowledged",
    "PROGS      terminals whose program runs, of all of the lane",
    "LOG        bytes of output kept in memory",
    "HELD       terminals whose program is held back by a consumer",
)


class Mode(Enum):
    """Who gets the keys."""

    LIST = auto()
    FILTER = auto()
    COMMAND = auto()
    SORT = auto()
    PICK = auto()
    HELP = auto()


class Quit(Struct, frozen=True):
    """Leave; `interrupted` by Ctrl-C."""

    interrupted: bool = False


class LookNow(Struct, frozen=True):
    """Ask the plane again, before it is time."""


class Suspend(Struct, frozen=True):
    """Stop this process, as Ctrl-Z does."""


class Repaint(Struct, frozen=True):
    """Draw everything again, over whatever is there."""


class Attach(Struct, frozen=True):
    """Attach to what an address means: a lane's only terminal, or one of several."""

    address: str


class Pace(Struct, frozen=True):
    """Ask the plane every so many seconds from now on."""

    seconds: float


Action = Quit | LookNow | Suspend | Repaint | Attach | Pace


class BadPatternError(Exception):
    """What was typed is no pattern, and why."""


class Keyboard:
    """The keys, and what they have opened.

    Attributes:
        mode: who gets the next key.
        typed: the pattern as far as it was typed.
        line: the command as far as it was typed.
        choices: the addresses to pick from.
        choice: the selected one.
        message: what the person is to know until the next key.
        page: rows that are in sight.
    """

    def __init__(self, board: Board, compile_pattern: Callable[[str], Matcher]) -> None:
        """Type to a board; `compile_pattern` may raise BadPatternError."""
        self._board = board
        self._compile = compile_pattern
        self.mode = Mode.LIST
        self.typed = ""
        self.line = CommandLine()
        self.choices: list[str] = []
        self.choice = 0
        self.message = ""
        self.page = 1

    def say(self, text: str) -> None:
        """Show a message until the next key."""
        self.message = safe(text)

    def offer(self, addresses: Sequence[str]) -> None:
        """Let the person choose one of several terminals."""
        self.choices, self.choice, self.mode = list(addresses), 0, Mode.PICK

    def narrow(self, pattern: str) -> None:
        """Filter the board.

        Raises:
            BadPatternError: it is no pattern; nothing has changed.
        """
        self._board.filter(pattern, self._compile(pattern) if pattern else None)

    def press(self, key: str) -> list[Action]:
        """Take a key and return what is to be done."""
        self.message = ""
        always: dict[str, Action] = {
            "ctrl-c": Quit(interrupted=True),
            "ctrl-z": Suspend(),
            "ctrl-l": Repaint(),
        }
        if key in always:
            return [always[key]]
        match self.mode:
            case Mode.LIST:
                return self._on_list(key)
            case Mode.FILTER:
                self._on_filter(key)
            case Mode.COMMAND:
                return self._on_command(key)
            case Mode.SORT:
                self.mode = Mode.LIST
                return self._sort(BY_KEY[key]) if key in BY_KEY else []
            case Mode.PICK:
                return self._on_pick(key)
            case Mode.HELP:
                self.mode = Mode.LIST
        return []

    def _on_list(self, key: str) -> list[Action]:
        board = self._board
        match key:
            case "q":
                return [Quit()]
            case "enter":
                return self._enter()
            case "/" | "s" | "?" | "h":
                self._open({"/": Mode.FILTER, "s": Mode.SORT}.get(key, Mode.HELP))
            case ":":
                self.line.begin()
                self.mode = Mode.COMMAND
            case "<" | "left":
                return self._neighbour(-1)
            case ">" | "right":
                return self._neighbour(1)
            case "r":
                board.turn_round()
            case "escape":
                board.release()
            case "tab":
                return [LookNow()]
            case _:
                self._move(key)
        return []

    def _move(self, key: str) -> None:
        page = max(1, self.page)
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page-up": -page, "page-down": page}
        steps |= {" ": page, "ctrl-b": -page, "ctrl-f": page}
        ends = {"home": 0, "g": 0, "end": len(self._board.rows), "G": len(self._board.rows)}
        if key in steps:
            self._board.select(self._board.index + steps[key])
        elif key in ends:
            self._board.select(ends[key])

    def _on_filter(self, key: str) -> None:
        if key in {"enter", "escape"}:
            self.mode = Mode.LIST
            if key == "escape":
                self.narrow("")
            return
        if key == "backspace":
            self.typed = self.typed[:-1]
        elif key == "ctrl-u":
            self.typed = ""
        elif len(key) == 1 and len(self.typed) < LONGEST_PATTERN:
            self.typed += key
        try:
            self.narrow(self.typed)
        except BadPatternError as error:  # the next character may make it one
            self.say(str(error))

    def _on_command(self, key: str) -> list[Action]:
        match key:
            case "enter":
                return self._obey()
            case "tab":
                self.say(
                    "  ".join(self.line.complete(row.address for row in self._board.everything))
                )
            case _ if key == "escape" or (key == "backspace" and not self.line.typed):
                self.mode = Mode.LIST
            case _:
                self.line.press(key)
        return []

    def _obey(self) -> list[Action]:
        try:
            order = self.line.enter()
            if order is not None and order.name == "filter":
                self.narrow(order.text)
        except (BadCommandError, BadPatternError) as error:  # to be corrected
            self.say(str(error))
            return []
        self.mode = Mode.LIST
        return [] if order is None else self._do(order)

    def _do(self, order: Order) -> list[Action]:
        match order.name:
            case "sort":
                return self._sort(BY_NAME[order.text])
            case "attach":
                return [Attach(order.text)] if order.text else self._enter()
            case "interval":
                self.say(f"a look every {order.seconds:g} s")
                return [Pace(order.seconds)]
            case "reverse":
                self._board.turn_round()
            case "help":
                self.mode = Mode.HELP
            case "quit":
                return [Quit()]
        return []

    def _on_pick(self, key: str) -> list[Action]:
        steps = {"up": -1, "k": -1, "down": 1, "j": 1}
        if key in steps:
            self.choice = max(0, min(self.choice + steps[key], len(self.choices) - 1))
            return []
        self.mode = Mode.LIST if key in {"enter", "escape", "q"} else Mode.PICK
        return [Attach(self.choices[self.choice])] if key == "enter" else []

    def _open(self, mode: Mode) -> None:
        self.mode, self.typed = mode, self._board.pattern

    def _sort(self, by: Column) -> list[Action]:
        asked = self._board.by.order
        self._board.sort(by)
        return [LookNow()] if asked != by.order else []

    def _neighbour(self, step: int) -> list[Action]:
        index = COLUMNS.index(self._board.by) + step
        return self._sort(COLUMNS[index % len(COLUMNS)])

    def _enter(self) -> list[Action]:
        lane = self._board.selected
        if lane is None:
            return []
        self._board.select(self._board.index)
        return [Attach(lane.address)]

"""The picture of `lane top`: the lines that show a board on a terminal of some size.

Owns the layout: four lines of health, the titles, the lanes, a line of notices and one of keys.
Which lanes are in sight follows the selected one. Pure; called by `dashboard`, drawn by `canvas`.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from lanekeeper.cli.board import Board
from lanekeeper.cli.columns import COLUMNS, Column, cells, fitting, heads
from lanekeeper.cli.keyboard import HELP, Keyboard, Mode
from lanekeeper.cli.looks import Row
from lanekeeper.cli.sizes import Size
from lanekeeper.cli.summary import health, lanes_line, load_line
from lanekeeper.cli.text import duration, safe, style_of

MARK: Final = ">"
KEYS: Final = "enter attach  / filter  : command  s sort  r turn round  ? help  q quit"
_AROUND: Final = 7
"""Lines beside those of the lanes."""
_LATE: Final = 10.0
"""Seconds after which a listing that is shown is called old."""


class Piece(Struct, frozen=True):
    """Text in one style: a colour, `bold`, `dim`, `reverse`, or several with blanks between."""

    text: str
    style: str = ""


Line = tuple[Piece, ...]


class Scene:
    """Draws one board; remembers which lanes were in sight."""

    def __init__(self, board: Board, keyboard: Keyboard, where: str) -> None:
        """Draw this board, of the plane in the directory `where`."""
        self._board = board
        self._keyboard = keyboard
        self._where = where
        self._first = 0

    def lines(self, size: Size, now: datetime) -> list[Line]:
        """Return the lines from the top, at most as many as there are rows."""
        room = max(1, size.rows - _AROUND)
        self._keyboard.page = room
        columns = fitting(size.cols - len(MARK))
        shown = [*self._head(now), self._titles(columns, size.cols)]
        shown += self._body(columns, size.cols, room)
        shown += [()] * (room - (len(shown) - _AROUND + 2))
        shown += [self._notice(), self._keys(size.cols)]
        return shown[: size.rows]

    def _head(self, now: datetime) -> list[Line]:
        board = self._board
        found, why = health(board.diagnostics, board.missing)
        state: Line = (Piece("answers", "green"),)
        if board.silent:
            state = (Piece("no answer", "bold red"), Piece(f": {board.silent}{self._old(now)}"))
        elif board.listed_at is None:
            state = (Piece("waiting for its answer"),)
        return [
            (Piece("lane top", "bold"), Piece(f"  {now:%H:%M:%S} UTC  {self._where}  "), *state),
            (Piece(lanes_line(board.everything, complete=board.complete)),),
            (Piece("health: "), Piece(found, style_of(found)), Piece(f"  {why}")),
            (Piece(load_line(board.load)),),
        ]

    def _old(self, now: datetime) -> str:
        if self._board.listed_at is None:
            return ""
        age = (now - self._board.listed_at).total_seconds()
        return f" (what is shown is {duration(age)} old)" if age >= 1 else ""

    def _titles(self, columns: list[Column], cols: int) -> Line:
        board = self._board
        titles = heads(columns, _first_width(columns, cols), board.by, reverse=board.reverse)
        return (Piece(" " * len(MARK) + titles, "bold underline"),)

    def _body(self, columns: list[Column], cols: int, room: int) -> list[Line]:
        if self._keyboard.mode is Mode.HELP:
            return [(Piece(text),) for text in HELP[:room]]
        if self._keyboard.mode is Mode.PICK:
            return self._picks(room)
        rows = self._in_sight(room)
        if not rows:
            return [(Piece(self._nothing(), "dim"),)]
        first = _first_width(columns, cols)
        return [
            self._row(row, columns, first, selected=self._first + index == self._board.index)
            for index, row in enumerate(rows)
        ]

    def _row(self, row: Row, columns: list[Column], first: int, *, selected: bool) -> Line:
        text = cells(row, columns, first)
        if selected:
            return (Piece(MARK + text, "reverse"),)
        if len(columns) == 1 or columns[1] is not COLUMNS[1]:
            return (Piece(" " * len(MARK) + text),)
        end = first + 1 + columns[1].width
        return (
            Piece(" " * len(MARK) + text[: first + 1]),
            Piece(text[first + 1 : end], style_of(row.state)),
            Piece(text[end:]),
        )

    def _in_sight(self, room: int) -> list[Row]:
        board = self._board
        least = max(0, board.index - room + 1)
        self._first = min(max(self._first, least), board.index, max(0, len(board.rows) - room))
        return board.rows[self._first : self._first + room]

    def _picks(self, room: int) -> list[Line]:
        keyboard = self._keyboard
        first = max(0, keyboard.choice - room + 2)
        shown: list[Line] = [(Piece("this lane has several terminals; which one?", "bold"),)]
        for index, address in list(enumerate(keyboard.choices))[first : first + room - 1]:
            chosen = index == keyboard.choice
            text = f"{MARK if chosen else ' ' * len(MARK)} {address}"
            shown.append((Piece(text, "reverse" if chosen else ""),))
        return shown

    def _nothing(self) -> str:
        if self._board.everything:
            return f"no lane matches {self._board.pattern}"
        if self._board.listed_at is None:
            return ""
        return "no lanes; `lane run NAME -- COMMAND` makes one"

    def _notice(self) -> Line:
        board, keyboard = self._board, self._keyboard
        if keyboard.message:
            return (Piece(keyboard.message, "yellow"),)
        if keyboard.mode is Mode.FILTER:
            return ()
        if keyboard.mode is Mode.COMMAND:
            return (Piece(safe(keyboard.line.usage()), "dim"),)
        lane = board.selected
        parts = [f"filter: {board.pattern} ({len(board.rows)} match)"] if board.pattern else []
        if lane is not None and lane.reason:
            parts.append(f"{lane.address}: {lane.reason}")
        return (Piece("  ".join(parts), "dim"),)

    def _keys(self, cols: int) -> Line:
        keyboard = self._keyboard
        if keyboard.mode is Mode.COMMAND:
            shown = f":{safe(keyboard.line.typed)}"
            if len(shown) >= cols:
                shown = f"…{shown[len(shown) + 2 - cols :]}"
            hint = "  tab completes, enter does it, escape leaves"
            return (Piece(shown), Piece(" ", "reverse"), Piece(hint, "dim"))
        if keyboard.mode is Mode.FILTER:
            return (
                Piece(f"filter: {keyboard.typed}"),
                Piece(" ", "reverse"),
                Piece("  enter keeps it, escape shows all", "dim"),
            )
        if keyboard.mode is Mode.SORT:
            names = "  ".join(f"{column.key} {column.name}" for column in COLUMNS)
            return (Piece(f"sort by: {names}"),)
        if keyboard.mode is Mode.PICK:
            return (Piece("enter attach  up down choose  escape back"),)
        if keyboard.mode is Mode.HELP:
            return (Piece("any key goes back"),)
        return (Piece(KEYS),)


def _first_width(columns: list[Column], cols: int) -> int:
    taken = sum(column.width + 1 for column in columns[1:])
    return max(4, min(64, cols - len(MARK) - taken))

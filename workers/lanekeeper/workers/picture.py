"""What one terminal shows, drawn by an emulator from its output.

Owns the emulator with what it does not keep (title, modes, what is known), and turns it into a
`Screen`. Refuses nothing that a program may print. Pure; fed by `screens` from the log.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from lanekeeper.wire.messages.screen import Color, Cursor, Run, Screen, ScreenRequest
from lanekeeper.workers.emulation import Cell, Line, Pen, Shielded, Tint, emulator
from lanekeeper.workers.knowledge import Knowledge
from lanekeeper.workers.marks import Marks
from lanekeeper.workers.sequences import text, tidy

_REPEATED: Final = re.compile("\x1b\\[([0-9]+)b")
_PLAIN: Final = Run(text="")
_ALTERNATE: Final = "\x1b[?1049h"
_COLONS: Final = re.compile("[34]8:[25](?::[0-9]+)+")
"""Colours as the emulator writes them, which few terminals read the same way."""
_SWITCH: Final = "\x9b?1047h"
"""How the emulator writes the switch; at that point the cursor is where it is to be saved."""
_FRESH: Final = b"\x1b[m\x1b[r\x1b[H\x1b[2J"


class Shot:
    """A screen as it was at one moment; its cells are turned into runs a row at a time."""

    def __init__(self, screen: Screen, rows: Sequence[Line]) -> None:
        """Take what is done, and the rows whose runs are to be added."""
        self.screen = screen
        self._rows = iter(rows)

    def develop(self) -> bool:
        """Add the next row; return whether all are there. Raises `EmulatorError`."""
        line = next(self._rows, None)
        if line is None or self.screen.cells is None:
            return True
        with Shielded():
            self.screen.cells.append(_runs(line))
        return False


class Picture:
    """One screen.

    Attributes:
        offset: the output before it is drawn.
        marks: what is not in the cells.
    """

    def __init__(
        self,
        cols: int,
        rows: int,
        offset: int,
        before: "Picture | None" = None,
        *,
        hole: bool = False,
    ) -> None:
        """Start with an empty screen at an offset: a program's first, or behind a `hole`.

        From a picture that ended `before` the hole the title and the modes are taken over.

        Raises:
            EmulatorError: there is no emulator.
        """
        self.offset = offset
        self.cols, self.rows = cols, rows
        self.marks: Marks = Marks() if before is None else before.marks
        alternate = self.marks.alternate
        self._unknown = Knowledge(rows, alternate=alternate) if hole else None
        with Shielded():
            self._emulator = emulator(cols, rows)
            if alternate:
                self._emulator.feed_str(_ALTERNATE)

    @property
    def exact(self) -> bool:
        """Whether nothing of what was missed can still be on the screen."""
        return self._unknown is None or self._unknown.known

    def feed(self, data: bytes) -> None:
        """Draw output that ends between two sequences (or is longer than one may wait).

        Raises:
            EmulatorError: the emulator failed; this picture is of no use any more.
        """
        self.offset += len(data)
        with Shielded():
            clean = tidy(data)
            self.marks.feed(clean)
            if self._unknown is not None:
                self._unknown.feed(clean)
                if self._unknown.complete:
                    self._unknown = None
            self._emulator.feed_str(text(clean))

    def resize(self, cols: int, rows: int) -> None:
        """Change the size at the present offset; raises as `feed` does."""
        self.cols, self.rows = cols, rows
        if self._unknown is not None:
            self._unknown.resized(rows)
        with Shielded():
            self._emulator.resize(cols, rows)

    def place(self) -> tuple[int, int]:
        """Return row and column of the cursor, from 1; raises as `feed` does."""
        with Shielded():
            place = self._emulator.cursor
            # After a character in the last column the cursor is on it, for whoever looks.
            return place.row + 1, min(place.col, self.cols - 1) + 1

    def show(self, asked: ScreenRequest, epoch: int) -> "Shot":
        """Return the screen of now in the form that is asked for; raises as `feed` does."""
        row, column = self.place()
        with Shielded():
            visible = self._emulator.cursor.visible
            cursor = Cursor(row=row - 1, col=column - 1, visible=visible)
            screen = Screen(
                offset=self.offset,
                epoch=epoch,
                exact=self.exact,
                cols=self.cols,
                rows=self.rows,
                cursor=cursor,
                alternate=self.marks.alternate,
                title=self.marks.title,
            )
            if asked.form == "paint":
                screen.paint = self._paint()
                return Shot(screen, [])
            screen.first = min(asked.first, self.rows)
            view = self._emulator.view()[asked.first : asked.first + asked.count]
            screen.lines = [line.text.rstrip() for line in view]
            if asked.form != "cells":
                return Shot(screen, [])
            screen.cells = []
            return Shot(screen, view)

    def _paint(self) -> bytes:
        """Return what draws the screen: no C1 controls, and no repetitions, which not all know."""
        drawn = _REPEATED.sub(_repeated, self._emulator.dump())
        drawn = _COLONS.sub(lambda found: found[0].replace(":", ";"), drawn)
        drawn = drawn.replace(_SWITCH, _ALTERNATE)
        return _FRESH + tidy(drawn.encode()) + self.marks.setup()


def _repeated(found: re.Match[str]) -> str:
    """Return the character before a repetition, so often."""
    return found.string[found.start() - 1] * int(found[1])


def _runs(line: Line) -> list[Run]:
    """Return the cells of a row, those that look the same together, without blanks at its end."""
    groups: list[tuple[Cell, list[str]]] = []
    last = ""
    for cell in line.cells:
        width = cell.width
        if not width:
            continue
        # The emulator's pens cannot be compared; what they print can, and quickly.
        pen = cell.pen
        look = str(width) if pen.is_default() else f"{width}{cell.char == ' '}{pen!r}"
        if look != last:
            last = look
            groups.append((cell, []))
        groups[-1][1].append(cell.char)
    runs: list[Run] = []
    for cell, characters in groups:
        run = _run(cell, "".join(characters))
        if runs and replace(runs[-1], text="") == replace(run, text=""):
            run = replace(run, text=runs.pop().text + run.text)
        runs.append(run)
    if runs and replace(runs[-1], text="") == _PLAIN:
        last_words = runs.pop().text.rstrip(" ")
        runs += [Run(text=last_words)] if last_words else []
    return runs


def _run(cell: Cell, words: str) -> Run:
    """Return a run that looks like the cell; on blanks only what shows there."""
    pen: Pen = cell.pen
    if pen.is_default():
        return Run(text=words, width=cell.width)
    inverse = pen.inverse
    ink = cell.char != " "
    return Run(
        text=words,
        width=cell.width,
        foreground=_color(pen.foreground) if ink or inverse else None,
        background=_color(pen.background),
        bold=ink and pen.bold,
        faint=ink and pen.faint,
        italic=ink and pen.italic,
        underline=pen.underline,
        blink=ink and pen.blink,
        inverse=inverse,
        strikethrough=pen.strikethrough,
    )


def _color(color: Tint | None) -> Color | None:
    """Return a colour of the emulator for the wire: a number of the palette, or `#rrggbb`."""
    if color is None:
        return None
    if type(color).__name__ != "RGB":
        return color[0]
    return f"#{color[0]:02x}{color[1]:02x}{color[2]:02x}"

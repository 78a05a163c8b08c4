"""What a person would see: bytes of a terminal painted by an independent emulator.

Owns the feeding of `avt` (bytes decoded as UTF-8 across chunk borders, at most 64 KiB at a time)
and the reading of rows and cursor. Refuses widths below 2, on which the emulator fails. Called by
`kit.typist` and by tests that hold output of a terminal.
"""

import codecs
from typing import Final

from avt._avt import Vt  # the package does not mark its own names as exported

CHUNK: Final = 64 * 1024
"""Bytes fed at once; the emulator keeps a whole feed in memory while it paints."""
WIDTH_MIN: Final = 2
"""A wide character needs two columns."""


class Screen:
    """A screen of `cols` by `rows` characters."""

    def __init__(self, cols: int = 80, rows: int = 24) -> None:
        """Make an empty screen.

        Raises:
            ValueError: it is too small.
        """
        _check(cols, rows)
        self._terminal = Vt(cols, rows, 0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """Paint what a program wrote; a character may be split between two calls."""
        for start in range(0, len(data), CHUNK):
            self._terminal.feed_str(self._decoder.decode(data[start : start + CHUNK]))

    def resize(self, cols: int, rows: int) -> None:
        """Change the size, as a window does.

        Raises:
            ValueError: it is too small.
        """
        _check(cols, rows)
        self._terminal.resize(cols, rows)

    @property
    def rows(self) -> list[str]:
        """The visible rows from the top, without the blanks at their ends."""
        return [line.text.rstrip() for line in self._terminal.view()]

    @property
    def text(self) -> str:
        """The visible rows as one text, without the empty rows at the bottom."""
        return "\n".join(self.rows).rstrip("\n")

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, from 0."""
        cursor = self._terminal.cursor
        return cursor.row, cursor.col

    @property
    def cursor_visible(self) -> bool:
        """Whether the cursor is shown."""
        return self._terminal.cursor.visible

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self._terminal.size


def paint(data: bytes, cols: int = 80, rows: int = 24) -> Screen:
    """Return a screen of that size after `data`."""
    screen = Screen(cols, rows)
    screen.feed(data)
    return screen


def _check(cols: int, rows: int) -> None:
    if cols < WIDTH_MIN or rows < 1:
        raise ValueError(f"a screen needs {WIDTH_MIN} columns and 1 row, not {cols} by {rows}")

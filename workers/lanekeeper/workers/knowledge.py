"""When a screen is known again although output before it was missed.

Theory: a screen is known from here on when nothing that was printed earlier can still be on it:

    the terminal was reset;
    or the whole screen was cleared and the cursor put somewhere by row and column;
    or nothing but text and colours came, and two screens full of lines of it.

Each of the two screens, primary and alternate, is known by itself: a program that leaves the
alternate screen uncovers a primary one that may not be. What is no cell (margins, colours in
force, modes) counts as being at its start until it is set. Pure; fed by `picture`.
"""

import re
from typing import Final

from lanekeeper.workers.marks import ALTERNATE

_SEQUENCE: Final = re.compile(
    rb"""\x1b(?:
        \[(?P<parameters>[^\x18\x1a\x1b@-~]*)(?P<final>[\x18\x1a@-~])
      | (?P<string>[\]PX^_])[^\x07\x18\x1a\x1b]*[\x07\x18\x1a]?
      | (?P<short>[\x20-\x2f]*[^\x1b])
    )""",
    re.VERBOSE,
)
_CLEARS_ENTRY: Final = 1049
_SCREENFULS: Final = 2
_DIGITS: Final = 16
"""A longer number is no mode: what a program prints may have any number of digits."""
_HOME: Final = frozenset({b"", b"1", b"1;1", b";", b"1;", b";1"})


class Knowledge:
    """What is known of the two screens since output was missed."""

    def __init__(self, rows: int, *, alternate: bool = False) -> None:
        """Know nothing of screens of that many rows.

        Which of them is shown is a guess; a wrong one shows when the alternate screen is left.
        """
        self._rows = rows
        self._known = {False: False, True: False}
        self._alternate = alternate
        self._cleared = False
        self._placed = False
        self._lines = 0

    @property
    def known(self) -> bool:
        """Whether the screen that is shown is known."""
        return self._known[self._alternate]

    @property
    def complete(self) -> bool:
        """Whether there is nothing more to find out."""
        return self._known[False] and not self._alternate

    def resized(self, rows: int) -> None:
        """Note another number of rows; lines are counted anew."""
        self._rows = rows
        self._lines = 0

    def feed(self, data: bytes) -> None:
        """Take output whose first byte is not inside a sequence, except at the very beginning."""
        place = 0
        home = -1
        for found in _SEQUENCE.finditer(data):
            self._count(data, place, found.start())
            place = found.end()
            if found["final"] is not None:
                home = self._control(found, at_home=home == found.start())
            elif found["short"] == b"c":
                self._known = {False: True, True: True}
                self._alternate = False
            elif found["short"] is not None and found["short"] != b"\\":
                self._lines = 0
            if self._cleared and self._placed:
                self._known[self._alternate] = True
        self._count(data, place, len(data))

    def _count(self, data: bytes, start: int, end: int) -> None:
        self._lines += data.count(b"\n", start, end)
        if self._lines >= _SCREENFULS * self._rows:
            self._known[self._alternate] = True

    def _control(self, found: re.Match[bytes], *, at_home: bool) -> int:
        """Note one control sequence; return its end if the cursor is at home after it, else -1."""
        final, parameters = found["final"], found["parameters"]
        if final == b"m":
            return found.end() if at_home else -1
        self._lines = 0
        if final in {b"H", b"f"}:
            self._placed = True
            return found.end() if parameters in _HOME else -1
        if final == b"J":
            self._cleared |= parameters == b"2" or (at_home and parameters in {b"", b"0"})
            return found.end() if at_home else -1
        if final in {b"h", b"l"} and parameters[:1] == b"?":
            words = parameters[1:].split(b";")
            numbers = {int(word) for word in words if word.isdigit() and len(word) <= _DIGITS}
            if numbers & ALTERNATE:
                self._switch(numbers, on=final == b"h")
        return -1

    def _switch(self, numbers: set[int], *, on: bool) -> None:
        if on:
            self._cleared = _CLEARS_ENTRY in numbers
            self._known[True] = False
        else:
            self._cleared = False
            if not self._alternate:  # it was the alternate screen all the time
                self._known[False] = False
        self._placed = False
        self._alternate = on

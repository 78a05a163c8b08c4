"""What a program has switched on in a terminal, and how to switch it off again.

A program that is left running, or that died, leaves the person's terminal on the alternate screen,
with mouse reports or without a cursor. Pure; fed with everything that was shown. Called by `relay`.
"""

import re
from typing import Final

_MODE: Final = re.compile(rb"\x1b\[\?([0-9;]{1,64})([hl])")
_KEYBOARD: Final = re.compile(rb"\x1b\[([><])[0-9;]*u")
_OFF_AT_START: Final = frozenset(
    {1, 9, 47, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026}
)
_ON_AT_START: Final = frozenset({7, 25})
_PLAIN: Final = b"\x1b7\x1b[r\x1b8\x1b[0m\x1b(B"
"""No scroll region (setting it moves the cursor, so that is put back), attributes, ASCII."""
_TAIL: Final = 80
"""Bytes kept of one piece, for a sequence that goes on in the next."""


class Modes:
    """The private modes that differ from a terminal's start."""

    def __init__(self) -> None:
        """Start with a fresh terminal."""
        self._changed: set[int] = set()
        self._pushed = 0
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Note what `data` switches."""
        text = self._tail + data
        end = 0
        for found in _MODE.finditer(text):
            end = found.end()
            for number in found[1].split(b";"):
                self._note(int(number or b"0"), on=found[2] == b"h")
        for found in _KEYBOARD.finditer(text):
            end = max(end, found.end())
            self._pushed = max(0, self._pushed + (1 if found[1] == b">" else -1))
        self._tail = text[max(end, len(text) - _TAIL) :]

    def undo(self) -> bytes:
        """Return what brings the terminal back to its start."""
        parts = [b"\x1b[<%du" % self._pushed] if self._pushed else []
        parts += [
            b"\x1b[?%d%c" % (number, b"l" if number in _OFF_AT_START else b"h")
            for number in sorted(self._changed, reverse=True)
        ]
        return b"".join(parts) + _PLAIN

    def _note(self, number: int, *, on: bool) -> None:
        if number in _OFF_AT_START or number in _ON_AT_START:
            differs = on == (number in _OFF_AT_START)
            (self._changed.add if differs else self._changed.discard)(number)

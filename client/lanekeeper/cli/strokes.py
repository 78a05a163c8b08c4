"""Keys by name, from the bytes a terminal sends for them.

Owns what is left of a sequence that ends in the next read. A lone escape is a key too, so whoever
feeds this waits a moment while `pending` and then calls `flush`. Pure; called by `dashboard`.
"""

import codecs
import re
from typing import Final

PENDING_SECONDS: Final = 0.05
"""A terminal sends a sequence at once; after so long an escape was the key itself."""
LONGEST: Final = 32
"""Bytes of a sequence; what is longer is nothing a keyboard sends."""

_SEQUENCE: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~])")
_BEGUN: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")
_NAMES: Final[dict[bytes, str]] = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1bOC": "right",
    b"\x1bOD": "left",
    b"\x1b[H": "home",
    b"\x1b[F": "end",
    b"\x1bOH": "home",
    b"\x1bOF": "end",
    b"\x1b[1~": "home",
    b"\x1b[4~": "end",
    b"\x1b[7~": "home",
    b"\x1b[8~": "end",
    b"\x1b[5~": "page-up",
    b"\x1b[6~": "page-down",
}
_CONTROLS: Final[dict[str, str]] = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x1b": "escape",
}


class Strokes:
    """The keys of one terminal."""

    def __init__(self) -> None:
        """Start between keys."""
        self._rest = b""
        self._text = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def pending(self) -> bool:
        """Whether an escape came that may be a key or the start of one."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """Return the keys in `data`: characters as they are, others by name, unknown ones not."""
        data, self._rest = self._rest + data, b""
        keys: list[str] = []
        while data:
            before, escape, after = data.partition(b"\x1b")
            keys += self._characters(before)
            data = escape + after
            if not data:
                break
            found = _SEQUENCE.match(data)
            if found is not None:
                if found[0] in _NAMES:
                    keys.append(_NAMES[found[0]])
                data = data[found.end() :]
            elif _BEGUN.match(data) and len(data) <= LONGEST:
                self._rest, data = data, b""
            else:  # the key itself before another one, or a sequence without an end
                keys.append("escape")
                data = data[1:]
        return keys

    def flush(self) -> list[str]:
        """Return the keys that what is left stands for when nothing follows it."""
        rest, self._rest = self._rest, b""
        return ["escape", *self._characters(rest[1:])] if rest else []

    def _characters(self, data: bytes) -> list[str]:
        return [
            _CONTROLS.get(character) or _control(character) for character in self._text.decode(data)
        ]


def _control(character: str) -> str:
    """Return `ctrl-c` for a control character, any other one as it is."""
    return f"ctrl-{chr(ord(character) + 96)}" if character < "\x1b" else character

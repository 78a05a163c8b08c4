"""What a terminal has beside its cells, told by control sequences: title, screens, modes of input.

Owns what an emulator does not keep. Pure; fed by `picture` with whole sequences.
"""

import re
from typing import Final

TITLE_MAX: Final = 512
"""Characters of a title that are kept."""
STACK_MAX: Final = 16
"""Titles and keyboard modes that a program may push."""

_MARK: Final = re.compile(
    rb"""\x1b(?:
        (?P<reset>c)
      | (?P<keypad>[=>])
      | \[\?(?P<modes>[0-9;]{1,64})(?P<on>[hl])
      | \[(?P<how>[<>=])(?P<keyboard>[0-9;]{0,16})u
      | \[>4(?:;(?P<keys>[0-9]))?(?P<other>m)
      | \[(?P<shape>[0-9]?)\ q
      | \[(?P<stack>2[23])(?:;[0-9]{0,4}){0,2}t
      | \][02];(?P<title>[^\x07\x18\x1a\x1b]*)(?:\x07|\x1b\\)
    )""",
    re.VERBOSE,
)
ALTERNATE: Final = frozenset({47, 1047, 1049})
"""The modes that switch to the alternate screen."""
_INPUT: Final = frozenset({9, *range(1000, 1008), 1015, 1016, 2004, 2031})
"""Modes that change what is sent to the program and nothing of what is drawn."""
_ADD: Final = 2
_TAKE: Final = 3


class Marks:
    """The state beside the cells.

    Attributes:
        title: what the program called its window, None if it has not.
        alternate: whether the alternate screen is shown.
    """

    def __init__(self) -> None:
        """Start with a fresh terminal."""
        self.title: str | None = None
        self._titles: list[str | None] = []
        self._modes: set[int] = set()
        self._keyboards: dict[bool, list[int]] = {}
        self._keys: bytes | None = None
        self._reset()

    def feed(self, data: bytes) -> None:
        """Note what `data` sets; a sequence must not be split between two calls."""
        for found in _MARK.finditer(data):
            match found.lastgroup:
                case "reset":
                    self._reset()
                case "keypad":
                    self._keypad = found[0] == b"\x1b="
                case "on":
                    self._set_modes(found["modes"], on=found["on"] == b"h")
                case "keyboard":
                    self._set_keyboard(found["how"], found["keyboard"])
                case "other":
                    self._keys = found["keys"]
                case "shape":
                    self._shape = found["shape"]
                case "stack":
                    self._push_title(pop=found["stack"] == b"23")
                case _:
                    self.title = _words(found["title"])

    def setup(self) -> bytes:
        """Return what brings a terminal that draws the same cells to the same state."""
        parts = [b"\x1b[?%dh" % mode for mode in sorted(self._modes)]
        parts += [b"\x1b[>%du" % flags for flags in self._keyboards[self.alternate]]
        if self._keypad:
            parts.append(b"\x1b=")
        if self._keys is not None:
            parts.append(b"\x1b[>4;%sm" % self._keys)
        if self._shape:
            parts.append(b"\x1b[%s q" % self._shape)
        if self.title is not None:
            parts.append(b"\x1b]2;%s\x07" % self.title.encode())
        return b"".join(parts)

    def _reset(self) -> None:
        self.alternate = False
        self._modes = set()
        self._keyboards = {False: [], True: []}
        self._keypad = False
        self._keys = None
        self._shape = b""

    def _set_modes(self, numbers: bytes, *, on: bool) -> None:
        for word in numbers.split(b";"):
            number = int(word or b"0")
            if number in ALTERNATE:
                self.alternate = on
            elif number in _INPUT:
                (self._modes.add if on else self._modes.discard)(number)

    def _set_keyboard(self, how: bytes, words: bytes) -> None:
        """Push, pop or change the progressive keyboard mode of the screen that is shown."""
        stack = self._keyboards[self.alternate]
        numbers = [int(word or b"0") for word in words.split(b";")]
        if how == b">":
            stack.append(numbers[0])
            del stack[:-STACK_MAX]
        elif how == b"<":
            del stack[max(0, len(stack) - max(1, numbers[0])) :]
        else:
            now = stack.pop() if stack else 0
            kind = numbers[1] if len(numbers) > 1 else 1
            changed = {_ADD: now | numbers[0], _TAKE: now & ~numbers[0]}
            stack.append(changed.get(kind, numbers[0]))

    def _push_title(self, *, pop: bool) -> None:
        if not pop:
            self._titles.append(self.title)
            del self._titles[:-STACK_MAX]
        elif self._titles:
            self.title = self._titles.pop()


def _words(title: bytes) -> str:
    shown = title.decode("utf-8", "replace")[:TITLE_MAX]
    return "".join(c for c in shown if c.isprintable())

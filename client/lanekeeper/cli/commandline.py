"""The command line of `lane top`: what is typed after `:`, completed, remembered, understood.

Owns the table of commands and its grammar: a word, which may be cut short as long as it is clear,
and what it takes. Does nothing itself: an `Order` comes out, or why there is none. Pure; called by
`keyboard`, drawn by `scene`.
"""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

from msgspec import Struct

from lanekeeper.cli.columns import BY_NAME

SHORTEST: Final = 0.5
LONGEST: Final = 3600.0
"""Seconds between two looks."""
LONGEST_LINE: Final = 200
REMEMBERED: Final = 50
"""Commands that come back with the up key."""


class Command(Struct, frozen=True):
    """One command: what it takes (nothing, or something in brackets that may be left out)."""

    takes: str
    help: str

    @property
    def silent(self) -> bool:
        """Whether it takes nothing."""
        return not self.takes


COMMANDS: Final = {
    "sort": Command("COLUMN", " ".join(BY_NAME)),
    "filter": Command("[PATTERN]", "only lanes whose address matches; without a pattern all"),
    "attach": Command("[LANE]", "to its terminal; without an address to the selected lane's"),
    "interval": Command("SECONDS", f"{SHORTEST:g} to {LONGEST:g}, from one look to the next"),
    "reverse": Command("", "turn the order round"),
    "help": Command("", "the keys"),
    "quit": Command("", "leave"),
}
USAGE: Final = "  ".join(f"{name} {one.takes}".rstrip() for name, one in COMMANDS.items())


class Order(Struct, frozen=True):
    """A command that was understood: its name with a column, a pattern, an address or seconds."""

    name: str
    text: str = ""
    seconds: float = 0.0


class BadCommandError(Exception):
    """What was typed is no command, and what would be one."""


class CommandLine:
    """The line, its end being where keys go.

    Attributes:
        typed: the line as far as it was typed.
        earlier: the commands before it, oldest first.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.typed = ""
        self.earlier: list[str] = []
        self._lines: list[str] = [""]
        self._at = 0

    def begin(self) -> None:
        """Start another line."""
        self.typed = ""
        self._lines = [*self.earlier, ""]
        self._at = len(self.earlier)

    def press(self, key: str) -> None:
        """Take a key that changes the line."""
        match key:
            case "backspace":
                self.typed = self.typed[:-1]
            case "ctrl-u":
                self.typed = ""
            case "ctrl-w":
                self.typed = self.typed.rstrip()[: self.typed.rstrip().rfind(" ") + 1]
            case "up" | "down":
                self._go(-1 if key == "up" else 1)
            case _ if len(key) == 1 and len(self.typed) < LONGEST_LINE:
                self.typed += key

    def complete(self, addresses: Iterable[str]) -> list[str]:
        """Complete the last word as far as that is clear; return the choices if there are more."""
        word, blank, rest = self.typed.lstrip().partition(" ")
        choices: Sequence[str] = tuple(COMMANDS)
        begun = word
        if blank:
            begun = rest.lstrip()
            name = _only(word, COMMANDS)
            choices = {"sort": tuple(BY_NAME), "attach": sorted(addresses)}.get(name or "", ())
        found = [one for one in choices if one.startswith(begun)]
        if not found:
            return []
        more = _common(found)[len(begun) :]
        one = len(found) == 1
        room = " " if one and not blank and not COMMANDS[found[0]].silent else ""
        self.typed = (self.typed + more + room)[:LONGEST_LINE]
        return [] if one else found

    def enter(self) -> Order | None:
        """Return what the line asks for; None for an empty one.

        Raises:
            BadCommandError: it is no command; the line stays, to be corrected.
        """
        line = self.typed.strip()
        if line and line not in self.earlier[-1:]:
            self.earlier = [*self.earlier, line][-REMEMBERED:]
        return understand(line) if line else None

    def usage(self) -> str:
        """Return what can be typed here."""
        word, blank, _ = self.typed.lstrip().partition(" ")
        name = word if word in COMMANDS else _only(word, COMMANDS)
        if not word or (name is None and not blank):
            return USAGE
        if name is None:
            return _unknown(word)
        return f"{name} {COMMANDS[name].takes}".rstrip() + f": {COMMANDS[name].help}"

    def _go(self, step: int) -> None:
        self._lines[self._at] = self.typed
        self._at = max(0, min(self._at + step, len(self._lines) - 1))
        self.typed = self._lines[self._at]


def understand(line: str) -> Order:
    """Return what a line asks for.

    Raises:
        BadCommandError: it is no command, or not what that command takes.
    """
    word, _, rest = line.strip().partition(" ")
    name, rest = _only(word, COMMANDS), rest.strip()
    if name is None:
        raise BadCommandError(_unknown(word))
    match name:
        case "sort":
            return Order(name, _column(rest))
        case "filter":
            return Order(name, rest)
        case "interval":
            return Order(name, seconds=_seconds(rest))
        case "attach" if " " in rest:
            raise BadCommandError(f"attach {COMMANDS[name].takes}: one address, without blanks")
        case "attach":
            return Order(name, rest)
    if rest:
        raise BadCommandError(f"{name} takes nothing")
    return Order(name)


def _column(word: str) -> str:
    if not word:
        raise BadCommandError(f"sort COLUMN: {COMMANDS['sort'].help}")
    name = _only(word, BY_NAME)
    if name is None:
        raise BadCommandError(f"no column {word!r}: {COMMANDS['sort'].help}")
    return name


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not SHORTEST <= seconds <= LONGEST:
        raise BadCommandError(f"interval SECONDS: {SHORTEST:g} to {LONGEST:g}")
    return seconds


def _only(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that a word is or begins, if it is the only one."""
    found = [one for one in choices if one.startswith(word)]
    if word in found:
        return word
    return found[0] if len(found) == 1 else None


def _common(words: Sequence[str]) -> str:
    """Return what all of these begin with."""
    first, last = min(words), max(words)  # what these two share, all between them share
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(letter for letter, _ in pairs)


def _unknown(word: str) -> str:
    return f"no command {word!r}: {' '.join(COMMANDS)}"

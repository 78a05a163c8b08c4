"""What programs ask of their terminal, and what a lane answers when no terminal is there to do it.

    Questions           finds questions in the output as it passes, each once
    reply               the answer to one

Sequences that are split over chunks are found. What is answered is the least that programs need to
go on: a VT220 with colours, dark, that reports no keyboard protocol in force. Called by the shell
with each chunk, and by the core for the words.
"""

import re
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Final, NamedTuple, Protocol

from lanekeeper.wire.version import PRODUCT

LONGEST: Final = 32
"""Bytes of the longest question; a sequence that goes on is not one."""
QUESTIONS_MAX: Final = 64
"""Questions of one terminal that wait for a turn; a program that asks more is not answered."""
LARGE: Final = 16 * 1024
"""Bytes of output at once from which on they are searched by RE2."""
ESCAPE: Final = b"\x1b"
FOREGROUND: Final = b"rgb:cccc/cccc/cccc"
BACKGROUND: Final = b"rgb:0000/0000/0000"


class Kind(StrEnum):
    """What is asked; the value is the name of its group in the pattern."""

    ATTRIBUTES = "da1"
    MORE_ATTRIBUTES = "da2"
    STATUS = "dsr"
    CURSOR = "cpr"
    CURSOR_PAGE = "decxcpr"
    SIZE = "size"
    KEYBOARD = "kitty"
    VERSION = "xtversion"
    MODE = "decrqm"
    COLOUR = "osc"


class Question(NamedTuple):
    """One question: its kind, its parameter (a mode, or a colour with the terminator), its end.

    `end` is the offset of the output behind it.
    """

    kind: Kind
    parameter: bytes = b""
    end: int = 0

    @property
    def seeks(self) -> bool:
        """Whether the answer is where the cursor is."""
        return self.kind in {Kind.CURSOR, Kind.CURSOR_PAGE}


_QUESTION: Final = re.compile(
    rb"\x1b(?:\[(?:(?P<da1>0?c)|(?P<da2>>0?c)|(?P<dsr>5n)|(?P<cpr>6n)|(?P<decxcpr>\?6n)"
    rb"|(?P<size>18t)|(?P<kitty>\?u)|(?P<xtversion>>0?q)|(?P<decrqm>\??[0-9]{1,5})\$p)"
    rb"|\](?P<osc>1[01];\?(?:\x07|\x1b\\)))"
)
_LETTERS: Final = bytes(range(ord("A"), ord("Z") + 1)) + bytes(range(ord("a"), ord("z") + 1))
_CLASSES: Final = bytes(
    ord("Q") if byte in b"]cnuqtp" else ord("x") if byte in _LETTERS else byte
    for byte in range(256)
)
_REST: Final = bytes(byte for byte in range(256) if byte not in _LETTERS + b"]\x1b")
_TRACE: Final = b"\x1bQ"
"""With all but letters left out, a sequence is an escape and the letter that ends it: Q where that
can be a question or the beginning of a title.
"""
_BEGINNING: Final = re.compile(
    rb"\x1b(?:\[[?>]?[0-9]{0,5}\$?|\](?:1(?:[01](?:;(?:\?\x1b?)?)?)?)?)?\Z"
)


class Questions:
    """Finds questions in one terminal's output.

    Attributes:
        position: the offset up to which the output was looked at.
        found: questions nobody has taken yet.
    """

    def __init__(self) -> None:
        """Begin with no output."""
        self.position = 0
        self.found: list[Question] = []
        self._carry = b""

    def feed(self, offset: int, data: bytes) -> None:
        """Look at output that starts at `offset`; what was looked at before is not again."""
        if offset < self.position:
            data = data[self.position - offset :]
            offset = self.position
        elif offset > self.position:
            self._carry = b""
        self.position = offset + len(data)
        if self._carry or ESCAPE in data:
            self._search(self._carry + data)

    @property
    def first(self) -> int | None:
        """The offset behind the first question that nobody has taken yet."""
        return self.found[0].end if self.found else None

    def take(self) -> tuple[Question, ...]:
        """Return what was found, once."""
        found, self.found = tuple(self.found), []
        return found

    def _search(self, data: bytes) -> None:
        end = 0
        for match in _QUESTION.finditer(data) if _may_ask(data) else ():
            end = match.end()
            name = match.lastgroup
            if name is not None and len(self.found) < QUESTIONS_MAX:
                behind = self.position - len(data) + end
                self.found.append(Question(Kind(name), match[name], behind))
        begun = _BEGINNING.search(data, max(end, len(data) - LONGEST))
        self._carry = b"" if begun is None else begun[0]


def _may_ask(data: bytes) -> bool:
    """Whether there may be a question, at a fraction of what the pattern costs.

    Output full of colours asks nothing. RE2 looks at it quickest (decision 0016), but it takes
    memory that a terminal which prints little does not need.
    """
    if len(data) < LARGE:
        return _TRACE in data.translate(_CLASSES, _REST)
    return _scanner().search(data) is not None


class _Scanner(Protocol):
    """The pattern, compiled by RE2."""

    def search(self, text: bytes) -> object | None:
        """Return something when there is a match."""


@cache
def _scanner() -> _Scanner:
    re2 = import_module("re2")
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # a byte is a byte
    options.never_capture = True
    scanner: _Scanner = re2.compile(_QUESTION.pattern, options)
    return scanner


Cursor = tuple[int, int]
"""Row and column, from 1."""


def reply(question: Question, size: tuple[int, int], cursor: Cursor | None) -> bytes:
    """Return the answer to a question.

    Args:
        question: what was asked.
        size: columns and rows of the terminal.
        cursor: where the cursor is, None when nobody knows: the answer is the upper left corner.
    """
    parameter = question.parameter
    match question.kind:
        case Kind.CURSOR | Kind.CURSOR_PAGE:
            row, column = cursor or (1, 1)
            mark, page = (b"?", b";1") if question.kind is Kind.CURSOR_PAGE else (b"", b"")
            return b"\x1b[%b%d;%d%bR" % (mark, row, column, page)
        case Kind.SIZE:
            return b"\x1b[8;%d;%dt" % (size[1], size[0])
        case Kind.MODE:
            return b"\x1b[%b;0$y" % parameter
        case Kind.COLOUR:
            colour = FOREGROUND if parameter.startswith(b"10") else BACKGROUND
            return b"\x1b]%b;%b%b" % (parameter[:2], colour, parameter[4:])
        case fixed:
            return _FIXED[fixed]


_FIXED: Final[dict[Kind, bytes]] = {
    Kind.ATTRIBUTES: b"\x1b[?62;22c",
    Kind.MORE_ATTRIBUTES: b"\x1b[>1;10;0c",
    Kind.STATUS: b"\x1b[0n",
    Kind.KEYBOARD: b"\x1b[?0u",
    Kind.VERSION: b"\x1bP>|lanekeeper(%b)\x1b\\" % PRODUCT.encode(),
}
"""A VT220 with ANSI colours; all is well; no keyboard flags; our name."""

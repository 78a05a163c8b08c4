"""What was typed, and where the output shows it again.

Theory: nobody but the program knows which output is an echo. A line that was typed is one when the
output shows it whole for the first time after it was typed; and once more when a line editor shows
again, behind its prompt, what was typed before it was ready. Escape sequences and line wraps do not
count. What is typed while nothing would show it (a password) is never noted; notes are in memory
only and bounded. Called by `waits` with a match, and by the shell with each input.
"""

import re
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from lanekeeper.workers.turn import Log

LINES: Final = 32
"""Typed lines that are remembered for one terminal."""
LINE_BYTES: Final = 1024
"""Bytes of a typed line that are compared."""
INPUT_BYTES: Final = 8 * 1024
"""Bytes of one input that are noted: a paste is not looked for beyond."""
REACH: Final = 16 * 1024
"""Bytes of output after the typing in which showings of it are counted."""
AROUND: Final = 4 * 1024
"""Bytes before and after a match in which the borders of its line are looked for."""
_BREAK: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]+")
_UNSEEN: Final = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|\x1b[()][0-9A-B]|\x1b[=>78]"
    rb"| \r(?!\n)|\x07"
)


class Verdict(Enum):
    """What a match is."""

    OUTPUT = "output"
    ECHO = "echo"
    UNDECIDED = "undecided"
    """The output ends in the middle of what may become an echo."""


@dataclass(slots=True)
class Line:
    """A piece of a typed line, and the head of the output when its typing began."""

    offset: int
    text: bytes
    open: bool


class Typed:
    """What was typed into one terminal lately."""

    def __init__(self) -> None:
        """Start with nothing typed."""
        self._lines: deque[Line] = deque(maxlen=LINES)

    def note(self, offset: int, data: bytes) -> None:
        """Note an input that is about to be written, while the output ends at `offset`."""
        data = data[:INPUT_BYTES]
        position = 0
        for broken in _BREAK.finditer(data):
            self._piece(offset, data[position : broken.start()], ended=True)
            position = broken.end()
        self._piece(offset, data[position:], ended=False)

    def _piece(self, offset: int, text: bytes, *, ended: bool) -> None:
        last = self._lines[-1] if self._lines else None
        if last is not None and last.open:
            last.text = (last.text + text)[:LINE_BYTES]
            last.open = not ended
        elif text:
            self._lines.append(Line(offset, text[:LINE_BYTES], not ended))

    def judge(self, log: Log, start: int, end: int) -> tuple[Verdict, int]:
        """Say what the bytes from `start` to `end` of the output are.

        Returns:
            The verdict, and for an echo where it ends.
        """
        lines = [line for line in self._lines if line.offset <= start and line.text]
        if not lines:
            return Verdict.OUTPUT, end
        shown = _Shown(log, start, end)
        undecided = False
        for line in reversed(lines):
            verdict, until = shown.judge(line)
            if verdict is Verdict.ECHO:
                return verdict, until
            undecided = undecided or verdict is Verdict.UNDECIDED
        return (Verdict.UNDECIDED if undecided else Verdict.OUTPUT), end


class Seen:
    """Output without what is not seen of it, and where each byte that is seen lies in it."""

    __slots__ = ("_raw", "_text", "text")

    def __init__(self, raw: bytes) -> None:
        """Leave escape sequences and line wraps out."""
        # Pieces without a gap begin at the one in `text` and at the other in `raw`.
        self._text: list[int] = []
        self._raw: list[int] = []
        text = bytearray()
        position = 0
        for unseen in (*_UNSEEN.finditer(raw), None):
            end = len(raw) if unseen is None else unseen.start()
            if end > position:
                self._text.append(len(text))
                self._raw.append(position)
                text += raw[position:end]
            position = end if unseen is None else unseen.end()
        self.text = bytes(text)

    def place(self, index: int) -> int:
        """Return where the byte at `index` of the text lies."""
        piece = bisect_right(self._text, index) - 1
        return self._raw[piece] + index - self._text[piece]

    def index(self, place: int) -> int:
        """Return the index of the first byte that is seen at or after `place`."""
        piece = bisect_right(self._raw, place) - 1
        if piece < 0:
            return 0
        after = self._text[piece + 1] if piece + 1 < len(self._text) else len(self.text)
        return min(self._text[piece] + place - self._raw[piece], after)


class _Shown:
    """The line of output around a match, as a person sees it.

    However often what was typed is found in it, two of the places decide: how often it was shown
    before does not get less from one to the next.
    """

    def __init__(self, log: Log, start: int, end: int) -> None:
        self._log = log
        low = max(log.tail, start - AROUND)
        before = log.read(low, start - low)
        self._base = low + before.rfind(b"\n") + 1
        after = log.read(end, AROUND)
        stop = after.find(b"\n")
        self._growing = stop < 0 and end + len(after) == log.head
        self._seen = Seen(
            log.read(self._base, end + (stop if stop >= 0 else len(after)) - self._base)
        )
        self._text = self._seen.text
        self._alone = len(self._text.rstrip())
        inside = log.read(start, end - start)
        last = start - self._base + len(inside.rstrip(b"\r\n"))
        self._first = self._seen.index(start - self._base)
        self._last = max(self._first, self._seen.index(last))
        self._after: dict[int, Seen] = {}

    def judge(self, line: Line) -> tuple[Verdict, int]:
        """Say whether the match is the output's showing of a typed line."""
        size = len(line.text)
        least = max(0, self._first - size + 1, self._last - size)
        index = self._find(line, least)
        if index >= 0 and self._earlier(line, index) > 0:
            # Shown once more behind a prompt, with nothing behind it.
            index = self._find(line, max(1, least, self._alone - size))
            if index >= 0 and self._earlier(line, index) > 1:
                index = -1
        if index >= 0:
            return Verdict.ECHO, self._base + self._seen.place(index + size - 1) + 1
        if self._growing and self._begins(line):
            return Verdict.UNDECIDED, 0
        return Verdict.OUTPUT, 0

    def _find(self, line: Line, least: int) -> int:
        """Return the first place from `least` on where the line is, with the match in it, or -1."""
        return self._text.find(line.text, least, self._first + len(line.text))

    def _begins(self, line: Line) -> bool:
        """Whether the line ends with a beginning of what was typed, with the match in it."""
        index = self._beginning(line, 0)
        if index < 0:
            return False
        earlier = self._earlier(line, index)
        if earlier == 1 and index == 0:
            index = self._beginning(line, 1)
            earlier = self._earlier(line, index) if index > 0 else earlier
        return earlier == 0 or (earlier == 1 and index > 0)

    def _beginning(self, line: Line, least: int) -> int:
        """Return the first place from `least` on from which on there is only a beginning, or -1."""
        last = min(self._first, len(self._text) - 1)
        for index in range(max(least, len(self._text) - len(line.text) + 1), last + 1):
            if line.text.startswith(self._text[index:]):
                return index
        return -1

    def _earlier(self, line: Line, index: int) -> int:
        """How often the output showed a typed line between its typing and a place in this text."""
        start = max(line.offset, self._log.tail)
        seen = self._after.get(start)
        if seen is None:
            seen = self._after[start] = Seen(self._log.read(start, REACH))
        before = max(0, self._base + self._seen.place(index) - start)
        return seen.text.count(line.text, 0, seen.index(before))

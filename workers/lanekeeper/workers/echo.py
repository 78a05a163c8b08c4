"""What was typed, and where the output shows it again.

Theory: nobody but the program knows which output is an echo. A line that was typed is one when the
output shows it whole for the first time after it was typed; and once more when a line editor shows
again, behind its prompt, what was typed before it was ready. Escape sequences and line wraps do not
count. What is typed while nothing would show it (a password) is never noted; notes are in memory
only and bounded. Called by `waits` with a match, and by the shell with each input.
"""

import re
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


class _Shown:
    """The line of output around a match, as a person sees it."""

    def __init__(self, log: Log, start: int, end: int) -> None:
        self._log = log
        low = max(log.tail, start - AROUND)
        before = log.read(low, start - low)
        self._base = low + before.rfind(b"\n") + 1
        after = log.read(end, AROUND)
        stop = after.find(b"\n")
        self._growing = stop < 0 and end + len(after) == log.head
        raw = log.read(self._base, end + (stop if stop >= 0 else len(after)) - self._base)
        self._text, self._places = seen(raw)
        inside = log.read(start, end - start)
        last = start - self._base + len(inside.rstrip(b"\r\n"))
        self._first = _index(self._places, start - self._base)
        self._last = max(self._first, _index(self._places, last))

    def judge(self, line: Line) -> tuple[Verdict, int]:
        """Say whether the match is the output's showing of a typed line."""
        index = self._text.find(line.text)
        while 0 <= index <= self._first:
            past = index + len(line.text)
            if self._first < past >= self._last and self._is_echo(line, index, past):
                return Verdict.ECHO, self._base + self._places[past - 1] + 1
            index = self._text.find(line.text, index + 1)
        if self._growing and self._begins(line):
            return Verdict.UNDECIDED, 0
        return Verdict.OUTPUT, 0

    def _is_echo(self, line: Line, index: int, past: int) -> bool:
        earlier = self._earlier(line, self._base + self._places[index])
        if earlier == 0:
            return True
        alone = not self._text[past:].strip()
        return earlier == 1 and index > 0 and alone

    def _begins(self, line: Line) -> bool:
        """Whether the line ends with a beginning of what was typed, with the match in it."""
        last = min(self._first, len(self._text) - 1)
        for index in range(max(0, len(self._text) - len(line.text) + 1), last + 1):
            if line.text.startswith(self._text[index:]):
                earlier = self._earlier(line, self._base + self._places[index])
                if earlier == 0 or (earlier == 1 and index > 0):
                    return True
        return False

    def _earlier(self, line: Line, before: int) -> int:
        """How often the output showed a typed line between its typing and `before`."""
        start = max(line.offset, self._log.tail)
        text, _ = seen(self._log.read(start, min(REACH, max(0, before - start))))
        return text.count(line.text)


def seen(raw: bytes) -> tuple[bytes, list[int]]:
    """Return output without what is not seen of it, and the place in `raw` of each byte."""
    text = bytearray()
    places: list[int] = []
    position = 0
    for unseen in (*_UNSEEN.finditer(raw), None):
        end = len(raw) if unseen is None else unseen.start()
        text += raw[position:end]
        places += range(position, end)
        position = end if unseen is None else unseen.end()
    return bytes(text), places


def _index(places: list[int], place: int) -> int:
    """Return the index of the first byte that is seen at or after `place`."""
    return next((n for n, p in enumerate(places) if p >= place), len(places))

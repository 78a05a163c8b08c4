"""Bracketed paste: whether the program asked for it, and the bytes that go around a paste.

A program asks with DECSET 2004 in its output, which is looked for in the log when a paste comes,
and a step at a time before the log gives bytes back, at a rate that a flood does not feel. What was
given back unread counts as a request withdrawn: a program never gets brackets it did not ask for.
Sans-IO: reading and the time are arguments. Called by `terminal_input`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

BEGIN: Final = b"\x1b[200~"
END: Final = b"\x1b[201~"
STEP: Final = 256 * 1024
"""Bytes looked at in one go."""
STEP_SECONDS: Final = 0.05
"""Between two steps that only keep up: 5 MB/s of output are looked at, more is let go."""
OVERLAP: Final = 32
"""A request may lie across two steps; longer lists of modes are not looked for."""
_MODE: Final = re.compile(rb"\x1b\[\?(?:\d{1,4};)*2004(?:;\d{1,4})*([hl])|\x1bc")

Reader = Callable[[int, int], bytes]
"""Returns up to so many bytes from an offset, fewer where the log has fewer."""


class Bracketing:
    """Whether the program of one terminal wants its pastes bracketed."""

    def __init__(self, start: int) -> None:
        """Begin with a program whose output begins at `start`."""
        self._start = start
        self._seen = start
        self._wanted = False
        self._next = 0.0

    def wanted(self, read: Reader, tail: int, head: int) -> bool:
        """Whether the last request in the output up to `head` is to bracket pastes."""
        self._lose(tail)
        end = head
        while end > self._seen:
            begin = max(self._seen, end - STEP)
            found = self._look(read, begin, end)
            if found is not None:
                self._wanted = found
                break
            end = begin
        self._seen = head
        return self._wanted

    def keep_up(self, read: Reader, tail: int, head: int, now: float) -> None:
        """Look at a step of the output before it is given back, unless that was done just now."""
        self._lose(tail)
        if head - self._seen < STEP or now < self._next:
            return
        self._next = now + STEP_SECONDS
        found = self._look(read, self._seen, self._seen + STEP)
        self._wanted = self._wanted if found is None else found
        self._seen += STEP

    def _look(self, read: Reader, begin: int, end: int) -> bool | None:
        start = max(self._start, begin - OVERLAP)
        parts = []
        while start < end:
            part = read(start, end - start)
            if not part:
                break
            parts.append(part)
            start += len(part)
        found = None
        for match in _MODE.finditer(b"".join(parts)):
            found = match[1] == b"h"
        return found

    def _lose(self, tail: int) -> None:
        if self._seen < tail:
            self._start = self._seen = tail
            self._wanted = False


@dataclass(frozen=True, slots=True)
class Paste:
    """A paste between two inputs: whether it is open, and the end of what was sent of it."""

    open: bool = False
    bracketed: bool = False
    last: bytes = b""

    def wrap(self, data: bytes, *, paste: bool, more: bool, wanted: bool) -> tuple[bytes, "Paste"]:
        """Return the bytes to send for `data`, and what follows.

        `paste` says that it belongs to a paste, `more` that the paste goes on with the next input;
        any other input ends it. An end of paste inside the data is taken out: what comes after it
        would count as typed.
        """
        if not paste:
            return (END + data if self.open and self.bracketed else data), Paste()
        bracketed = self.bracketed if self.open else wanted
        if not bracketed:
            return data, Paste(open=more)
        clean = _without_end(self.last, data)
        before = b"" if self.open else BEGIN
        after = b"" if more else END
        last = (self.last + clean)[-len(END) + 1 :]
        following = Paste(open=True, bracketed=True, last=last) if more else Paste()
        return before + clean + after, following


def _without_end(last: bytes, data: bytes) -> bytes:
    """Return `data` without any end of paste in it, or begun by `last` and completed by it."""
    whole = last + data
    while END in whole:
        first = whole.index(END)
        cut = max(first, len(last))
        whole = whole[:cut] + whole[first + len(END) :]
    return whole[len(last) :]

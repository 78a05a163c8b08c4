"""The input queue of one terminal: bounded, in order, acknowledged when the kernel has it.

Sans-IO: the shell offers what `pending` gives to the descriptor and reports with `written` how many
bytes it took. An entry is done when its last byte was taken. Canonical mode keeps at most 4,095
characters of a line and drops the rest without a word, so a longer line is refused before any of it
is written.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import MAX_INPUT_QUEUE

MAX_ENTRIES: Final = 1024
"""Inputs waiting for one program, however small; beyond it `BACKPRESSURE`."""
CANONICAL_LINE: Final = 4095
"""Characters of a line that the line discipline keeps, its newline not counted."""


@dataclass(slots=True)
class Entry:
    """One accepted input.

    `size` is that of the caller's data; `data` may end with end-of-file marks.
    """

    command_id: str
    data: bytes
    size: int
    close: bool = False


class InputQueue:
    """What waits for one program."""

    def __init__(self) -> None:
        """Make an empty queue."""
        self._entries: deque[Entry] = deque()
        self._sent = 0
        self._bytes = 0
        self._line = 0
        self.ended = False

    def __len__(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def accept(self, entry: Entry, *, canonical: bool) -> None:
        """Queue an entry.

        Args:
            entry: what to deliver.
            canonical: whether the line discipline collects lines now.

        Raises:
            WireError: BACKPRESSURE when the queue is full, INVALID_ARGUMENT for a line that
            canonical mode
                would cut, INVALID_TRANSITION after the end of the input.
        """
        if self.ended:
            raise WireError(
                "INVALID_TRANSITION", "the program's input has ended; nothing can follow"
            )
        full = self._bytes + len(entry.data) > MAX_INPUT_QUEUE
        if full or len(self._entries) >= MAX_ENTRIES:
            raise WireError(
                "BACKPRESSURE",
                f"{self._bytes} bytes wait for the program, which does not read; "
                f"at most {MAX_INPUT_QUEUE} can: try again when it reads",
                waiting=self._bytes,
                limit=MAX_INPUT_QUEUE,
            )
        line = self._line_after(entry.data, canonical=canonical)
        self._line = 0 if len(entry.data) > entry.size else line  # marks close a line too
        self._entries.append(entry)
        self._bytes += len(entry.data)
        self.ended = entry.close

    def line_is_open(self) -> bool:
        """Whether the last accepted byte was not a newline: end-of-file then needs two marks."""
        return self._line > 0

    def pending(self) -> bytes:
        """The bytes to offer next, empty when nothing waits."""
        return self._entries[0].data[self._sent :] if self._entries else b""

    @property
    def waiting(self) -> bool:
        """Whether there is an entry to deliver, be it only the end of the input."""
        return bool(self._entries)

    def written(self, count: int) -> Entry | None:
        """Note that `count` bytes of `pending` were taken; return the entry if that ended it."""
        entry = self._entries[0]
        self._sent += count
        self._bytes -= count
        if self._sent < len(entry.data):
            return None
        self._sent = 0
        return self._entries.popleft()

    def abandon(self) -> list[Entry]:
        """Drop everything (the program is gone) and return what was not delivered."""
        dropped = list(self._entries)
        self._entries.clear()
        self._sent = self._bytes = self._line = 0
        self.ended = True
        return dropped

    def _line_after(self, data: bytes, *, canonical: bool) -> int:
        """Return the length of the open line after `data`; refuse a line that would be cut."""
        if not canonical:
            return 0
        pieces = data.replace(b"\r", b"\n").split(b"\n")
        pieces[0] = bytes(self._line) + pieces[0]
        if max(map(len, pieces)) > CANONICAL_LINE:
            raise WireError(
                "INVALID_ARGUMENT",
                f"a line over {CANONICAL_LINE} bytes: the program reads lines and the kernel would "
                "cut it; send newlines, or give the program a pipe for its input (stdin=pipe)",
                limit=CANONICAL_LINE,
            )
        return len(pieces[-1])

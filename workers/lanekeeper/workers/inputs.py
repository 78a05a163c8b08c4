"""The input queue of one terminal: bounded, in order, acknowledged when the kernel has it.

Sans-IO: the bytes are in the input log; this knows where each input begins and ends. The shell
reports with `taken` how many bytes have left. Canonical mode keeps at most 4,095 characters of a
line and drops the rest without a word, so a longer line is refused before any of it is written,
also when the mode changes while it waits.
"""

from collections import deque
from collections.abc import Iterable
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

    `length` counts what goes to the program, `size` the caller's data; they differ by the marks of
    an end of file (`marked`) and by what brackets a paste.
    """

    command_id: str
    length: int
    size: int
    marked: bool = False
    close: bool = False


def cut_short() -> WireError:
    """Return the refusal of an input that will never be delivered whole."""
    return WireError(
        "INVALID_TRANSITION", "the program ended or closed its input before it took all of this"
    )


class InputQueue:
    """What waits for one program."""

    def __init__(self) -> None:
        """Make an empty queue."""
        self._entries: deque[Entry] = deque()
        self._sent = 0
        self._bytes = 0
        self._line = 0
        self._raw = 0
        self.ended = False

    def __len__(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def check(self, entry: Entry, data: bytes, *, ends: bytes | None) -> None:
        """Refuse an entry that cannot be delivered whole; changes nothing.

        Args:
            entry: what is to be queued.
            data: its bytes, `entry.length` of them.
            ends: the bytes that end a line where the line discipline collects lines now, None
                where the program reads keys raw.

        Raises:
            WireError: BACKPRESSURE when the queue is full, INVALID_ARGUMENT for a line that
                canonical mode would cut, INVALID_TRANSITION after the end of the input.
        """
        if self.ended:
            raise WireError(
                "INVALID_TRANSITION", "the program's input has ended; nothing can follow"
            )
        full = self._bytes + entry.length > MAX_INPUT_QUEUE
        if full or len(self._entries) >= MAX_ENTRIES:
            raise WireError(
                "BACKPRESSURE",
                f"{self._bytes} bytes wait for the program, which does not read; "
                f"at most {MAX_INPUT_QUEUE} can: try again when it reads",
                waiting=self._bytes,
                limit=MAX_INPUT_QUEUE,
            )
        if ends is not None and longest_line(self._line, data, ends)[0] > CANONICAL_LINE:
            raise cut_line()

    def accept(self, entry: Entry, data: bytes, *, ends: bytes | None) -> None:
        """Queue an entry that `check` let pass."""
        closed = entry.marked or ends is None  # the marks of an end of file close a line too
        self._line = 0 if closed else longest_line(self._line, data, ends or b"")[1]
        self._entries.append(entry)
        self._bytes += entry.length
        self._raw = self._bytes if ends is None else self._raw
        self.ended = entry.close

    def inherit(self, entries: Iterable[Entry], sent: int) -> None:
        """Go on with what a predecessor had accepted, of which the kernel has `sent` bytes.

        What they were checked against is not known: all of it is looked at again if the program
        goes over to reading lines.
        """
        self._entries = deque(entries)
        self._sent = sent
        self._bytes = self._raw = sum(entry.length for entry in self._entries) - sent
        self.ended = any(entry.close for entry in self._entries)

    def line_is_open(self) -> bool:
        """Whether the last accepted byte was not a newline: end-of-file then needs two marks."""
        return self._line > 0

    @property
    def waiting(self) -> bool:
        """Whether there is an entry to deliver, be it only the end of the input."""
        return bool(self._entries)

    @property
    def unchecked(self) -> int:
        """Bytes at the front that were accepted while the program read keys raw."""
        return self._raw

    def taken(self, count: int) -> list[Entry]:
        """Note that the kernel took `count` bytes; return the entries that this ended."""
        done = []
        self._sent += count
        self._bytes -= count
        self._raw = max(0, self._raw - count)
        while self._entries and self._sent >= self._entries[0].length:
            entry = self._entries.popleft()
            self._sent -= entry.length
            done.append(entry)
        return done

    def settle(self, data: bytes, ends: bytes) -> list[Entry]:
        """Give up, from the first line on that canonical mode would cut, what waits.

        Called with all that waits when the program has gone from raw to canonical mode. Returns
        the entries that were given up, whole or in part; what is left of the bytes is `len`.
        """
        kept, keep = 0, 0
        self._line = 0
        for index, entry in enumerate(self._entries):
            rest = entry.length - (self._sent if index == 0 else 0)
            longest, line = longest_line(self._line, data[kept : kept + rest], ends)
            if longest > CANONICAL_LINE:
                break
            kept, keep = kept + rest, index + 1
            self._line = 0 if entry.marked else line
        self._raw = 0
        dropped = [self._entries.pop() for _ in range(len(self._entries) - keep)]
        if dropped:
            self.ended, self._bytes = False, kept
            self._sent = self._sent if keep else 0
        return dropped[::-1]

    def abandon(self) -> list[Entry]:
        """Drop everything (the program is gone) and return what was not delivered."""
        dropped = list(self._entries)
        self._entries.clear()
        self._sent = self._bytes = self._line = self._raw = 0
        self.ended = True
        return dropped


def longest_line(before: int, data: bytes, ends: bytes) -> tuple[int, int]:
    """Return the length of the longest line and of the open one, after `before` bytes of a line."""
    if b"\r" in ends:
        data = data.replace(b"\r", b"\n")
    pieces = [len(piece) for piece in data.split(b"\n")]
    pieces[0] += before
    return max(pieces), pieces[-1]


def cut_line() -> WireError:
    """Return the refusal of a line that the kernel would cut."""
    return WireError(
        "INVALID_ARGUMENT",
        f"a line over {CANONICAL_LINE} bytes: the program reads lines and the kernel would "
        "cut it; send newlines, or give the program a pipe for its input (stdin=pipe)",
        limit=CANONICAL_LINE,
    )

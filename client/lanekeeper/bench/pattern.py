"""The stream that benchmarks verify: a dot, then a file of lines, printed again and again.

Owns the shell line that prints it and the check of every byte: a byte that is lost or doubled moves
all that follow by less than a line, and is found. Printing a file costs next to nothing.
"""

import shlex
from pathlib import Path
from typing import Final

from lanekeeper.bench.throughput import LINE, PIECE

DOT: Final = b"."
ENDLESS: Final = 20_000_000_000
"""Bytes that no measurement waits for."""
_MOST: Final = 1 << 18
"""Bytes that are compared at once at most."""
_LONG: Final = LINE * (_MOST // len(LINE) + 2)


class Stream:
    """A program that waits for a line of input after its first byte, and then floods."""

    def __init__(self, directory: str, size: int) -> None:
        """Write the file into `directory`; `size` is rounded to what whole files make."""
        file = (LINE * (min(size, PIECE) // len(LINE)))[:PIECE]
        Path(directory, "f").write_bytes(file)
        times = max(1, round(size / len(file)))
        self.size = len(DOT) + times * len(file)
        cats = " ".join(["f"] * times)
        self.line = (
            f"cd {shlex.quote(directory)}; stty raw -echo; printf .; read -r _; exec cat {cats}"
        )


class Check:
    """Holds what comes against what was printed; offset 0 is the dot.

    Attributes:
        offset: of the next byte.
        delivered: bytes that came; `missed` bytes that were in gaps.
    """

    def __init__(self) -> None:
        """Expect the first byte."""
        self.offset = 0
        self.delivered = 0
        self.missed = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes, 256 KiB at most; ValueError when they are not what was printed."""
        end = self.offset + len(data)
        fresh = data[len(DOT) :] if self.offset == 0 else data
        phase = max(0, self.offset - len(DOT)) % len(LINE)
        if fresh != _LONG[phase : phase + len(fresh)]:
            raise ValueError(f"wrong bytes between {self.offset} and {end}")
        self.offset = end
        self.delivered += len(data)

    def gap(self, end: int) -> None:
        """Take a gap up to `end`."""
        self.missed += end - self.offset
        self.offset = end

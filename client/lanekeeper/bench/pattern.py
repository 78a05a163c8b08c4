"""The stream that benchmarks verify: long lines, so that each offset has its byte.

Owns the shell line that prints it and the check of every byte: a byte that is lost or doubled moves
all that follow by less than a line, and is found.
"""

from typing import Final

LINE: Final = "0123456789" * 100
"""A long line: with short ones the kernel's line discipline is all that is measured."""
_PERIOD: Final = (LINE + "\n").encode()
_LONG: Final = _PERIOD * 140


def program(size: int | None) -> str:
    """Return the shell line that prints a dot, waits for a line of input, and prints the stream.

    Without `size` it never ends.
    """
    # Without a pipe no shell stays behind to say that its child was killed.
    flood = f"exec yes {LINE}" if size is None else f"yes {LINE} | head -c {size}"
    return f"stty raw -echo; printf .; read -r _; {flood}"


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
        """Take the next bytes; ValueError when they are not what was printed."""
        end = self.offset + len(data)
        fresh = data[1:] if self.offset == 0 else data
        phase = max(0, self.offset - 1) % len(_PERIOD)
        if fresh != _LONG[phase : phase + len(fresh)]:
            raise ValueError(f"wrong bytes between {self.offset} and {end}")
        self.offset = end
        self.delivered += len(data)

    def gap(self, end: int) -> None:
        """Take a gap up to `end`."""
        self.missed += end - self.offset
        self.offset = end

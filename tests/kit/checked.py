"""A stream that checks itself: a program that writes it, and a verifier of every byte.

Owns both halves of an oracle: block k is the counter k and seeded bytes, so any byte that is lost,
doubled, moved or changed is found, and the first wrong offset is named. Refuses to share code with
the product. Run as `python -m kit.checked SEED BYTES`; verified by tests of output and recovery.
"""

import argparse
import functools
import hashlib
import os
import sys
from pathlib import Path
from typing import Final

BLOCK: Final = 4096
"""Bytes of one block: a counter and seeded bytes."""
COUNTER: Final = 16
_POOL: Final = 1 << 18
_STRIDE: Final = 2_654_435_761
_PRINTABLE: Final = bytes(48 + byte % 64 for byte in range(256))
_PIECE: Final = 16 * BLOCK
_SHOWN: Final = 16


class WrongByteError(AssertionError):
    """A byte is not the one that was written; the message names the first such offset."""


@functools.cache
def _pool(seed: int, *, text: bool) -> bytes:
    noise = hashlib.shake_128(str(seed).encode()).digest(_POOL)
    return noise.translate(_PRINTABLE) if text else noise


def _block(pool: bytes, number: int) -> bytes:
    start = number * _STRIDE % (_POOL - BLOCK)
    return b"%016x" % number + pool[start : start + BLOCK - COUNTER]


def expected(seed: int, start: int, end: int, *, text: bool = False) -> bytes:
    """Return the bytes from offset `start` up to `end` of the stream of `seed`.

    With `text` they are printable ASCII without ends of lines, which no terminal changes.
    """
    if end <= start:
        return b""
    pool = _pool(seed, text=text)
    first = start // BLOCK
    whole = b"".join(_block(pool, number) for number in range(first, -(-end // BLOCK)))
    return whole[start - first * BLOCK : end - first * BLOCK]


class Checker:
    """Takes a stream piece by piece and holds every byte against what must have been written.

    Attributes:
        offset: of the next byte.
        delivered: how many bytes came.
        missed: how many were in gaps, which are in `gaps`.
    """

    def __init__(self, seed: int, start: int = 0, *, text: bool = False) -> None:
        """Expect the stream of `seed` from offset `start`."""
        self._seed = seed
        self._text = text
        self.offset = start
        self.delivered = 0
        self.missed = 0
        self.gaps: list[tuple[int, int]] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            WrongByteError: they are not what was written at this offset.
        """
        end = self.offset + len(data)
        wanted = expected(self._seed, self.offset, end, text=self._text)
        if wanted != data:
            at = next(
                i for i, (one, two) in enumerate(zip(data, wanted, strict=True)) if one != two
            )
            place = self.offset + at
            raise WrongByteError(
                f"wrong from offset {place}: {bytes(data[at : at + _SHOWN])!r} came, "
                f"{wanted[at : at + _SHOWN]!r} was written"
            )
        self.offset = end
        self.delivered += len(data)

    def gap(self, start: int, end: int) -> None:
        """Take a gap in its place.

        Raises:
            WrongByteError: it does not begin where the stream is, or it is empty.
        """
        if start != self.offset or end <= start:
            raise WrongByteError(f"a gap from {start} to {end} at offset {self.offset}")
        self.gaps.append((start, end))
        self.missed += end - start
        self.offset = end


def command(seed: int, size: int, *options: str) -> list[str]:
    """Return the argument list of the program that writes `size` bytes of the stream of `seed`."""
    return [sys.executable, "-m", "kit.checked", str(seed), str(size), *options]


def environment() -> dict[str, str]:
    """Return an environment in which the program is found."""
    return dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[1])}


def progress(path: Path) -> int:
    """Return how many bytes the program has written so far; 0 before the first."""
    return int.from_bytes(path.read_bytes()[:8] if path.exists() else b"", "little")


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def main() -> int:
    """Write the stream to standard output, as fast as it is taken."""
    parser = argparse.ArgumentParser(prog="python -m kit.checked", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("bytes", type=int)
    parser.add_argument("--text", action="store_true", help="printable bytes")
    parser.add_argument("--gate", help="a FIFO: wait until somebody opens it for writing")
    parser.add_argument("--before", type=int, default=0, help="bytes written before the gate")
    parser.add_argument("--progress", help="a file that tells how many bytes were written")
    parser.add_argument("--status", type=int, default=0, help="exit status")
    options = parser.parse_args()
    told = -1
    if options.progress:
        told = os.open(options.progress, os.O_CREAT | os.O_WRONLY, 0o600)
    at = 0
    for end in (min(options.before, options.bytes), options.bytes):
        while at < end:
            upto = min(at + _PIECE, end)
            _write(sys.stdout.fileno(), expected(options.seed, at, upto, text=options.text))
            at = upto
            if told >= 0:
                os.pwrite(told, at.to_bytes(8, "little"), 0)
        if options.gate and at < options.bytes:
            os.close(os.open(options.gate, os.O_RDONLY))
    return int(options.status)


if __name__ == "__main__":
    sys.exit(main())

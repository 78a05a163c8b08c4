"""A stream that checks itself: blocks of one size, each with its number and seeded bytes.

Owns the format and its judge. A block says what it is (flood, echo of input, a new size, the end),
which number it has and when it was made; the rest is filled with bytes that follow from the seed
and the number, so that any byte that is lost, doubled, moved or changed is found and located. A
reader may begin at any offset. Written by `child`, judged for every reader; shares no code with the
product.
"""

import functools
import hashlib
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

BLOCK: Final = 2048
HEADER: Final = struct.Struct(">c16s16s4s")
"""Kind, number, monotonic nanoseconds, length of what follows before the filling; in hex digits."""
ROOM: Final = BLOCK - HEADER.size
_TAME: Final = bytes(
    byte ^ 0x40 if byte & 0x7F in {0x05, 0x1B, 0x10} else byte for byte in range(256)
)
"""Without ESC, CSI, DCS and ENQ: a terminal would take some of what follows them for questions."""
SIZE: Final = struct.Struct(">HH")
_POOL: Final = 1 << 18
_STRIDE: Final = 2_654_435_761
_SHOWN: Final = 24


class Kind(IntEnum):
    """What a block carries."""

    FLOOD = ord("F")
    ECHO = ord("E")
    WINDOW = ord("W")
    EXIT = ord("X")


class WrongByteError(Exception):
    """A byte is not the one that was written; the message names the first such offset."""


@functools.cache
def _pool(seed: int) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(_POOL).translate(_TAME)


def _filling(seed: int, number: int) -> bytes:
    start = number * _STRIDE % (_POOL - ROOM)
    return _pool(seed)[start : start + ROOM]


def block(seed: int, number: int, kind: Kind, stamp: int, body: bytes = b"") -> bytes:
    """Return one block; `stamp` is monotonic nanoseconds, `body` at most ROOM bytes."""
    header = b"%c%016x%016x%04x" % (kind, number, stamp, len(body))
    return header + body + _filling(seed, number)[len(body) :]


@dataclass
class Judge:
    """Holds what one reader gets against what was written.

    Attributes:
        seed: of the stream.
        offset: of the next byte of the terminal's output.
        echoed: all input that the program has got, in its order.
        stamp: when the newest block was made, monotonic nanoseconds.
        size: columns and rows as the program saw them last.
        ended: whether the program said that it ends.
        gaps: ranges that the reader was told are gone.
    """

    seed: int
    offset: int = 0
    echoed: bytearray = field(default_factory=bytearray)
    stamp: int = 0
    size: tuple[int, int] | None = None
    ended: bool = False
    gaps: list[tuple[int, int]] = field(default_factory=list)
    _held: bytearray = field(default_factory=bytearray)
    _skip: int = 0

    def __post_init__(self) -> None:
        """Begin at the first whole block from `offset` on."""
        self._skip = -self.offset % BLOCK

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            WrongByteError: they are not what was written at this offset.
        """
        self.offset += len(data)
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._held += data
        whole = len(self._held) - len(self._held) % BLOCK
        first = self.offset - len(self._held)
        taken = bytes(self._held[:whole])
        del self._held[:whole]
        for at in range(0, whole, BLOCK):
            self._block(first + at, taken[at : at + BLOCK])

    def gap(self, start: int, end: int) -> None:
        """Take a gap in its place.

        Raises:
            WrongByteError: it does not begin where the stream is.
        """
        if start != self.offset or end <= start:
            raise WrongByteError(f"a gap from {start} to {end} at offset {self.offset}")
        self.gaps.append((start, end))
        self.offset = end
        self._held.clear()
        self._skip = -end % BLOCK

    def finish(self) -> None:
        """Take the end of the output.

        Raises:
            WrongByteError: a block is incomplete, or the program never said that it ends.
        """
        if self._held or not self.ended:
            raise WrongByteError(
                f"the output ends at {self.offset} with {len(self._held)} bytes of a block; "
                f"the program {'said' if self.ended else 'did not say'} that it ends"
            )

    def _block(self, at: int, data: bytes) -> None:
        number = at // BLOCK
        kind, found, stamp, length = _header(data)
        body = data[HEADER.size : HEADER.size + min(length, ROOM)]
        rest = data[HEADER.size + len(body) :]
        good = found == number and length <= ROOM and kind in _KINDS
        if not good or rest != _filling(self.seed, number)[len(body) :] or self.ended:
            raise WrongByteError(self._story(at, data))
        self.stamp = max(self.stamp, stamp)
        match kind[0]:
            case Kind.ECHO:
                self.echoed += body
            case Kind.WINDOW:
                self.size = SIZE.unpack(body)
            case Kind.EXIT:
                self.ended = True

    def _story(self, at: int, data: bytes) -> str:
        """Say how a block differs, and which one it is if it is another one."""
        number = at // BLOCK
        found = _header(data)[1]
        if data[HEADER.size :] == _filling(self.seed, found):
            way = "lost" if found > number else "came twice"
            return f"at {at}: block {found} instead of {number}: {abs(found - number)} {way}"
        wanted = _filling(self.seed, number)
        # A block is right up to where bytes are missing or doubled.
        same = next(
            (
                i
                for i, (one, two) in enumerate(zip(data[HEADER.size :], wanted, strict=True))
                if one != two
            ),
            ROOM,
        )
        place = at + HEADER.size + same
        where = data[HEADER.size + same :][:_SHOWN]
        moved = wanted.find(where)
        shift = f"; these bytes belong {moved - same:+d} bytes further" if moved >= 0 else ""
        return f"wrong at {place} (block {number}): {where!r}{shift}"


def _header(data: bytes) -> tuple[bytes, int, int, int]:
    """Return kind, number, time and length; a number that is none is -1."""
    kind, *numbers = HEADER.unpack_from(data)
    try:
        number, stamp, length = (int(digits, 16) for digits in numbers)
    except ValueError:
        return kind, -1, 0, 0
    return kind, number, stamp, length


_KINDS: Final = frozenset(bytes((kind,)) for kind in Kind)

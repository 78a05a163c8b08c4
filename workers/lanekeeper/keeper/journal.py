"""A journal: checksummed records in a memfd that outlives the process which writes it.

Owns the framing, the recovery of what a killed writer left, and compaction. One writer at a time:
a successor opens the descriptor only after its predecessor is dead. Payloads are opaque here.
Used by broker and workers.

Layout. Two header slots of 32 bytes, then the records of the current generation:

* A record is `[u32 length][u32 crc32][payload]`, appended with one `pwrite` at the tracked end. The
  checksum starts from the generation, so bytes of an older image are never taken for records.
* The headers name the generation, where its records start and how long the image was. The valid
  one with the highest generation counts; generation N lives in slot N % 2.
* Compaction writes the new image where the current one is not (before it if it fits there, else
  behind it), then the other slot's header with one `pwrite`. Killed before that, the old image
  counts; after it, the new one; a torn header is invalid and leaves the old one. The descriptor
  stays the same, so the copy in a vault stays good.
"""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

PAYLOAD_MAX: Final = 1024 * 1024
"""Bytes of one payload; a longer length in a frame is damage, not a record."""

COMPACT_MIN: Final = 64 * 1024
"""Bytes below which compaction is not worth its writes."""

_FRAME: Final = struct.Struct("<II")
_HEADER: Final = struct.Struct("<4sIQQI")
_SLOT_SIZE: Final = 32
_DATA_START: Final = 2 * _SLOT_SIZE
_MAGIC: Final = b"LKJ1"


class JournalError(Exception):
    """A payload cannot be stored, or a descriptor does not hold a journal."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a buffer holds: whole records, and the offset behind the last of them."""

    payloads: list[bytes]
    end: int


@dataclass(frozen=True, slots=True)
class Region:
    """Where the records of one generation stand, and how long they were when it began."""

    generation: int
    start: int
    base: int


@dataclass(frozen=True, slots=True)
class Write:
    """One `pwrite`."""

    offset: int
    data: bytes


def frame(payload: bytes, generation: int = 0) -> bytes:
    """Return the payload as a record of a generation.

    Raises:
        JournalError: it is empty (zeroes must not look like records) or over 1 MiB.
    """
    if not 0 < len(payload) <= PAYLOAD_MAX:
        raise JournalError(f"a payload has 1 to {PAYLOAD_MAX} bytes, not {len(payload)}")
    return _FRAME.pack(len(payload), zlib.crc32(payload, generation)) + payload


def scan(buffer: bytes | bytearray | memoryview, generation: int = 0) -> Scan:
    """Return the whole records at the start of a buffer; stops at the first torn or foreign one."""
    view = memoryview(buffer)
    payloads: list[bytes] = []
    end = 0
    while end + _FRAME.size <= len(view):
        length, checksum = _FRAME.unpack_from(view, end)
        payload = view[end + _FRAME.size : end + _FRAME.size + length]
        if not 0 < length <= PAYLOAD_MAX or len(payload) < length:
            break
        if zlib.crc32(payload, generation) != checksum:
            break
        payloads.append(bytes(payload))
        end += _FRAME.size + length
    return Scan(payloads, end)


def header(region: Region) -> Write:
    """Return the write that makes a region the current one."""
    fields = (_MAGIC, region.generation, region.start, region.base)
    checksum = zlib.crc32(_HEADER.pack(*fields, 0))
    return Write(
        region.generation % 2 * _SLOT_SIZE,
        _HEADER.pack(*fields, checksum).ljust(_SLOT_SIZE, b"\0"),
    )


def locate(buffer: bytes | bytearray) -> Region | None:
    """Return the current region of a journal's first 64 bytes, or None without a valid header."""
    best: Region | None = None
    for offset in (0, _SLOT_SIZE):
        if len(buffer) < offset + _HEADER.size:
            break
        magic, generation, start, base, checksum = _HEADER.unpack_from(buffer, offset)
        if magic != _MAGIC or generation % 2 * _SLOT_SIZE != offset:
            continue
        if zlib.crc32(_HEADER.pack(magic, generation, start, base, 0)) != checksum:
            continue
        if best is None or generation > best.generation:
            best = Region(generation, start, base)
    return best


def plan_compaction(
    region: Region, end: int, payloads: Iterable[bytes]
) -> tuple[Region, list[Write]]:
    """Return the next region and the writes that make it, the header last.

    `end` is the offset behind the current records; nothing before it and after `region.start`
    is written to.

    Raises:
        JournalError: a payload is empty or too long.
    """
    generation = region.generation + 1
    image = b"".join(frame(payload, generation) for payload in payloads)
    fits_before = _DATA_START + len(image) <= region.start
    following = Region(generation, _DATA_START if fits_before else end, len(image))
    return following, [Write(following.start, image), header(following)]


class Journal:
    """An append-only memfd of records that can be replaced as a whole."""

    def __init__(self, fd: int, region: Region, end: int) -> None:
        """Take over a descriptor whose region and end are known; see `create` and `open`."""
        self._fd = fd
        self._region = region
        self._end = end

    @classmethod
    def create(cls, name: str) -> "Journal":
        """Make an empty journal; `name` shows in /proc/PID/fd.

        Raises:
            OSError: descriptors or memory ran out.
        """
        fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        region = Region(generation=0, start=_DATA_START, base=0)
        _write_all(fd, header(region))
        os.ftruncate(fd, _DATA_START)
        return cls(fd, region, _DATA_START)

    @classmethod
    def open(cls, fd: int) -> "Journal":
        """Go on with a journal whose writer is dead; the descriptor is taken over.

        What follows the last whole record is cut off: a torn record, or an image that was
        replaced.

        Raises:
            JournalError: there is no valid header.
            OSError: the descriptor cannot be read or cut.
        """
        region = locate(os.pread(fd, _DATA_START, 0))
        if region is None:
            raise JournalError(f"descriptor {fd} does not hold a journal")
        size = os.fstat(fd).st_size
        content = _read_all(fd, region.start, size)
        end = region.start + scan(content, region.generation).end
        os.ftruncate(fd, end)
        return cls(fd, region, end)

    @property
    def fd(self) -> int:
        """The memfd's descriptor."""
        return self._fd

    @property
    def size(self) -> int:
        """Bytes of the current records, frames included."""
        return self._end - self._region.start

    @property
    def needs_compaction(self) -> bool:
        """Whether the records have doubled since the last compaction and exceed 64 KiB."""
        return self.size > COMPACT_MIN and self.size >= 2 * self._region.base

    def append(self, payload: bytes) -> None:
        """Append a record with one write; it is there for a successor when this returns.

        Raises:
            JournalError: the payload is empty or over 1 MiB.
            OSError: memory ran out; the record is not there.
        """
        record = frame(payload, self._region.generation)
        written = os.pwrite(self._fd, record, self._end)
        if written != len(record):
            os.ftruncate(self._fd, self._end)
            raise OSError(f"only {written} of {len(record)} bytes fitted into the journal")
        self._end += written

    def records(self) -> Iterator[bytes]:
        """Yield the payloads in the order they were appended."""
        content = _read_all(self._fd, self._region.start, self._end)
        yield from scan(content, self._region.generation).payloads

    def compact(self, payloads: Iterable[bytes]) -> None:
        """Replace all records by these, safe under SIGKILL at any instant.

        Raises:
            JournalError: a payload is empty or too long; nothing has changed.
            OSError: memory ran out; the old records are still the current ones.
        """
        following, writes = plan_compaction(self._region, self._end, payloads)
        for write in writes:
            _write_all(self._fd, write)
        self._region = following
        self._end = following.start + following.base
        os.ftruncate(self._fd, self._end)

    def close(self) -> None:
        """Close the descriptor; the memfd lives on in other copies of it."""
        os.close(self._fd)


def _write_all(fd: int, write: Write) -> None:
    view = memoryview(write.data)
    offset = write.offset
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written


def _read_all(fd: int, start: int, end: int) -> bytes:
    parts: list[bytes] = []
    while start < end:
        part = os.pread(fd, end - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)

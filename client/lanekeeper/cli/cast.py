"""A terminal's output as an asciicast (version 2), which asciinema plays.

Owns the format alone: old output gets its times and sizes from the lane's timeline, live output the
time at which it comes. What is gone is a marker, and is named in the header. Called by `record`.
"""

import codecs
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from msgspec import Struct

from lanekeeper.client import Data, Gap, Item, Resized
from lanekeeper.wire.messages.recording import TimelineResult

SECOND: Final = 1_000_000_000
VERSION: Final = 2


class Subject(Struct, frozen=True):
    """What is recorded: where it begins, and what the header says of it."""

    start: int
    title: str
    command: str


def live_clock(
    timeline: TimelineResult, wall_ns: int, monotonic_ns: Callable[[], int]
) -> Callable[[], int]:
    """Return a clock for live output: the wall clock as it is now, but not before the past.

    It goes on as the monotonic clock does, whatever the wall clock is set to.
    """
    past = [time_ns for _, time_ns in timeline.times] + [size[1] for size in timeline.sizes]
    base = max([wall_ns, *past]) - monotonic_ns()
    return lambda: base + monotonic_ns()


class Cast:
    """A renderer of the stream's items."""

    def __init__(
        self, timeline: TimelineResult, subject: Subject, clock: Callable[[], int]
    ) -> None:
        """Take what is known of the past, and the wall clock in nanoseconds for the rest."""
        self._clock = clock
        self._subject = subject
        self._until = timeline.head
        self._offsets = [offset for offset, _ in timeline.times]
        self._times = [time_ns for _, time_ns in timeline.times]
        begin = max(subject.start, timeline.tail)
        at = max(0, bisect_right([size[0] for size in timeline.sizes], begin) - 1)
        self._size = timeline.sizes[at][2:]
        self._resizes = timeline.sizes[at + 1 :]
        self._lost = timeline.tail - subject.start
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._zero: int | None = None
        self._last = 0

    def begin(self) -> bytes:
        """Return nothing: the header waits for the first time."""
        return b""

    def render(self, item: Item) -> bytes:
        """Return the lines of one item."""
        return "".join(self._lines(item)).encode("ascii")

    def undo(self) -> bytes:
        """Return the end: the rest of a character that was cut, and a header if there is none."""
        rest = self._text.decode(b"", final=True)
        lines = self._event(self._now(), "o", rest) if rest or self._zero is None else ()
        return "".join(lines).encode("ascii")

    def _lines(self, item: Item) -> Iterator[str]:
        match item:
            case Data(offset, data) if offset < self._until:
                yield from self._old(offset, data)
            case Data(_, data):
                yield from self._later_sizes(self._until)
                yield from self._event(self._clock(), "o", self._text.decode(data))
            case Resized(cols, rows):
                yield from self._event(self._clock(), "r", f"{cols}x{rows}")
            case Gap(start, end):
                text = f"{end - start} bytes of output are gone"
                yield from self._event(self._time(end), "m", text)
            case _:
                yield from self._later_sizes(self._until)

    def _old(self, offset: int, data: bytes) -> Iterator[str]:
        """Yield old output, cut where the time or the size changes."""
        end = offset + len(data)
        cuts = {o for o in self._offsets if offset < o < end}
        cuts |= {size[0] for size in self._resizes if offset < size[0] < end}
        if offset < self._until < end:
            cuts.add(self._until)
        places = [offset, *sorted(cuts), end]
        for start, stop in pairwise(places):
            yield from self._later_sizes(start)
            text = self._text.decode(data[start - offset : stop - offset])
            yield from self._event(self._time(start), "o", text)

    def _later_sizes(self, offset: int) -> Iterator[str]:
        """Yield the changes of size up to `offset`, once."""
        while self._resizes and self._resizes[0][0] <= offset:
            _, time_ns, cols, rows = self._resizes.pop(0)
            yield from self._event(time_ns, "r", f"{cols}x{rows}")

    def _time(self, offset: int) -> int:
        if offset >= self._until or not self._offsets:
            return self._clock()
        return self._times[max(0, bisect_right(self._offsets, offset) - 1)]

    def _now(self) -> int:
        return self._clock() if self._zero is None else self._zero + self._last

    def _event(self, time_ns: int, code: str, text: str) -> Iterator[str]:
        if self._zero is None:
            self._zero = time_ns
            yield self._header(time_ns)
        if text:
            self._last = max(self._last, time_ns - self._zero)
            yield json.dumps([round(self._last / SECOND, 6), code, text]) + "\n"

    def _header(self, time_ns: int) -> str:
        cols, rows = self._size
        ours: dict[str, object] = {"from": self._subject.start}
        if self._lost > 0:
            ours["lost"] = self._lost
        header = {
            "version": VERSION,
            "width": cols,
            "height": rows,
            "timestamp": time_ns // SECOND,
            "title": self._subject.title,
            "command": self._subject.command,
            "env": {"TERM": "xterm-256color"},
            "lanekeeper": ours,
        }
        return json.dumps(header) + "\n"

"""Finding a pattern in a terminal's output: RE2, in steps of bounded work.

Theory: a search costs at most instructions times bytes, so each step takes a window whose product
is bounded, and no pattern holds up its lane. Windows overlap by `span`: a match up to that long is
found as if all output were searched at once. Refuses patterns that are wrong or too large. Called
by `waits`; RE2 is imported with the first pattern (a lane without one does not pay 3 MB for it).
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Final, Protocol

from lanekeeper.wire.errors import WireError
from lanekeeper.wire.limits import (
    MATCH_SHOWN,
    MATCH_SPAN,
    MAX_CHUNK,
    MAX_GROUPS,
    MAX_PATTERN_SIZE,
)
from lanekeeper.wire.messages.terminal import Gap
from lanekeeper.wire.messages.waiting import Matched
from lanekeeper.workers.turn import Log

STEP_WORK: Final = 512 * 1024
"""Instructions times bytes of one step: under 10 ms at the worst, microseconds as a rule."""
_LINES: Final = b"(?m)"
SPAN_MIN: Final = 256
WINDOW: Final = MAX_CHUNK - 2
"""Bytes of one window; the byte on either side is read too, for `^`, `$` and `\\b`."""
MATCHER_BYTES: Final = 1024 * 1024
"""Memory that one pattern may take; beyond it RE2 gets slower, not larger."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A match: absolute offsets of it and of its groups ((-1, -1) for one that took no part)."""

    start: int
    end: int
    groups: tuple[tuple[int, int], ...]


class Search:
    """One pattern and how far it has been looked for.

    Attributes:
        position: everything before it can no longer begin a match.
        seen: the head up to which the output has been searched.
        span: the longest match that is found wherever it lies, in bytes.
        gap: output that was gone before it could be searched.
    """

    def __init__(self, pattern: str, offset: int) -> None:
        """Compile a pattern; WireError INVALID_ARGUMENT or LIMIT_EXCEEDED says why not."""
        self._regexp = _compile(pattern)
        size = max(1, int(self._regexp.programsize))
        if size > MAX_PATTERN_SIZE:
            raise WireError(
                "LIMIT_EXCEEDED",
                f"the pattern compiles to {size} instructions, at most {MAX_PATTERN_SIZE} can be: "
                "use smaller repetitions",
                limit=MAX_PATTERN_SIZE,
            )
        self.span = max(SPAN_MIN, min(MATCH_SPAN, STEP_WORK // 2 // size))
        self._stride = max(SPAN_MIN, min(WINDOW, STEP_WORK // size) - self.span)
        self._size = size
        self.position = offset
        self.seen = -1
        self.gap: Gap | None = None

    @property
    def cost(self) -> int:
        """The work of one step."""
        return self._size * (self._stride + self.span)

    def behind(self, head: int) -> bool:
        """Whether there is output that was not searched."""
        return self.seen < head

    def step(self, log: Log) -> Hit | None:
        """Search the next window; None when nothing in it matches."""
        self._skip_gone(log)
        head = log.head
        end = min(head, self.position + self._stride + self.span)
        before = min(1, self.position - log.tail)
        after = min(1, head - end)
        text = log.read(self.position - before, before + end - self.position + after)
        base = self.position - before
        found = self._regexp.search(text, before, len(text) - after)
        limit = head if end == head else self.position + self._stride - 1
        if found is not None and base + found.start() <= limit:
            spans = [found.span(n) for n in range(1, self._regexp.groups + 1)]
            return Hit(
                base + found.start(),
                base + found.end(),
                tuple((base + a, base + b) if a >= 0 else (-1, -1) for a, b in spans),
            )
        if end == head:
            self.position, self.seen = max(self.position, head - self.span), head
        else:
            self.position += self._stride
        return None

    def skip(self, offset: int) -> None:
        """Go on at `offset`: what lies before it is not wanted."""
        self.position = max(self.position, offset)

    def _skip_gone(self, log: Log) -> None:
        if self.position < log.tail:
            if self.seen < log.tail:
                start = self.gap.start if self.gap else max(self.position, self.seen)
                self.gap = Gap(start=start, end=log.tail)
            self.position = log.tail


def matched(log: Log, hit: Hit) -> Matched:
    """Return a hit as the answer gives it."""
    return Matched(
        start=hit.start,
        end=hit.end,
        text=_shown(log, hit.start, hit.end),
        groups=[None if a < 0 else _shown(log, a, b) for a, b in hit.groups],
    )


def _shown(log: Log, start: int, end: int) -> bytes:
    return log.read(start, min(end - start, MATCH_SHOWN)) if end > start else b""


class _Found(Protocol):
    """What RE2 says of a match."""

    def start(self) -> int:
        """Return where it begins."""

    def end(self) -> int:
        """Return where it ends."""

    def span(self, group: int) -> tuple[int, int]:
        """Return where a group lies, (-1, -1) when it took no part."""


class _Regexp(Protocol):
    """A compiled pattern."""

    programsize: int
    groups: int

    def search(self, text: bytes, start: int, end: int) -> _Found | None:
        """Return the leftmost match between the two; what lies outside is context."""


def _compile(pattern: str) -> _Regexp:
    re2 = import_module("re2")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MATCHER_BYTES
    try:
        regexp: _Regexp = re2.compile(_LINES + pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        text = reason.replace(_LINES, b"").decode("utf-8", "replace")
        raise WireError(
            "INVALID_ARGUMENT", f"pattern: {text}; the syntax is that of RE2", pattern=pattern
        ) from None
    finally:
        re2.purge()  # or it would keep the last 128 patterns with their memory
    if regexp.groups > MAX_GROUPS:
        raise WireError(
            "LIMIT_EXCEEDED",
            f"the pattern has {regexp.groups} groups, at most {MAX_GROUPS} can be: "
            "write (?:...) where the text of a group is not needed",
            limit=MAX_GROUPS,
        )
    return regexp

"""Bodies of `terminal.wait`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from lanekeeper.wire.limits import MAX_PATTERN
from lanekeeper.wire.messages.terminal import ExitStatus, Gap, Offset

Pattern = Annotated[str, Meta(min_length=1, max_length=MAX_PATTERN)]
Silence = Annotated[float, Meta(ge=0, le=24 * 3600)]


class Wait(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Wait until the program has ended, its output matches, or it is silent; the first ends it.

    The envelope's `deadline_ms` bounds the wait; after it the answer is TIMEOUT.

    Attributes:
        until: `exit`; `match` needs `pattern`; `idle` needs `idle_s`. The end of the program ends
            every wait.
        pattern: an RE2 pattern on the bytes of the output; `^` and `$` match at line borders.
        offset: where the search begins; the head of the log when it is not given.
        idle_s: seconds without output, counted from this command at the earliest. With `match` it
            is a second way to end the wait.
        echo: let the pattern match the echo of what was typed too.
    """

    until: Literal["exit", "match", "idle"] = "exit"
    pattern: Pattern | None = None
    offset: Offset | None = None
    idle_s: Silence | None = None
    echo: bool = False


class Matched(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, frozen=True):
    """What matched: the bytes from `start` up to but not including `end`, and its groups."""

    start: int
    end: int
    text: bytes
    groups: list[bytes | None] = []


class WaitResult(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What was waited for has happened, or the program has ended before it (`exit`)."""

    reason: str
    exit: ExitStatus | None = None
    end: int | None = None
    match: Matched | None = None
    head: int | None = None
    gap: Gap | None = None

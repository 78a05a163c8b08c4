"""Bodies of `terminal.timeline`."""

from msgspec import Struct

from lanekeeper.wire.messages.terminal import Offset


class Timeline(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask when output came, from `offset` on (by default the oldest kept one)."""

    offset: Offset | None = None


class TimelineResult(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """When output came, and for which sizes it was written.

    Attributes:
        times: `[offset, wall clock in nanoseconds]` each: output from `offset` on came then.
        sizes: `[offset, wall clock in nanoseconds, columns, rows]` each, the first from the start.
        next: the `offset` to ask for when there are more times.
    """

    times: list[tuple[int, int]]
    sizes: list[tuple[int, int, int, int]]
    head: int
    tail: int
    next: int | None = None

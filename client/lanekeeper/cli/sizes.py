"""Terminal sizes on the command line, and the size of the caller's own terminal."""

import os
import re
from typing import Final, NamedTuple

import click

from lanekeeper.wire.limits import MAX_COLS, MAX_ROWS, MIN_COLS, MIN_ROWS


class Size(NamedTuple):
    """A terminal's size in character cells."""

    cols: int
    rows: int


DEFAULT: Final = Size(80, 24)
"""The size of a terminal that nobody looks at."""
_SIZE: Final = re.compile(r"(\d{1,4})x(\d{1,4})", re.ASCII)


class SizeType(click.ParamType):
    """`COLSxROWS`, as in `120x40`."""

    name = "COLSxROWS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Size:
        """Return the size; called by click."""
        if isinstance(value, Size):
            return value
        found = _SIZE.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is not a size; write it as 120x40", param, ctx)
        size = Size(int(found[1]), int(found[2]))
        if bounded(size) != size:
            self.fail(
                f"{value}: {MIN_COLS} to {MAX_COLS} columns and {MIN_ROWS} to {MAX_ROWS} rows "
                "are possible",
                param,
                ctx,
            )
        return size


SIZE: Final = SizeType()


def bounded(size: Size) -> Size:
    """Return the nearest size a terminal may have."""
    return Size(
        min(max(size.cols, MIN_COLS), MAX_COLS),
        min(max(size.rows, MIN_ROWS), MAX_ROWS),
    )


def size_of(*descriptors: int) -> Size:
    """Return the size of the first descriptor that is a terminal with a size, or the default."""
    for descriptor in descriptors:
        try:
            found = os.get_terminal_size(descriptor)
        except OSError:
            continue
        if found.columns and found.lines:
            return bounded(Size(found.columns, found.lines))
    return DEFAULT

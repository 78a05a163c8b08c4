"""Terminal sizes on the command line, and the size of the caller's own terminal."""

import os
import re
from typing import Final, NamedTuple

import click

from lanekeeper.wire.limits import MAX_COLS, MAX_ROWS, MIN_COLS, MIN_LOG_BUDGET, MIN_ROWS


class Size(NamedTuple):
    """A terminal's size in character cells."""

    cols: int
    rows: int


DEFAULT: Final = Size(80, 24)
"""The size of a terminal that nobody looks at."""
_BYTES: Final = re.compile(r"(\d{1,15})([KMG]?)", re.ASCII | re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE: Final = re.compile(r"(\d{1,4})x(\d{1,4})", re.ASCII)


def size(value: str | Size) -> Size:
    """Return the size written as `120x40`; called by click.

    Raises:
        click.BadParameter: it is not one, or not possible.
    """
    if isinstance(value, Size):
        return value
    found = _SIZE.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a size; write it as 120x40")
    wanted = Size(int(found[1]), int(found[2]))
    if bounded(wanted) != wanted:
        raise click.BadParameter(
            f"{value}: {MIN_COLS} to {MAX_COLS} columns and {MIN_ROWS} to {MAX_ROWS} rows "
            "are possible"
        )
    return wanted


def byte_count(value: str | int) -> int:
    """Return the bytes written as `4096`, `512M` or `4G` (powers of 1024); called by click.

    Raises:
        click.BadParameter: it is not a number of bytes, or too small for one log.
    """
    found = _BYTES.fullmatch(str(value))
    if found is None:
        raise click.BadParameter(f"{value!r} is not a number of bytes; write 512M or 4G")
    wanted = int(found[1]) * _UNITS[found[2].upper()]
    if wanted < MIN_LOG_BUDGET:
        raise click.BadParameter(f"{value}: at least {MIN_LOG_BUDGET} bytes, the size of one log")
    return wanted


def bounded(given: Size) -> Size:
    """Return the nearest size a terminal may have."""
    return Size(
        min(max(given.cols, MIN_COLS), MAX_COLS),
        min(max(given.rows, MIN_ROWS), MAX_ROWS),
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

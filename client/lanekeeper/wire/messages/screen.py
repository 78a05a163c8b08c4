"""Bodies of `terminal.screen`: what a terminal would show."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from lanekeeper.wire.limits import MAX_ROWS

Color = int | str
"""0 to 255 of the palette, or `#rrggbb`."""


class ScreenRequest(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ask for the screen: as lines of text, with `cells` too, or as a `paint`.

    `first` and `count` choose rows; all of them unless they are given.
    """

    form: Literal["text", "cells", "paint"] = "text"
    first: Annotated[int, Meta(ge=0, le=MAX_ROWS)] = 0
    count: Annotated[int, Meta(ge=1, le=MAX_ROWS)] = MAX_ROWS


class Cursor(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, frozen=True):
    """Where the cursor is; row and column count from 0."""

    row: int
    col: int
    visible: bool = True


class Run(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, frozen=True):
    """Neighbouring cells of one row that look the same.

    Every character of `text` takes `width` columns; the runs of a row follow one another without
    holes and end where the row has nothing but blanks.
    """

    text: str
    width: int = 1
    foreground: Color | None = None
    background: Color | None = None
    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False
    blink: bool = False
    inverse: bool = False
    strikethrough: bool = False


class Screen(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a terminal shows after all its output up to `offset`.

    `exact` is false while something that was printed before the oldest output that is kept may
    still be on it. `lines` are the rows from `first` on, without blanks at their ends. `paint` are
    bytes that draw the whole screen on a terminal of that size, cursor, title and modes included,
    and that ask it nothing.
    """

    offset: int
    epoch: int
    exact: bool
    cols: int
    rows: int
    cursor: Cursor
    alternate: bool = False
    title: str | None = None
    first: int = 0
    lines: list[str] = []
    cells: list[list[Run]] | None = None
    paint: bytes | None = None

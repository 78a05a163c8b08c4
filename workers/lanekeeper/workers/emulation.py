"""The terminal emulator behind a small interface, loaded when the first screen is asked for.

Owns the choice (`avt`; docs/decisions/0014) and the bounds it needs. An emulator may fail in any
way but by ending the process: `Shielded` turns all of them into one error. Called by `picture`.
"""

from collections.abc import Sequence
from importlib import import_module
from types import TracebackType
from typing import Protocol, Self


class EmulatorError(Exception):
    """The emulator failed; what it had drawn is of no use any more."""


class Tint(Protocol):
    """A colour: one number of the palette, or red, green and blue; told apart by its class."""

    def __getitem__(self, index: int, /) -> int:
        """Return the number, or one of the three."""
        ...


class Pen(Protocol):
    """How a cell looks."""

    foreground: Tint | None
    background: Tint | None
    bold: bool
    faint: bool
    italic: bool
    underline: bool
    blink: bool
    inverse: bool
    strikethrough: bool

    def is_default(self) -> bool:
        """Whether it looks like nothing was ever set."""


class Cell(Protocol):
    """One character cell; the second cell of a wide character has width 0."""

    char: str
    width: int
    pen: Pen


class Line(Protocol):
    """One row."""

    text: str
    cells: Sequence[Cell]


class Place(Protocol):
    """The cursor."""

    row: int
    col: int
    visible: bool


class Emulator(Protocol):
    """A screen that is drawn by feeding it characters."""

    cursor: Place

    def feed_str(self, text: str, /) -> object:
        """Draw."""

    def resize(self, cols: int, rows: int, /) -> object:
        """Change the size."""

    def view(self) -> Sequence[Line]:
        """Return the rows that are shown."""

    def dump(self) -> str:
        """Return characters that draw the same."""


def emulator(cols: int, rows: int) -> Emulator:
    """Return an empty screen of that size, without history above it.

    Raises:
        EmulatorError: there is none on this machine.
    """
    try:
        made: Emulator = import_module("avt._avt").Vt(cols, rows, 0)
    except ImportError as error:
        raise EmulatorError(f"no terminal emulator (package pyavt): {error}") from error
    return made


class Shielded:
    """A `with` block whose every failure is an `EmulatorError`, a panic of the library included.

    A panic is no `Exception`; only what ends the worker itself passes through.
    """

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise what failed as an `EmulatorError`."""
        if error is None or isinstance(error, KeyboardInterrupt | SystemExit | EmulatorError):
            return
        name = type(error).__name__
        raise EmulatorError(f"the terminal emulator failed: {name}: {error}"[:200]) from error

"""The few shapes of SVG that pictures of panels are made of, and the words for amounts.

Owns escaping and rounding. Called by `drawing`.
"""

from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

INK: Final = "#d8d9da"
_SECONDS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_BYTES: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
_COUNTS: Final = ((1e6, "M"), (1e3, "k"), (1, ""))
_UNITS: Final = {"s": _SECONDS, "bytes": _BYTES, "Bps": _BYTES}
_EACH: Final = {"Bps": "/s", "ops": "/s", "reqps": "/s"}
_WHOLE_FROM: Final = 100
"""Numbers from here on are written without a fraction."""


@dataclass(frozen=True, slots=True)
class Box:
    """A place, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Style:
    """How words look."""

    size: int = 11
    fill: str = INK
    anchor: str = "start"
    weight: str = "normal"


PLAIN: Final = Style()


def rect(box: Box, fill: str, more: str = "") -> str:
    """Return a rectangle with round corners."""
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    return f'<rect {place} rx="3" fill="{fill}"{more}/>'


def level(box: Box, height: float, colour: str, more: str = "") -> str:
    """Return a line across a box."""
    ends = f'x1="{box.x:.1f}" x2="{box.x + box.width:.1f}" y1="{height:.1f}" y2="{height:.1f}"'
    return f'<line {ends} stroke="{colour}"{more}/>'


def text(x: float, y: float, words: str, style: Style = PLAIN) -> str:
    """Return words at a place."""
    look = f'font-size="{style.size}" fill="{style.fill}" text-anchor="{style.anchor}"'
    weight = f' font-weight="{style.weight}"' if style.weight != PLAIN.weight else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}{weight}>{escape(words)}</text>'


def amount(value: float, unit: str) -> str:
    """Return a value as a person writes it."""
    if unit == "percentunit":
        return f"{short(100 * value)} %"
    units = _UNITS.get(unit, _COUNTS)
    size, name = next((one for one in units if abs(value) >= one[0]), units[-1])
    number = short(value / size) if value else "0"
    return f"{number} {name if value else ''}".strip() + _EACH.get(unit, "")


def short(value: float) -> str:
    """Return a number with three digits at most that say something."""
    return f"{value:.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"


def round_up(value: float, unit: str) -> float:
    """Return the end of an axis for values up to `value`."""
    if value <= 0:
        return 1.0
    base = 2.0 if unit in {"bytes", "Bps"} else 10.0
    parts = (1.0,) if unit in {"bytes", "Bps"} else (0.2, 0.25, 0.5, 1.0)
    size = 1.0
    while size < value:
        size *= base
    while size / base >= value:
        size /= base
    return next(size * part for part in parts if size * part >= value)

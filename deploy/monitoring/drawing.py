"""Draws panels as parts of an SVG: a number, bars, or lines over time.

Owns the look, which follows Grafana's dark theme, and where things stand in a panel. Values come
from outside. Called by `deploy/portrait.py`.
"""

from dataclasses import dataclass
from typing import Any, Final

from monitoring.svg import Box, Style, amount, level, rect, round_up, text

BACK: Final = "#111217"
_PANEL, _DIM, _GRID = "#181b1f", "#8e9199", "#2c3036"
_COLOURS: Final = {"green": "#56a64b", "yellow": "#e0b400", "red": "#e02f44"}
_PALETTE: Final = (
    *("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#96d98d"),
    *("#ffee52", "#c0d8ff"),
)
_HEAD, _FOOT, _LEFT = 28, 48, 62
"""Pixels for the title, for times and legend, and for the numbers of the axis."""
_LETTER, _MARK = 6.2, 22
"""Pixels of a letter of the legend, and of what stands before a name."""
_NUMBERS: Final = Style(fill=_DIM, anchor="end")


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name, and times and values."""

    name: str
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


Span = tuple[float, float]


def row(title: str, box: Box) -> str:
    """Return the heading of a row."""
    return text(box.x + 4, box.y + 20, title, Style(size=15, weight="bold"))


def panel(found: dict[str, Any], lines: list[Line], box: Box, span: Span) -> str:
    """Return one panel of the dashboard's JSON with what its queries answered."""
    parts = [
        rect(box, _PANEL, f' stroke="{_GRID}"'),
        text(box.x + 10, box.y + 19, found["title"], Style(size=13)),
    ]
    if found["type"] == "stat":
        parts += _stat(found, lines, box)
    elif found["type"] == "bargauge":
        parts += _bars(found, lines, box)
    else:
        parts += _graph(found, lines, box, span)
    return "\n".join(parts)


def _stat(found: dict[str, Any], lines: list[Line], box: Box) -> list[str]:
    defaults = found["fieldConfig"]["defaults"]
    words = {
        key: word
        for mapping in defaults.get("mappings", [])
        for key, word in mapping["options"].items()
    }
    name, value = (lines[0].name, lines[0].last) if lines else ("no data", 0.0)
    word = words.get(f"{value:g}")
    shown = word["text"] if word else amount(value, defaults["unit"])
    if found["options"]["textMode"] == "name":
        shown = name
    inner = Box(box.x + 6, box.y + _HEAD, box.width - 12, box.height - _HEAD - 6)
    middle = inner.x + inner.width / 2
    style = Style(size=30, fill="#fff", anchor="middle", weight="bold")
    return [
        rect(inner, _COLOURS[word["color"] if word else _step(defaults, value)]),
        text(middle, inner.y + inner.height / 2 + 11, shown, style),
    ]


def _bars(found: dict[str, Any], lines: list[Line], box: Box) -> list[str]:
    defaults = found["fieldConfig"]["defaults"]
    high = (box.height - _HEAD - 8) / max(len(lines), 1)
    start, wide = box.x + 170, box.width - 240
    parts = []
    for place, line in enumerate(sorted(lines, key=lambda one: one.name)):
        top = box.y + _HEAD + place * high
        colour = _COLOURS[_step(defaults, line.last)]
        length = wide * min(max(line.last, 0.0), 1.0)
        shown = amount(line.last, defaults["unit"])
        parts += [
            text(start - 8, top + high / 2 + 4, line.name, Style(anchor="end")),
            rect(Box(start, top + 2, wide, max(high - 4, 2)), _GRID),
            rect(Box(start, top + 2, length, max(high - 4, 2)), colour),
            text(start + wide + 8, top + high / 2 + 4, shown, Style(fill=colour)),
        ]
    return parts


def _graph(found: dict[str, Any], lines: list[Line], box: Box, span: Span) -> list[str]:
    defaults = found["fieldConfig"]["defaults"]
    unit, custom = defaults["unit"], defaults["custom"]
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    drawn = _stacked(lines) if stacked else lines
    top = round_up(max((v for line in drawn for _, v in line.points), default=0.0), unit)
    width, height = box.width - _LEFT - 12, box.height - _HEAD - _FOOT - 4
    area = Box(box.x + _LEFT, box.y + _HEAD + 4, width, height)
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = area.y + area.height * (1 - share)
        parts.append(level(area, y, _GRID))
        parts.append(text(area.x - 6, y + 4, amount(top * share, unit), _NUMBERS))
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None and step["value"] <= top:
            y = area.y + area.height * (1 - step["value"] / top)
            dashed = ' stroke-dasharray="6 4" opacity="0.8"'
            parts.append(level(area, y, _COLOURS[step["color"]], dashed))
    for place, line in reversed(list(enumerate(drawn))):
        parts.append(_drawn(line, place, _places(line, area, span, top), area, stacked=stacked))
    return [*parts, *_times(area, span), _legend(lines, box)]


def _drawn(
    line: Line, place: int, places: list[tuple[float, float]], area: Box, *, stacked: bool
) -> str:
    colour = _PALETTE[place % len(_PALETTE)]
    if len(line.points) == 1:
        (x, y), *_ = places
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    drawn = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
    if not stacked:
        return drawn
    foot = area.y + area.height
    around = f"{places[0][0]:.1f},{foot:.1f} {points} {places[-1][0]:.1f},{foot:.1f}"
    return f'<polygon points="{around}" fill="{colour}" fill-opacity="0.3"/>{drawn}'


def _places(line: Line, area: Box, span: Span, top: float) -> list[tuple[float, float]]:
    begin, end = span
    return [
        (
            area.x + area.width * (moment - begin) / (end - begin),
            area.y + area.height * (1 - max(value, 0.0) / top),
        )
        for moment, value in line.points
    ]


def _times(area: Box, span: Span) -> list[str]:
    y = area.y + area.height + 15
    begin, end = span
    return [
        text(area.x, y, "0 s", Style(fill=_DIM)),
        text(area.x + area.width, y, f"{end - begin:.0f} s", _NUMBERS),
    ]


def _legend(lines: list[Line], box: Box) -> str:
    """Return the names, as many as there is room for."""
    x, y, parts = box.x + 10, box.y + box.height - 9, []
    room = box.x + box.width - 70
    for place, line in enumerate(lines):
        wide = _MARK + _LETTER * len(line.name)
        if x + wide > room and place:
            parts.append(text(x, y, f"and {len(lines) - place} more", Style(fill=_DIM)))
            break
        parts.append(rect(Box(x, y - 6, 12, 4), _PALETTE[place % len(_PALETTE)]))
        parts.append(text(x + 16, y, line.name))
        x += wide + 10
    return "".join(parts)


def _stacked(lines: list[Line]) -> list[Line]:
    below: dict[float, float] = {}
    found = []
    for line in lines:
        points = []
        for moment, value in line.points:
            below[moment] = below.get(moment, 0.0) + value
            points.append((moment, below[moment]))
        found.append(Line(line.name, tuple(points)))
    return found


def _step(defaults: dict[str, Any], value: float) -> str:
    steps = defaults["thresholds"]["steps"]
    passed = [one for one in steps if one["value"] is None or value >= one["value"]]
    return str(passed[-1]["color"])

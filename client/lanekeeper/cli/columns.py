"""The columns of `lane top`: what each shows, how lanes are sorted by it, how wide it is.

Owns a literal table. Pure; called by the board and by the plain table.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from lanekeeper.cli.looks import Row
from lanekeeper.cli.text import duration
from lanekeeper.wire.messages.diagnostics import Order

NOTHING: Final = "-"
_STEP: Final = 1024
_UNITS: Final = "KMGTPE"
_PRECISE: Final = 10


class Column(Struct, frozen=True):
    """One column.

    Attributes:
        name: the word of `--sort`.
        key: the key that sorts by it, after `s`.
        head: its title; its first look is that of numbers (to the right) or words.
        width: cells it takes; for the first column the least.
        value: what lanes are sorted by; None comes last.
        text: what is shown.
        rising: whether small values come first.
        right: whether it is aligned to the right.
        keep: columns with the smallest number go first when a terminal is narrow.
        order: what the collector is asked for when sorted by this.
    """

    name: str
    key: str
    head: str
    width: int
    value: Callable[[Row], float | str | None]
    text: Callable[[Row], str]
    rising: bool = False
    right: bool = True
    keep: int = 9
    order: Order = "cpu"


def short_bytes(count: float | None) -> str:
    """Return a number of bytes in at most five characters: `999`, `1.2K`, `345M`."""
    if count is None:
        return NOTHING
    if count < _STEP:
        return str(int(count))
    for unit in _UNITS:
        count /= _STEP
        if count < _STEP:
            return f"{count:.1f}{unit}" if count < _PRECISE else f"{count:.0f}{unit}"
    return f"{count:.0f}{_UNITS[-1]}"


def percent(processors: float | None) -> str:
    """Return processors as percent of one, in at most five characters."""
    if processors is None:
        return NOTHING
    value = processors * 100
    return f"{value:.1f}" if value < _STEP - 25 else f"{value:.0f}"


COLUMNS: Final = (
    Column(
        "name", "n", "LANE", 16, lambda r: r.address, lambda r: r.address, rising=True, right=False
    ),
    Column(
        *("state", "t", "STATE", 12, lambda r: r.state, lambda r: r.state),
        rising=True,
        right=False,
        keep=8,
    ),
    Column("cpu", "c", "CPU%", 6, lambda r: r.cpu, lambda r: percent(r.cpu), keep=7),
    Column(
        *("memory", "m", "MEM", 5, lambda r: r.memory, lambda r: short_bytes(r.memory)),
        keep=6,
        order="memory",
    ),
    Column(
        *("output", "o", "OUT/S", 6, lambda r: r.output, lambda r: short_bytes(r.output)),
        keep=5,
        order="output",
    ),
    Column(
        *("backlog", "b", "BACKLOG", 7, lambda r: r.backlog, lambda r: short_bytes(r.backlog)),
        keep=4,
        order="backlog",
    ),
    Column(
        *("programs", "p", "PROGS", 6, lambda r: r.running),
        lambda r: f"{r.running}/{r.terminals}",
        keep=3,
    ),
    Column("age", "a", "AGE", 6, lambda r: r.age, lambda r: duration(r.age), keep=2),
    Column("log", "l", "LOG", 5, lambda r: r.log, lambda r: short_bytes(r.log), keep=1),
    Column(
        *("throttled", "h", "HELD", 4, lambda r: r.throttled, lambda r: str(r.throttled or "")),
        keep=0,
    ),
)
"""From left to right."""
BY_NAME: Final = {column.name: column for column in COLUMNS}
BY_KEY: Final = {column.key: column for column in COLUMNS}


def fitting(width: int) -> list[Column]:
    """Return the columns that fit into so many cells, one blank between them."""
    chosen = list(COLUMNS)
    while len(chosen) > 1 and sum(column.width + 1 for column in chosen) - 1 > width:
        chosen.remove(min(chosen, key=lambda column: column.keep))
    return chosen


def ordered(rows: Iterable[Row], by: Column, *, reverse: bool) -> list[Row]:
    """Return the rows sorted by a column; lanes without a value come last, equal ones by name."""
    named = sorted(rows, key=lambda row: row.address)
    known = [row for row in named if by.value(row) is not None]
    unknown = [row for row in named if by.value(row) is None]
    known.sort(key=lambda row: _comparable(by.value(row)), reverse=by.rising == reverse)
    return known + unknown


def cells(row: Row, columns: Sequence[Column], first: int) -> str:
    """Return one line; the first column takes `first` cells."""
    shown = [_fit(columns[0].text(row), first, right=False)]
    shown += [_fit(one.text(row), one.width, right=one.right) for one in columns[1:]]
    return " ".join(shown)


def heads(columns: Sequence[Column], first: int, by: Column, *, reverse: bool) -> str:
    """Return the line of titles; the column that sorts carries an arrow."""
    arrow = "^" if by.rising != reverse else "v"
    shown: list[str] = []
    for index, column in enumerate(columns):
        width = column.width if index else first
        title = f"{arrow}{column.head}" if column is by and column.right else column.head
        if column is by and not column.right:
            title = f"{column.head}{arrow}"
        shown.append(_fit(title, width, right=column.right))
    return " ".join(shown)


def _comparable(value: float | str | None) -> tuple[float, str]:
    if isinstance(value, str):
        return (0.0, value)
    return (value or 0.0, "")


def _fit(text: str, width: int, *, right: bool) -> str:
    if len(text) > width:
        return text[: width - 1] + "…"
    return text.rjust(width) if right else text.ljust(width)

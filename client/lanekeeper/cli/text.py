"""Words and tables for a person's terminal.

Owns what makes foreign text safe to show (a lane's argv may hold escape sequences) and the
columns of listings. Pure; called by every verb that prints for people.
"""

import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lanekeeper.wire.messages.lane import Ended
    from lanekeeper.wire.messages.terminal import ExitStatus

STYLES: Final = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}
_COLOURS: Final = {
    "green": ("ready", "running", "active", "attached", "ok", "pass"),
    "yellow": ("throttled", "recovering", "provisioning", "cleaning", "warn", "degraded"),
    "red": ("failed", "errored", "fail"),
}
_STATES: Final = {state: color for color, states in _COLOURS.items() for state in states}
"""Colour of a state; the word itself always stands beside it."""

_ESCAPE_BASE: Final = 0xDC00
_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)
"""Characters that stand for bytes that were not UTF-8 (surrogateescape)."""
_ONE_BYTE: Final = range(0x100)
_TWO_BYTES: Final = range(0x10000)
_SHORT: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_SECONDS: Final = (("d", 86_400), ("h", 3_600), ("m", 60))


def safe(text: str | bytes, width: int = 0) -> str:
    r"""Return `text` with everything a terminal would act on written out (`\x1b`, `\u202e`).

    Args:
        text: any text; bytes that are not UTF-8 are written as `\xNN`.
        width: cut to so many characters, with an ellipsis; 0 for no limit.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    shown = "".join(_character(c) for c in text)
    return shown if not width or len(shown) <= width else shown[: width - 1] + "…"


def command_line(argv: Sequence[str | bytes], width: int = 0) -> str:
    """Return a command as one line, words with spaces quoted."""
    words = [safe(word) for word in argv]
    return safe(" ".join(w if w and " " not in w else f"'{w}'" for w in words), width)


def paint(text: str, style: str, *, color: bool) -> str:
    """Return `text` in a style of `STYLES`, or as it is without colour."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if color and style else text


def style_of(state: str) -> str:
    """Return the colour of a state, or nothing."""
    return _STATES.get(state, "")


def paint_state(state: str, *, color: bool, width: int = 0) -> str:
    """Return a state in its colour, padded to `width` first."""
    return paint(state.ljust(width), style_of(state), color=color)


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, color: bool, state: int = -1
) -> str:
    """Return aligned columns.

    Args:
        heads: the column titles.
        rows: cells that are `safe` already.
        color: whether to paint the heads and states.
        state: the column that holds states; -1 for none.
    """
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    lines = [paint(_line(heads, widths), "bold", color=color)]
    for row in rows:
        cells = [
            paint_state(cell, color=color, width=width)
            if index == state
            else cell.ljust(width if index < len(row) - 1 else 0)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def age(then: str, now: datetime | None = None) -> str:
    """Return how long ago an RFC 3339 time was; `-` if that is not a time."""
    try:
        moment = datetime.fromisoformat(then)
    except ValueError:
        return "-"
    return duration(((now or datetime.now(UTC)) - moment).total_seconds())


def duration(seconds: float) -> str:
    """Return a duration as `3d4h`, `2h5m`, `7m3s` or `9s`."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in _SECONDS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}")
    parts.append(f"{left}s")
    return "".join(parts[:2])


def ended(result: "Ended") -> str:
    """Return what was ended, in words."""
    killed = f", {result.killed} of them killed" if result.killed else ""
    return f"{count(result.terminals, 'terminal')}, {count(result.processes, 'process')}{killed}"


def count(number: int, noun: str) -> str:
    """Return `1 lane`, `2 lanes`, `3 processes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def how(status: "ExitStatus | None") -> str:
    """Return how a program ended, in words."""
    if status is None:
        return "running"
    if status.kind == "exited":
        return f"exit {status.code}"
    if status.kind == "signaled" and status.signal is not None:
        name = signal_name(status.signal)
        return f"{name}, core dumped" if status.core else name
    return "exit status unknown"


def signal_name(number: int) -> str:
    """Return `SIGTERM` for 15; `signal N` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _character(character: str) -> str:
    if character == " " or character.isprintable():
        return character
    code = ord(character)
    if code in _ESCAPED_BYTES:
        return f"\\x{code - _ESCAPE_BASE:02x}"
    if code in _ONE_BYTE:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code in _TWO_BYTES else f"\\U{code:08x}"

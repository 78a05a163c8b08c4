"""A line for the person over a painted screen: on its last row for a while, then painted away.

It leaves the cursor where the program has it. Pure but for the function that paints; called by
`relay`.
"""

from collections.abc import Callable
from typing import Final

from lanekeeper.cli.sizes import Size
from lanekeeper.cli.text import safe

SECONDS: Final = 3.0
"""How long a line is shown."""


class Note:
    """What covers a row of somebody else's screen."""

    def __init__(self, repaint: Callable[[], bytes]) -> None:
        """Show nothing yet; `repaint` returns what paints the whole screen."""
        self._repaint = repaint
        self._until: float | None = None

    def show(self, text: str, size: Size, now: float) -> bytes:
        """Return what shows a line on a terminal of that size."""
        self._until = now + SECONDS
        line = f"[{safe(text)}]"[: size.cols].encode()
        return b"\x1b7\x1b[%d;1H\x1b[0;7m%b\x1b[0m\x1b8" % (size.rows, line)

    def left(self, now: float) -> float | None:
        """Return the seconds until `clear` has something to do, None for never."""
        return None if self._until is None else max(0.0, self._until - now)

    def clear(self, now: float) -> bytes:
        """Return what takes the line away when its time is over."""
        if self._until is None or now < self._until:
            return b""
        self._until = None
        return self._repaint()

"""A live terminal that begins with a painted screen instead of all that was printed before.

Owns the join of paint and stream: the screen says up to which offset it is drawn, and exactly what
follows is shown. After a gap the screen is painted anew, so nobody looks at one with holes in it.
Pure but for the function that asks for a screen; called by `attach`.
"""

from collections.abc import Callable
from typing import Final

from lanekeeper.cli.render import Bytes
from lanekeeper.client import Data, Gap, Item, LaneError, Screen

_SAVE_TITLE: Final = b"\x1b[22;2t"
_RESTORE_TITLE: Final = b"\x1b[23;2t"
_NEW_LINE: Final = b"\r\n"


class Painted(Bytes):
    """The screen, then the bytes after it as they are."""

    def __init__(self, screen: Screen, again: Callable[[], Screen], hint: str, rows: int) -> None:
        """Begin with a screen.

        Args:
            screen: what is shown first, as a paint.
            again: asks for the screen of now.
            hint: the title of the window while the program has given it none.
            rows: of the person's terminal; what it shows is moved up by so many.
        """
        super().__init__(tty=True)
        self._screen = screen
        self._again = again
        self._hint = hint
        self._rows = rows

    def begin(self) -> bytes:
        """Return what paints the screen below what the person's terminal shows."""
        title = b"\x1b]2;%s\x07" % self._hint.encode()
        return _NEW_LINE * self._rows + _SAVE_TITLE + title + self._paint()

    def render(self, item: Item) -> bytes:
        """Return the bytes to show of an item; what is on the painted screen already is left out.

        For a gap the screen is asked for and painted anew.
        """
        if isinstance(item, Gap):
            return self.repaint()
        if isinstance(item, Data):
            drawn = min(max(0, self._screen.offset - item.offset), len(item.data))
            return super().render(Data(item.offset + drawn, item.data[drawn:]))
        return super().render(item)

    def undo(self) -> bytes:
        """Return what brings the terminal, and its title, back."""
        return super().undo() + _RESTORE_TITLE

    def repaint(self) -> bytes:
        """Ask for the screen of now and return what paints it; what follows goes on from there."""
        try:
            self._screen = self._again()
        except LaneError:  # the gap stays a hole, and what follows is shown
            return b""
        return super().undo() + self._paint()

    def _paint(self) -> bytes:
        return super().render(Data(self._screen.offset, self._screen.paint or b""))

"""Lines of styled text on a person's terminal, drawn anew without being cleared.

Owns the alternate screen, by `rich`; every frame is one write of the whole screen from its upper
left corner, so nothing flickers, and one equal to the last is not written at all. Nothing blocks:
a terminal that does not read gets no new frame before it has taken the last. Called by `dashboard`.
"""

import io
from collections.abc import Sequence

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from lanekeeper.cli.scene import Line
from lanekeeper.cli.sink import Sink
from lanekeeper.cli.sizes import Size


class Canvas:
    """The alternate screen of one terminal."""

    def __init__(self, descriptor: int, *, color: bool) -> None:
        """Draw on that descriptor; nothing is drawn yet."""
        self._sink = Sink(descriptor)
        self._drawn = _Drawn()
        self._console = Console(
            file=self._drawn,
            force_terminal=True,
            color_system="standard" if color else None,
            no_color=not color,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._live: Live | None = None
        self._last: tuple[Size, Sequence[Line]] | None = None

    def fileno(self) -> int:
        """Return the descriptor to wait for while `busy`."""
        return self._sink.fileno()

    @property
    def busy(self) -> bool:
        """Whether the terminal has not taken the last frame yet."""
        return self._sink.waiting > 0

    def enter(self, size: Size) -> None:
        """Switch to the alternate screen."""
        self._console.size = ConsoleDimensions(size.cols, size.rows)
        self._last = None
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def draw(self, lines: Sequence[Line], size: Size) -> None:
        """Show these lines, unless they are shown already; only while not `busy`.

        Raises:
            OSError: the terminal has gone.
        """
        if self._live is None or self._last == (size, lines):
            return
        self._last = (size, lines)
        self._console.size = ConsoleDimensions(size.cols, size.rows)
        self._live.update(Group(*map(_text, lines)), refresh=True)
        self._sink.put(self._drawn.take())

    def flush(self) -> None:
        """Write what the terminal takes now."""
        self._sink.flush()

    def leave(self) -> None:
        """Switch back to what the terminal showed before.

        Raises:
            OSError: the terminal has gone.
        """
        live, self._live = self._live, None
        if live is not None:
            live.stop()
            self._sink.put(self._drawn.take())

    def close(self) -> None:
        """Close what was opened here."""
        self._sink.close()


class _Drawn(io.StringIO):
    """What rich has drawn and was not written yet."""

    def isatty(self) -> bool:
        return True

    def take(self) -> bytes:
        """Return it as a terminal in raw mode needs it: every line starts at the left."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text.replace("\n", "\r\n").encode("utf-8", "replace")


def _text(line: Line) -> Text:
    shown = Text(no_wrap=True, overflow="crop")
    for piece in line:
        shown.append(piece.text, piece.style or None)
    return shown

"""What becomes of each piece of output on its way to the person or the pipe.

    Bytes       exactly the bytes, nothing else: pipes, live terminals
    History     as Bytes, but old output loses its questions to the terminal
    Words       text and colours only: a terminal that must not be acted on
    Lines       one JSON object a line, for programs

Pure; called by `relay` with every item of the stream.
"""

import base64
from typing import Protocol

from lanekeeper.cli.fields import fields
from lanekeeper.cli.modes import Modes
from lanekeeper.cli.queries import QueryFilter, TextFilter
from lanekeeper.cli.settings import json_line
from lanekeeper.client import Data, Ended, Gap, Item, Resized, returncode


class Renderer(Protocol):
    """Turns items into bytes for stdout."""

    def begin(self) -> bytes:
        """Return what to write before the first item."""
        ...

    def render(self, item: Item) -> bytes:
        """Return what to write for one item."""
        ...

    def undo(self) -> bytes:
        """Return what brings a terminal back to its start."""
        ...


class Bytes:
    """The bytes as they are; `tty` says that they go to a terminal, which is put right after."""

    def __init__(self, *, tty: bool) -> None:
        """Start with a terminal in its first state."""
        self._modes = Modes() if tty else None

    def begin(self) -> bytes:
        """Return nothing: the first bytes are the first item's."""
        return b""

    def render(self, item: Item) -> bytes:
        """Return the bytes of the item; a terminal's modes are noted."""
        if not isinstance(item, Data):
            return b""
        if self._modes is not None:
            self._modes.feed(item.data)
        return item.data

    def undo(self) -> bytes:
        """Return what switches off what the program has switched on."""
        return b"" if self._modes is None else self._modes.undo()


class History(Bytes):
    """Output up to an offset is old: a terminal must not answer what was asked then."""

    def __init__(self, until: int) -> None:
        """Take the offset at which the output becomes live."""
        super().__init__(tty=True)
        self._until = until
        self._filter: QueryFilter | None = QueryFilter()

    def render(self, item: Item) -> bytes:
        """Return the bytes to show."""
        if self._filter is None or not isinstance(item, Data):
            return super().render(item)
        old = max(0, self._until - item.offset)
        shown = self._filter.feed(item.data[:old])
        if item.end >= self._until:
            shown += self._filter.flush() + item.data[old:]
            self._filter = None
        return super().render(Data(item.offset, shown))


class Words:
    """Text, line ends and colours; every other sequence is left out."""

    def __init__(self, *, color: bool) -> None:
        """Start between sequences; without `color` colours are left out too."""
        self._text = TextFilter(color=color)

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def render(self, item: Item) -> bytes:
        """Return the text of the item."""
        if isinstance(item, Ended):
            return self._text.flush()
        return self._text.feed(item.data) if isinstance(item, Data) else b""

    def undo(self) -> bytes:
        """Return what ends a colour."""
        return self._text.flush()


class Lines:
    """One JSON object a line; bytes as base64."""

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def render(self, item: Item) -> bytes:
        """Return the line of one item."""
        match item:
            case Data(offset, data):
                text = base64.b64encode(data).decode("ascii")
                told: dict[str, object] = {"event": "output", "offset": offset, "data": text}
            case Gap(start, end):
                told = {"event": "gap", "start": start, "end": end}
            case Resized(cols, rows):
                told = {"event": "resized", "cols": cols, "rows": rows}
            case Ended(offset, status):
                told = {
                    "event": "exited",
                    "offset": offset,
                    "exit": fields(status),
                    "returncode": returncode(status),
                }
        return (json_line(told) + "\n").encode("ascii")

    def undo(self) -> bytes:
        """Return nothing: lines change no modes."""
        return b""

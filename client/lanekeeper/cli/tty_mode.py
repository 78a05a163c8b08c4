"""The person's terminal in raw mode, and back again on every way out."""

import contextlib
import os
import termios
import tty
from types import TracebackType
from typing import Self, TextIO

Attributes = list[int | list[bytes | int]] | list[int | list[bytes]] | list[int | list[int]]
"""What termios gives and takes."""


def is_raw(stream: TextIO) -> bool:
    """Whether a stream goes to a terminal that is in raw mode: somebody else draws on it."""
    try:
        flags = termios.tcgetattr(stream.fileno())[3]
    except (OSError, ValueError, termios.error):  # no terminal, or no descriptor at all
        return False
    return not flags & termios.ICANON


class RawMode:
    """Raw mode of one descriptor, for a `with`; of something else than a terminal it is nothing."""

    def __init__(self, descriptor: int, *, wanted: bool = True) -> None:
        """Remember which descriptor; nothing is changed yet."""
        self._descriptor = descriptor
        self._wanted = wanted and os.isatty(descriptor)
        self._before: Attributes | None = None

    def __enter__(self) -> Self:
        """Switch to raw mode."""
        self.enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Switch back."""
        self.leave()

    def enter(self) -> None:
        """Switch to raw mode: every key is a byte to be read.

        Again after a stop, in which the shell has set its own; `leave` brings back the first. In
        the background the terminal is left to those in the foreground.
        """
        if not self._wanted or not self._in_foreground():
            return
        if self._before is None:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setraw(self._descriptor, termios.TCSADRAIN)
            return
        with contextlib.suppress(termios.error):  # a window that is closed continues us, too
            tty.setraw(self._descriptor, termios.TCSADRAIN)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # not the terminal of this session: nobody competes for it
            return True

    def leave(self) -> None:
        """Switch back to what it was; a terminal that has gone needs nothing."""
        before, self._before = self._before, None
        if before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

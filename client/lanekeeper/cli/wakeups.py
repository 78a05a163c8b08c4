"""Signals as readable bytes: one descriptor to wait for beside all the others.

Owns the handlers while it is entered and puts back what was there. The handlers do nothing; the
interpreter writes the number of each signal to a pipe.
"""

import contextlib
import os
import signal
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Self


class Wakeups:
    """Catches signals for a `with`; `fileno` is readable when one has come."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        """Remember which signals; nothing is caught yet."""
        self._numbers = tuple(numbers)
        self._before: list[tuple[int, object]] = []
        self._reading, self._writing = -1, -1
        self._wakeup = -1

    def __enter__(self) -> Self:
        """Catch them."""
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in self._numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays in force
                self._before.append((number, signal.signal(number, _nothing)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the old handlers back."""
        for number, handler in self._before:
            if callable(handler) or isinstance(handler, signal.Handlers):
                signal.signal(number, handler)
        self._before.clear()
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reading)
        os.close(self._writing)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a signal has come."""
        return self._reading

    def take(self) -> list[signal.Signals]:
        """Return the signals that have come since the last time."""
        taken: list[signal.Signals] = []
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self._reading, 256):
                taken += [signal.Signals(number) for number in piece]
        return taken


def stop_here() -> None:
    """Stop this process as Ctrl-Z does, until somebody continues it."""
    caught = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, caught)


def _nothing(number: int, frame: FrameType | None) -> None:
    del number, frame

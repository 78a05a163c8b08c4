"""Values a caller receives: pieces of output, and a finished run.

Owns no behaviour beyond what the values say of themselves. Made by `stream` and `operations`.
"""

from typing import Generic, TypeVar

from msgspec import Struct

from lanekeeper.wire.messages.terminal import ExitStatus

T = TypeVar("T")

SIGNAL_BASE = 128
"""A shell reports death by signal N as 128 + N."""


class Data(Struct, frozen=True):
    """Output bytes; `offset` is the place of the first in the terminal's log."""

    offset: int
    data: bytes

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.offset + len(self.data)


class Gap(Struct, frozen=True):
    """Output from `start` up to but not including `end` is gone from the log."""

    start: int
    end: int


class Resized(Struct, frozen=True):
    """The terminal has another size from here on, in character cells."""

    cols: int
    rows: int


class Ended(Struct, frozen=True):
    """The program has ended and everything before `offset` was delivered."""

    offset: int
    exit: ExitStatus


Item = Data | Gap | Resized | Ended


def returncode(status: ExitStatus) -> int | None:
    """Return the code a shell would show: the exit code, 128+N for signal N, None if unknown."""
    if status.kind == "exited":
        return status.code
    if status.kind == "signaled" and status.signal is not None:
        return SIGNAL_BASE + status.signal
    return None


class Completed(Struct, Generic[T], frozen=True):
    """A finished `run`: all output, how the program ended, and its terminal.

    Attributes:
        output: every byte the program wrote.
        exit: how it ended.
        terminal: the terminal; its log stays for `keep_s` seconds.
        gaps: ranges of the output that were lost (empty unless the lease could not be kept).
    """

    output: bytes
    exit: ExitStatus
    terminal: T
    gaps: tuple[Gap, ...] = ()

    @property
    def code(self) -> int | None:
        """The program's exit code; None when a signal ended it or nobody knows."""
        return self.exit.code

    @property
    def returncode(self) -> int | None:
        """The code a shell would show: 128+N when signal N ended the program."""
        return returncode(self.exit)

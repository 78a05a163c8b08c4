"""One pseudo-terminal: open it, set its modes and size, ask who is in front.

The descriptors are made close-on-exec and the master non-blocking once, at creation: O_NONBLOCK
sits on the open file description that every duplicate shares, so it is never toggled. `ptyprocess`
holds the pair of pid and master; its `spawn` and `close` are not used (the nursery forks, and
`close` sleeps).
"""

import errno
import fcntl
import os
import termios
from typing import Final, NamedTuple

from ptyprocess import PtyProcess

_IFLAG: Final = 0
_LFLAG: Final = 3
_OFLAG: Final = 1
_CC: Final = 6
_TIOCGPTPEER: Final = 0x5441
"""Opens the slave of a master whatever is mounted; absent from `termios`."""


class Modes(NamedTuple):
    """What becomes of input.

    `ends` are the bytes that end a line while the line discipline collects lines, None when raw.
    `shown` says whether what is typed may be shown: by the line discipline, or by a program that
    edits. Lines that are collected without echo are passwords.
    """

    ends: bytes | None
    shown: bool


class Pty:
    """The master side of a PTY, with the slave open until the child has it."""

    def __init__(self, master: int, slave: int = -1) -> None:
        """Take over a master, and a slave that the child is still to get."""
        self.master, self.slave = master, slave
        self._process: PtyProcess | None = None

    @classmethod
    def open(cls, cols: int, rows: int, *, raw_output: bool) -> "Pty":
        """Open a PTY of this size; with `raw_output` it does not echo or post-process output.

        Raises:
            OSError: no PTY or descriptor is left.
        """
        pty = cls(*os.openpty())
        try:
            os.set_blocking(pty.master, False)
            pty.resize(cols, rows)
            if raw_output:
                pty.silence()
        except (OSError, termios.error):
            pty.close()
            raise
        return pty

    def adopt(self, pid: int) -> None:
        """Note the child and close our end of the slave, so that the master sees its end."""
        self._process = PtyProcess(pid, self.master)
        self.close_slave()

    def close_slave(self) -> None:
        """Close our end of the slave; once is enough."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def hold_slave(self) -> bool:
        """Open the slave again for as long as the program lives; return whether that worked.

        A program that has closed every descriptor can still come back by /dev/tty. Without a slave
        the master would report its hang-up for ever, and a poller would spin.
        """
        self.close_slave()
        try:
            self.slave = fcntl.ioctl(
                self.master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
            )
        except OSError:
            return False
        return True

    def resize(self, cols: int, rows: int) -> None:
        """Set the size in character cells; the foreground process group gets SIGWINCH."""
        termios.tcsetwinsize(self.master, (rows, cols))

    def size(self) -> tuple[int, int]:
        """Columns and rows as they are set."""
        rows, cols = termios.tcgetwinsize(self.master)
        return cols, rows

    def modes(self) -> Modes:
        """What the line discipline does with input now; nothing when nobody has the slave."""
        try:
            attributes = termios.tcgetattr(self.master)
        except termios.error:
            return Modes(None, shown=False)
        flags = attributes[_LFLAG]
        if not flags & termios.ICANON:
            return Modes(None, shown=True)
        returns = attributes[_IFLAG] & (termios.ICRNL | termios.IGNCR) == termios.ICRNL
        return Modes(b"\n\r" if returns else b"\n", shown=bool(flags & termios.ECHO))

    def end_of_file(self) -> bytes | None:
        """The character that means end of file now, None when the program reads keys raw."""
        try:
            attributes = termios.tcgetattr(self.master)
        except termios.error:
            return None
        if not attributes[_LFLAG] & termios.ICANON:
            return None
        mark = attributes[_CC][termios.VEOF]
        return mark if isinstance(mark, bytes) else bytes([mark])

    def foreground(self) -> int | None:
        """The process group in the foreground, None when there is none."""
        try:
            group = os.tcgetpgrp(self.master)
        except OSError as error:
            if error.errno in {errno.EIO, errno.ENOTTY}:
                return None
            raise
        return group if group > 1 else None

    def close(self) -> None:
        """Close what is open; the kernel hangs up the session when no other duplicate is left."""
        self.close_slave()
        if self._process is not None:
            self._process.fileobj.close()
            self._process.closed = True  # or its finaliser would sleep and signal a foreign pid
        elif self.master >= 0:
            os.close(self.master)
        self.master = -1

    def silence(self) -> None:
        """Pass output on as it is, and echo nothing; the slave is still open."""
        attributes = termios.tcgetattr(self.slave)
        attributes[_OFLAG] &= ~termios.OPOST
        attributes[_LFLAG] &= ~(termios.ECHO | termios.ECHOE | termios.ECHOK | termios.ECHONL)
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)

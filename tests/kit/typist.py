"""A person at a terminal: types keys, looks at the screen, waits for what has to appear.

A key meant for a program waits until that program itself has written something: a shell that is
about to start it takes, or loses, what comes before.
Owns a real pseudo terminal with a command as the leader of its session, and a screen painted from
what comes out. Answers the two questions every terminal answers (device attributes, cursor
position), as a program may wait for them. Called by tests of `lane attach`, `lane run` and of
programs that draw.
"""

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kit.screen import Screen
from kit.waiting import WaitedTooLongError, is_readable, remaining, wait_exit

READ: Final = 64 * 1024
PATIENCE_S: Final = 10.0
"""Seconds a person here waits for the screen to change."""

KEYS: Final = {
    "enter": b"\r",
    "tab": b"\t",
    "escape": b"\x1b",
    "backspace": b"\x7f",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "ctrl-\\": b"\x1c",
    "ctrl-]": b"\x1d",
} | {f"ctrl-{chr(code)}": bytes([code - 96]) for code in range(ord("a"), ord("z") + 1)}

_TAKE_TERMINAL: Final = 'tty=$1; shift; exec "$@" <"$tty" >"$tty" 2>&1'
"""A session leader without a terminal gets the first one it opens as its own."""

_QUESTION: Final = re.compile(rb"\x1b\[(?:0?c|5n|6n)")
_QUESTION_MAX: Final = 4


class Typist:
    """One command at one terminal; a context manager that ends it.

    Attributes:
        screen: what is seen now.
        received: every byte that came out.
        answered: the questions of the program that the terminal answered.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        cols: int = 80,
        rows: int = 24,
    ) -> None:
        """Start `command` on a terminal of that size; TERM is xterm-256color unless `env` says."""
        self.screen = Screen(cols, rows)
        self.received = bytearray()
        self.answered: list[bytes] = []
        self._tail = b""
        self._over = False
        self._master, slave = os.openpty()
        try:
            _set_size(slave, cols, rows)
            environ = {"TERM": "xterm-256color"} | dict(os.environ if env is None else env)
            self.process = subprocess.Popen(
                ["sh", "-c", _TAKE_TERMINAL, "typist", os.ttyname(slave), *command],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=environ,
                cwd=cwd,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave: hang up, and end the command if it stays."""
        self.close()

    def type(self, text: str | bytes) -> None:
        """Type text as it is; `enter` is `press`ed."""
        self._write(text.encode() if isinstance(text, str) else text)

    def press(self, *keys: str) -> None:
        """Press keys by their names in `KEYS`."""
        for key in keys:
            self._write(KEYS[key])

    def enter(self, line: str) -> None:
        """Type a line and press enter."""
        self.type(line)
        self.press("enter")

    def resize(self, cols: int, rows: int) -> None:
        """Change the size of the window; the foreground programs get SIGWINCH."""
        self.screen.resize(cols, rows)
        _set_size(self._master, cols, rows)

    def expect(self, what: str | re.Pattern[str], timeout: float = PATIENCE_S) -> str:
        """Wait until the screen shows a text, or something that matches; return the screen.

        Raises:
            WaitedTooLongError: it does not show it in time, or the terminal ended before.
        """
        deadline = time.monotonic() + timeout
        while not _shows(self.screen.text, what):
            if not self._look(remaining(deadline)):
                raise WaitedTooLongError(f"no {what!r} within {timeout:g} s on\n{self._framed()}")
        return self.screen.text

    def expect_gone(self, what: str, timeout: float = PATIENCE_S) -> str:
        """Wait until the screen no longer shows a text; return the screen.

        Raises:
            WaitedTooLongError: it still shows it.
        """
        deadline = time.monotonic() + timeout
        while what in self.screen.text:
            if not self._look(remaining(deadline)):
                raise WaitedTooLongError(f"{what!r} stays for {timeout:g} s on\n{self._framed()}")
        return self.screen.text

    def expect_bytes(self, what: bytes, timeout: float = PATIENCE_S) -> None:
        """Wait until these very bytes have come out.

        Raises:
            WaitedTooLongError: they do not come in time.
        """
        deadline = time.monotonic() + timeout
        while what not in self.received:
            if not self._look(remaining(deadline)):
                raise WaitedTooLongError(f"no {what!r} in {bytes(self.received[-400:])!r}")

    def expect_exit(self, timeout: float = PATIENCE_S) -> int:
        """Read until the command has ended; return its status, negative for a signal.

        Raises:
            WaitedTooLongError: it does not end in time.
        """
        deadline = time.monotonic() + timeout
        while not self._over and self.process.poll() is None:
            if not self._look(min(0.05, remaining(deadline))) and not remaining(deadline):
                raise WaitedTooLongError(f"no end within {timeout:g} s on\n{self._framed()}")
        wait_exit(self.process.pid, remaining(deadline))
        while self._look(0.0):
            pass
        return self.process.wait()

    def modes(self) -> list[Any]:
        """Return the line settings of the terminal, to compare before and after."""
        return termios.tcgetattr(self._master)

    def hang_up(self) -> None:
        """Close the window: the session gets SIGHUP."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def close(self) -> None:
        """Hang up, wait a moment for the command's end, then force it."""
        self.hang_up()
        try:
            wait_exit(self.process.pid, 2.0)
        except WaitedTooLongError:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _look(self, timeout: float) -> bool:
        """Take in what comes within `timeout`; return whether something came."""
        if self._over or self._master < 0 or not is_readable(self._master, timeout):
            return False
        try:
            data = os.read(self._master, READ)
        except OSError:  # EIO: nobody has the other end open
            self._over = True
            return False
        self.received += data
        self.screen.feed(data)
        self._answer(data)
        return bool(data)

    def _answer(self, data: bytes) -> None:
        window = self._tail + data
        end = 0
        for found in _QUESTION.finditer(window):
            end = found.end()
            self.answered.append(found.group())
            row, column = self.screen.cursor
            answers = {b"c": b"\x1b[?62;22c", b"5n": b"\x1b[0n"}
            position = b"\x1b[%d;%dR" % (row + 1, column + 1)
            self._write(answers.get(found.group()[2:].lstrip(b"0"), position))
        self._tail = window[end:][-_QUESTION_MAX:]

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._master, data) :]

    def _framed(self) -> str:
        edge = "+" + "-" * self.screen.size[0] + "+"
        return "\n".join([edge, *(f"|{row}" for row in self.screen.rows), edge])


def _shows(text: str, what: str | re.Pattern[str]) -> bool:
    return what in text if isinstance(what, str) else what.search(text) is not None


def _set_size(fd: int, cols: int, rows: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, cols, 0, 0))

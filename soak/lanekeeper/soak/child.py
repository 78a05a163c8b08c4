"""The program in the terminals: floods a stream that checks itself and echoes all input into it.

Owns its terminal alone: raw, without echo. Told `q` and a number on a line of its own it says that
it ends and exits with that number. Refuses to be fast when a rate is given. Run as
`python -m lanekeeper.soak.child SEED --rate BYTES_PER_SECOND`.
"""

import argparse
import os
import select
import signal
import sys
import time
import tty
from typing import Final

from lanekeeper.soak.stream import BLOCK, ROOM, SIZE, Kind, block

_INPUT: Final = 0
_OUTPUT: Final = 1


class Child:
    """One run of the program."""

    def __init__(self, seed: int, rate: int) -> None:
        """Flood `rate` bytes a second; 0 is silence but for echoes, below 0 without limit."""
        self._seed = seed
        self._pause = BLOCK / rate if rate > 0 else 0.0
        self._flooding = rate != 0
        self._number = 0
        self._line = bytearray()
        self._wake, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(signal.SIGWINCH, lambda _number, _frame: None)

    def run(self) -> int:
        """Run until told to end; return the exit status."""
        self._window()
        due = time.monotonic()
        while True:
            left = due - time.monotonic() if self._flooding else None
            wait = None if left is None else max(0.0, left)
            ready = select.select([_INPUT, self._wake], [], [], wait)[0]
            if self._wake in ready:
                os.read(self._wake, 64)
                self._window()
            if _INPUT in ready:
                status = self._echo(os.read(_INPUT, ROOM))
                if status is not None:
                    return status
            if self._flooding and time.monotonic() >= due:
                self._write(Kind.FLOOD)
                # What was held back is not made up for: a reader that catches up is not flooded.
                due = max(due + self._pause, time.monotonic() - 8 * self._pause)

    def _echo(self, data: bytes) -> int | None:
        self._write(Kind.ECHO, data)
        *lines, rest = (bytes(self._line) + data).split(b"\n")
        self._line[:] = rest
        for line in lines:
            if line[:1] == b"q" and line[1:].isdigit():
                self._write(Kind.EXIT)
                return int(line[1:])
        return None if data else 1

    def _window(self) -> None:
        columns, rows = os.get_terminal_size(_OUTPUT)
        self._write(Kind.WINDOW, SIZE.pack(columns, rows))

    def _write(self, kind: Kind, body: bytes = b"") -> None:
        data = memoryview(block(self._seed, self._number, kind, time.monotonic_ns(), body))
        self._number += 1
        while data:
            data = data[os.write(_OUTPUT, data) :]


def main() -> int:
    """Flood and echo until told to end."""
    parser = argparse.ArgumentParser(prog="python -m lanekeeper.soak.child", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--rate", type=int, default=-1, help="bytes a second; -1 without limit")
    options = parser.parse_args()
    tty.setraw(_INPUT)
    return Child(options.seed, options.rate).run()


if __name__ == "__main__":
    sys.exit(main())

"""Clients in processes of their own: one that times its own echo, one that is there to be killed.

Owns the measuring away from the process that verifies a flood. Refuses to judge anything but its
own stream: a wrong byte ends it with a traceback and status 1. Run as
`python -m lanekeeper.soak.probe DIRECTORY echo FILE` or `... DIRECTORY viewer ADDRESS POLICY`.
"""

import signal
import sys
import time
from pathlib import Path
from typing import Final

from lanekeeper.client import Data, OutputStream, Plane, connect
from lanekeeper.client.starting import Policy
from lanekeeper.soak import oracle
from lanekeeper.soak.stream import Judge
from lanekeeper.soak.subject import command, environment

EVERY: Final = 0.02
"""Seconds between two keys."""
LOST: Final = 5.0
"""Seconds after which an echo does not come any more."""
SEED: Final = 77
LANE: Final = "echo"


def echo(plane: Plane, path: Path) -> None:
    """Type into an idle lane for ever; append `MOMENT SECONDS` for each echo to a file."""
    terminal = plane.lane(LANE).spawn(command(SEED, 0), policy="forever", env=environment())
    echoes = _Echoes(plane, terminal.output(0, policy="forever"))
    echoes.until(0)
    with path.open("w", encoding="ascii", buffering=1) as file:
        number = 0
        while True:
            text = oracle.line(number, b"")
            typed = time.monotonic()
            terminal.send_nowait(text)
            came = echoes.until(len(echoes.judge.echoed) + len(text))
            file.write(f"{typed:.6f} {came - typed:.6f}\n")
            number += 1
            plane.wait(timeout=max(0.0, typed + EVERY - time.monotonic()))


def viewer(plane: Plane, address: str, policy: Policy) -> None:
    """Read a terminal for ever; say `attached` when something came."""
    stream = plane.terminal(address).output(None, policy=policy)
    told = False
    while True:
        stream.poll(None)
        if not told:
            sys.stdout.write("attached\n")
            sys.stdout.flush()
            told = True


class _Echoes:
    """The reader of the idle lane."""

    def __init__(self, plane: Plane, stream: OutputStream) -> None:
        self._plane = plane
        self._stream = stream
        self.judge = Judge(SEED)

    def until(self, echoed: int) -> float:
        """Read until so many bytes were echoed, the first block came at least; return when."""
        deadline = time.monotonic() + LOST
        while not self._take(echoed):
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError(f"no echo within {LOST:g} s")
            self._plane.wait(timeout=deadline - now)
        return time.monotonic()

    def _take(self, echoed: int) -> bool:
        for item in self._stream.poll(0.0):
            if isinstance(item, Data):
                self.judge.feed(item.data)
        return self.judge.offset > 0 and len(self.judge.echoed) >= echoed


def main() -> int:
    """Do what the arguments say until terminated."""
    directory, what, where = sys.argv[1:4]
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    with connect(directory) as plane:
        if what == "echo":
            echo(plane, Path(where))
        else:
            viewer(plane, where, "drop" if sys.argv[4:] == ["drop"] else "block")
    return 0


if __name__ == "__main__":
    sys.exit(main())

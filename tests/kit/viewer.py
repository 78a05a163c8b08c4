"""`python -m kit.viewer DIR LANE TERMINAL SEED`: watch a self-checking stream and report.

Says `ready` with the first byte (it has registered by then, unless its policy is `drop`), verifies
every byte to the end and prints one JSON line: what was delivered, what was missed. A wrong byte
ends it with a traceback. Started by `kit.viewers`.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Final

from kit.checked import Checker
from kit.waiting import wait_until
from lanekeeper.client import Data, Ended, Gap, Item, OutputStream, connect

_SLICE_S: Final = 1.0
_TURN_S: Final = 60.0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def peak_memory() -> int:
    """Return the most memory this process has had resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Watching:
    """What has come so far."""

    def __init__(self, checker: Checker, rate: float) -> None:
        """Take at most `rate` bytes in a second (0: as they come)."""
        self.checker = checker
        self.end: Ended | None = None
        self.base = 0
        self._rate = rate
        self._began = time.monotonic()

    def take(self, item: Item) -> None:
        """Verify an item; a slow viewer takes its time."""
        match item:
            case Data():
                self.checker.feed(item.data)
            case Gap():
                self.checker.gap(item.start, item.end)
            case Ended():
                self.end = item

    def due(self) -> bool:
        """Whether a viewer of this rate would want more by now."""
        if not self._rate:
            return True
        return self.checker.delivered <= self._rate * (time.monotonic() - self._began)

    def report(self) -> str:
        """Return the report."""
        end = self.end
        return json.dumps(
            {
                "delivered": self.checker.delivered,
                "missed": self.checker.missed,
                "gaps": self.checker.gaps,
                "offset": self.checker.offset,
                "end": None if end is None else end.offset,
                "code": None if end is None else end.exit.code,
                "grown": peak_memory() - self.base,
            }
        )


def watch(output: OutputStream, watching: Watching, until: int | None) -> None:
    """Take everything up to the end, or up to an offset; the first byte makes it ready."""
    ready = False
    while watching.end is None and (until is None or watching.checker.offset < until):
        for item in output.poll(_SLICE_S):
            watching.take(item)
            if not ready:
                ready, watching.base = True, peak_memory()
                say("ready")
            if not watching.due():
                wait_until(watching.due, _TURN_S, "its turn")


def main() -> int:
    """Watch to the end, or up to an offset."""
    parser = argparse.ArgumentParser(prog="python -m kit.viewer", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("lane")
    parser.add_argument("terminal")
    parser.add_argument("seed", type=int)
    parser.add_argument("--policy", default="drop", choices=["block", "forever", "drop"])
    parser.add_argument("--start", type=int, default=0, help="offset of the first byte")
    parser.add_argument("--until", type=int, help="offset after which to leave")
    parser.add_argument("--text", action="store_true", help="the stream is printable")
    parser.add_argument("--rate", type=float, default=0, help="bytes in a second at most")
    options = parser.parse_args()
    watching = Watching(Checker(options.seed, options.start, text=options.text), options.rate)
    with connect(options.directory, timeout=10.0) as plane:
        terminal = plane.terminal(f"{options.lane}.{options.terminal}")
        with terminal.output(options.start, policy=options.policy) as output:
            watch(output, watching, options.until)
    say(watching.report())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m lanekeeper.bench.subscriber DIR TERMINAL`: one subscriber of a benchmark.

Says `ready` with the first byte, verifies every byte, and says at the end what came, what was
missed and how much its memory grew, as one JSON line. Started by `crowd`, one process for each, as
subscribers are.
"""

import argparse
import json
import resource
import select
import sys
import time
from typing import Final

from lanekeeper.bench.pattern import Check
from lanekeeper.client import Data, Ended, Gap, OutputStream, connect

CONNECT_SECONDS: Final = 20.0
READY: Final = "ready"


def main() -> int:
    """Follow one terminal to its end."""
    parser = argparse.ArgumentParser(prog="python -m lanekeeper.bench.subscriber")
    parser.add_argument("directory")
    parser.add_argument("terminal")
    parser.add_argument("--policy", default="forever", choices=["block", "forever", "drop"])
    parser.add_argument("--rate", type=float, default=0.0, help="bytes in a second at most")
    options = parser.parse_args()
    with connect(options.directory, timeout=CONNECT_SECONDS) as plane:
        terminal = plane.terminal(options.terminal)
        with terminal.output(0, policy=options.policy) as output:
            return follow(output, options.rate)


def follow(output: OutputStream, rate: float) -> int:
    """Verify everything to the end, at most `rate` bytes in a second (0: as it comes)."""
    check, base = Check(), 0
    began = time.monotonic()
    for item in output:
        match item:
            case Data():
                check.feed(item.data)
            case Gap():
                check.gap(item.end)
            case Ended():
                break
        if not base:
            base = _peak()
            _say(READY)
        early = check.delivered / rate - (time.monotonic() - began) if rate else 0.0
        if early > 0:
            # A slow subscriber is what is measured: it has something else to do meanwhile.
            select.select([], [], [], early)
    told = {"delivered": check.delivered, "missed": check.missed, "grown": _peak() - base}
    _say(json.dumps(told))
    return 0


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

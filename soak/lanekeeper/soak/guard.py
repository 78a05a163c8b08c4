"""Ends a plane whose harness was killed: `python -m lanekeeper.soak.guard BASE`.

Waits for the end of its input, which only its harness holds open. What is there of the plane then
is killed, with its floods, and its directory removed. Started by `cluster`.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from lanekeeper.soak import proc

PASSES: Final = 50
"""Looks at /proc; what survives this many starts processes faster than we look."""


def main(base: Path) -> int:
    """Wait, and end what is left of the plane below `base`."""
    sys.stdin.buffer.read()
    if not base.exists():
        return 0
    for _ in range(PASSES):
        left = list(proc.pids_of_plane(base / "p"))
        if not left:
            break
        for pid in left:
            proc.kill(pid)
    shutil.rmtree(base, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

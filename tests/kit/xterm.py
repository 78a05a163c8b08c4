"""What xterm.js makes of a stream: the judge of every other screen.

Owns one run of its headless emulator under Node for one stream, with changes of size in between.
The package is the one locked in tests/system/screen. Called by tests of screens.
"""

import base64
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ORACLE: Final = Path(__file__).parents[1] / "system" / "screen" / "oracle.mjs"
PATIENCE_S: Final = 30.0

Step = bytes | tuple[int, int]
"""Output, or the columns and rows from there on."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The screen after the last step.

    Attributes:
        lines: the rows without blanks at their ends.
        looks: how each cell looks: `foreground/background/attributes`.
        cursor: row and column.
        alternate: whether it is the alternate screen.
        title: the last title that was set.
    """

    lines: list[str]
    looks: list[list[str]]
    cursor: tuple[int, int]
    alternate: bool
    title: str | None


def installed(_name: str = "") -> bool:
    """Return whether the locked package is installed."""
    return (ORACLE.parent / "node_modules" / "@xterm" / "headless").is_dir()


def xterm(steps: Sequence[Step], cols: int, rows: int) -> Seen:
    """Return what xterm.js shows after `steps` on a terminal of that size."""
    told = {"cols": cols, "rows": rows, "steps": [_step(step) for step in steps]}
    done = subprocess.run(
        ["node", str(ORACLE)],
        input=json.dumps(told).encode(),
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    seen = json.loads(done.stdout)
    return Seen(**(seen | {"cursor": (seen["cursor"][0], seen["cursor"][1])}))


def _step(step: Step) -> dict[str, str | int]:
    if isinstance(step, bytes):
        return {"data": base64.b64encode(step).decode("ascii")}
    return {"cols": step[0], "rows": step[1]}

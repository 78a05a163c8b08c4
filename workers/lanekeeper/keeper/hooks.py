"""Named moments at which a process can be held, so that a fault can be put exactly there.

Owns the way from a moment's name to a pause. Does nothing unless LANEKEEPER_HOOKS names a directory
when the process starts; then a FIFO of the moment's name in it arms the moment. The first process
that comes by takes the FIFO as its own, `NAME@PID`, and waits until somebody opens it for writing,
or until it is killed. Called by every process of ours; armed by the fault suite.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

VARIABLE: Final = "LANEKEEPER_HOOKS"

_DIRECTORY: Final = os.environ.get(VARIABLE)


def at(moment: str) -> None:
    """Be at a moment: go on at once unless it is armed."""
    if _DIRECTORY is not None:
        hold(_DIRECTORY, moment)


def hold(directory: str, moment: str) -> None:
    """Wait here if a FIFO in `directory` arms this moment; it holds one process, once."""
    taken = Path(directory, f"{moment}@{os.getpid()}")
    try:
        Path(directory, moment).rename(taken)
    except OSError:
        return
    with contextlib.suppress(OSError):
        os.close(os.open(taken, os.O_RDONLY | os.O_CLOEXEC))
    with contextlib.suppress(OSError):
        taken.unlink()

"""Brands: which terminal a process comes from, whatever it did to its environment and session.

A brand is a number in the soft limit on file locks (RLIMIT_LOCKS), which Linux keeps, passes on to
every child and enforces for nobody. A program that wipes its environment, makes its own session and
lets its parent die has it still. Owns the reading and setting of it. Refuses to fail where a
limit cannot be set: the process is unbranded then. Called by the nursery's children, the keeper,
workers and the finders.
"""

import os
import resource
from typing import Final

from lanekeeper.keeper.scopes import OURS

LIMIT: Final = 10
"""RLIMIT_LOCKS, which the `resource` module has no name for."""


def read(pid: int) -> int | None:
    """Return the brand of a process; None without one, or when it may not be looked at."""
    try:
        soft, _ = resource.prlimit(pid, LIMIT)
    except OSError:
        return None
    return soft if soft > 0 and soft & OURS else None


def put(value: int) -> bool:
    """Brand the calling process and all that it starts; return whether that could be done."""
    try:
        _, hard = resource.getrlimit(LIMIT)
        resource.setrlimit(LIMIT, (value, hard))
    except (OSError, ValueError):
        return False
    return True


def shed() -> None:
    """Take the brand off the calling process: a plane is not part of the terminal it began in."""
    if read(os.getpid()) is not None:
        _, hard = resource.getrlimit(LIMIT)
        resource.setrlimit(LIMIT, (hard, hard))

"""Brands: which terminal a process comes from, whatever it did to its environment and session.

A brand is a number in the soft limit on file locks (RLIMIT_LOCKS), which Linux keeps, passes on to
every child and enforces for nobody. A program that wipes its environment, makes its own session and
lets its parent die has it still. Owns the number's parts and the reading and setting of it. Refuses
to match a number that no plane has made. Called by the nursery's children, workers and the finders.
"""

import hashlib
import os
import resource
from dataclasses import dataclass
from typing import Final

LIMIT: Final = 10
"""RLIMIT_LOCKS, which the `resource` module has no name for."""

_TERMINAL_BITS: Final = 22
_LANE_BITS: Final = 24
_PLANE_BITS: Final = 15
_OURS: Final = 1 << 61
"""Set in every brand, so that no limit somebody really chose is taken for one."""


@dataclass(frozen=True, slots=True)
class Scope:
    """All brands of a plane, of a lane, or of one terminal."""

    value: int
    mask: int

    def covers(self, brand: int | None) -> bool:
        """Whether a process with this brand comes from here."""
        return brand is not None and brand & self.mask == self.value


def plane(directory: str) -> Scope:
    """Return the scope of everything that the plane in a runtime directory starts."""
    value = _OURS | _part(directory, _PLANE_BITS) << (_LANE_BITS + _TERMINAL_BITS)
    return Scope(value, -1 << (_LANE_BITS + _TERMINAL_BITS))


def lane(directory: str, lane_id: str) -> Scope:
    """Return the scope of everything that a lane starts."""
    value = plane(directory).value | _part(lane_id, _LANE_BITS) << _TERMINAL_BITS
    return Scope(value, -1 << _TERMINAL_BITS)


def terminal(directory: str, lane_id: str, terminal_id: str) -> Scope:
    """Return the scope of everything that a terminal starts; its value is the brand."""
    value = lane(directory, lane_id).value | _part(terminal_id, _TERMINAL_BITS)
    return Scope(value, -1)


def read(pid: int) -> int | None:
    """Return the brand of a process; None without one, or when it may not be looked at."""
    try:
        soft, _ = resource.prlimit(pid, LIMIT)
    except OSError:
        return None
    return soft if soft > 0 and soft & _OURS else None


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


def _part(text: str, bits: int) -> int:
    digest = hashlib.sha256(os.fsencode(text)).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - bits)

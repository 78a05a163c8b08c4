"""Where a brand comes from: the numbers that stand for planes, lanes and terminals.

Owns the parts of a brand, which are digests of the runtime directory and the ids. Refuses to cover
a number that no plane has made. Pure; `brand` reads and sets them.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

_TERMINAL_BITS: Final = 22
_LANE_BITS: Final = 24
_PLANE_BITS: Final = 15

OURS: Final = 1 << 61
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
    value = OURS | _part(directory, _PLANE_BITS) << (_LANE_BITS + _TERMINAL_BITS)
    return Scope(value, -1 << (_LANE_BITS + _TERMINAL_BITS))


def lane(directory: str, lane_id: str) -> Scope:
    """Return the scope of everything that a lane starts."""
    value = plane(directory).value | _part(lane_id, _LANE_BITS) << _TERMINAL_BITS
    return Scope(value, -1 << _TERMINAL_BITS)


def terminal(directory: str, lane_id: str, terminal_id: str) -> Scope:
    """Return the scope of everything that a terminal starts; its value is the brand."""
    value = lane(directory, lane_id).value | _part(terminal_id, _TERMINAL_BITS)
    return Scope(value, -1)


def _part(text: str, bits: int) -> int:
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - bits)

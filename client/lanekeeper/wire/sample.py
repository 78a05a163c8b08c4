"""Samples: what a process pushes to the collector, one MessagePack map on `collector.sock`.

Totals are cumulative for one incarnation of one process: a lost or repeated sample changes
nothing. A name is a metric in base units, never a lane or an id.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

SAMPLE_VERSION: Final = 1
SAMPLE_BYTES: Final = 64 * 1024
"""Bytes of one sample: a thousand names and numbers."""
NAMES_MAX: Final = 1_000
"""Names in one sample, and names of all totals."""
SAMPLE_SECONDS: Final = 5.0
"""The shortest time between two samples of one process."""

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,99}$")]
Number = Annotated[float, Meta(ge=0, le=2**63)]


class Sample(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What one process pushes.

    Attributes:
        v: the version of this form.
        role: `worker`, `broker` ...
        incarnation: a word that no other process has ever used.
        totals: counts since that process began; they never fall.
    """

    v: int
    role: Annotated[str, Meta(pattern="^[a-z]{1,32}$")]
    incarnation: Annotated[str, Meta(min_length=1, max_length=128)]
    totals: Annotated[dict[Name, Number], Meta(max_length=NAMES_MAX)]


class Sampler:
    """When one process pushes a sample: on a change of its totals, at most every 5 s.

    Sans-IO: the process owns the socket and the clock.
    """

    def __init__(self, role: str, pid: int, start_time: int) -> None:
        """Sample a process; pid and start time make its incarnation."""
        self._role = role
        self._incarnation = f"{pid}-{start_time}"
        self._told: dict[str, float] = {}
        self._due = 0.0

    def due(self, totals: Mapping[str, float]) -> float | None:
        """Return the monotonic time at which these totals are to be pushed; None: never."""
        return None if totals == self._told else self._due

    def take(self, totals: Mapping[str, float], now: float) -> bytes | None:
        """Return the sample to push now, or None; `now` is infinite for the last one."""
        due = self.due(totals)
        if due is None or now < due:
            return None
        self._told = dict(totals)
        self._due = now + SAMPLE_SECONDS
        return encode_sample(self._role, self._incarnation, totals)


def encode_sample(role: str, incarnation: str, totals: Mapping[str, float]) -> bytes:
    """Return the bytes of one sample; a dotted name of a counter becomes that of a metric."""
    named = {name.replace(".", "_").lower(): float(total) for name, total in totals.items()}
    return msgspec.msgpack.encode(
        Sample(v=SAMPLE_VERSION, role=role, incarnation=incarnation, totals=named)
    )

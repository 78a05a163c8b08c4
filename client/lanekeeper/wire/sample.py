"""Samples: what a process pushes to the collector, one MessagePack map on `collector.sock`.

Totals are cumulative for one incarnation of one process: a lost or repeated sample changes
nothing. A name is a metric in base units, never a lane or an id.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

SAMPLE_VERSION: Final = 1
SAMPLE_BYTES: Final = 64 * 1024
"""Bytes of one sample: a thousand names and numbers."""
NAMES_MAX: Final = 1_000
"""Names in one sample, and names of all totals."""

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


def encode_sample(role: str, incarnation: str, totals: dict[str, float]) -> bytes:
    """Return the bytes of one sample."""
    return msgspec.msgpack.encode(
        Sample(v=SAMPLE_VERSION, role=role, incarnation=incarnation, totals=totals)
    )

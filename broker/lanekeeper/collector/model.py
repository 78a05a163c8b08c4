"""Samples and their sums.

A sample carries the cumulative totals of one incarnation of one process. The model keeps the newest
of each incarnation and adds them up, so a sample that is lost or repeated changes nothing. Refuses
what is malformed, too large or of another version, and counts that. Sans-IO.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

SAMPLE_VERSION: Final = 1
SAMPLE_BYTES: Final = 64 * 1024
"""Bytes of one sample: a thousand names and numbers."""

NAMES_MAX: Final = 1_000
"""Names in one sample, and names of all totals; a name is a metric, never a lane or an id."""

INCARNATIONS_MAX: Final = 8_192
"""Processes whose newest totals are kept apart; older ones are folded into the sums for good."""

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,99}$")]
Number = Annotated[float, Meta(ge=0, le=2**63)]


class SampleError(Exception):
    """Bytes that are not a sample."""


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


_DECODER: Final = msgspec.msgpack.Decoder(Sample)


def decode_sample(data: bytes) -> Sample:
    """Return the sample in `data`.

    Raises:
        SampleError: it is none, too large, or of another version.
    """
    if len(data) > SAMPLE_BYTES:
        raise SampleError(f"a sample has at most {SAMPLE_BYTES} bytes, this one {len(data)}")
    try:
        sample = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SampleError(f"not a sample: {error}") from None
    if sample.v != SAMPLE_VERSION:
        raise SampleError(f"a sample of version {sample.v}; this is {SAMPLE_VERSION}")
    return sample


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """What the model holds and has seen."""

    samples: int
    refused: int
    incarnations: int
    names: int


class Model:
    """The newest totals of every incarnation, and the sums over all."""

    def __init__(self, incarnations: int = INCARNATIONS_MAX) -> None:
        """Start empty; keep at most that many incarnations apart."""
        self._limit = incarnations
        self._newest: OrderedDict[tuple[str, str], dict[str, float]] = OrderedDict()
        self._sums: dict[tuple[str, str], float] = {}
        self._samples = 0
        self._refused = 0

    def feed(self, data: bytes) -> None:
        """Take in one message.

        Raises:
            SampleError: it is not a sample, or brings more names than are kept; it is counted.
        """
        try:
            sample = decode_sample(data)
            self._admit(sample)
        except SampleError:
            self._refused += 1
            raise
        self._samples += 1
        key = (sample.role, sample.incarnation)
        newest = self._newest.setdefault(key, {})
        self._newest.move_to_end(key)
        for name, total in sample.totals.items():
            grown = total - newest.get(name, 0.0)
            if grown > 0 or name not in newest:
                place = (sample.role, name)
                self._sums[place] = self._sums.get(place, 0.0) + max(grown, 0.0)
                newest[name] = total
        if len(self._newest) > self._limit:
            self._newest.popitem(last=False)

    def totals(self) -> Mapping[tuple[str, str], float]:
        """Return the sums by role and name."""
        return dict(sorted(self._sums.items()))

    def statistics(self) -> ModelStatistics:
        """Return what the model holds and has seen."""
        return ModelStatistics(self._samples, self._refused, len(self._newest), len(self._sums))

    def _admit(self, sample: Sample) -> None:
        new = sum((sample.role, name) not in self._sums for name in sample.totals)
        if len(self._sums) + new > NAMES_MAX:
            raise SampleError(f"there are {NAMES_MAX} names of totals already")

"""Samples and their sums.

A sample carries the cumulative totals of one incarnation of one process. The model keeps the newest
of each incarnation and adds them up, so a sample that is lost or repeated changes nothing. Refuses
what is malformed, too large or of another version, and counts that. Sans-IO.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from lanekeeper.wire.sample import NAMES_MAX, SAMPLE_BYTES, SAMPLE_VERSION, Sample

INCARNATIONS_MAX: Final = 8_192
"""Processes whose newest totals are kept apart; older ones are folded into the sums for good."""


class SampleError(Exception):
    """Bytes that are not a sample."""


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

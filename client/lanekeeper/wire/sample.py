"""Samples: what a process pushes to the collector, one MessagePack map on `collector.sock`.

Everything in a sample is the present value of one incarnation of one process, and counts never
fall: a sample that is lost or repeated changes nothing. `meter` makes them, the collector reads
them.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

SAMPLE_VERSION: Final = 3
SAMPLE_BYTES: Final = 128 * 1024
"""Bytes of one sample: 500 series and the figures of 256 terminals."""
SERIES_MAX: Final = 1_000
"""Series in one sample."""
RECENT_MAX: Final = 64
"""Observations of one series that a sample shows one by one; all are in its buckets."""
TERMINALS_MAX: Final = 256
"""Terminals in one sample."""
SAMPLE_SECONDS: Final = 5.0
"""The shortest time between two samples of one process."""

Name = Annotated[str, Meta(pattern="^lanekeeper_[a-z][a-z0-9_]{0,99}\\Z")]
Label = Annotated[str, Meta(pattern="^[a-z][a-zA-Z0-9_.|-]{0,63}\\Z")]
Labels = Annotated[list[Label], Meta(max_length=4)]
Number = Annotated[float, Meta(ge=0, le=2**63)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Value(Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """The present value of a counter or gauge; labels in the order of the table, without `role`."""

    name: Name
    labels: Labels
    value: Number


class Spread(Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """The present state of a histogram.

    `counts` has one number per bucket of the table and one for what is above them all; `recent`
    the newest observations since the sample before.
    """

    name: Name
    labels: Labels
    counts: Annotated[list[Count], Meta(max_length=16)]
    sum: Number
    recent: Annotated[list[Number], Meta(max_length=RECENT_MAX)]


class TerminalLoad(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Figures of one terminal.

    `output_bytes` is its head; `backlog_*` what its slowest registered consumer has not
    acknowledged, `consumer_id` and `policy` that consumer; `log_bytes` what its log holds.
    """

    terminal_id: str
    pid: int | None = None
    output_bytes: int = 0
    log_bytes: int = 0
    backlog_bytes: int = 0
    backlog_chunks: int = 0
    consumers: int = 0
    consumer_id: str | None = None
    policy: str | None = None
    throttled: bool = False


class LaneLoad(Struct, forbid_unknown_fields=True, kw_only=True):
    """Figures of one lane; terminals that changed last come first, and are cut.

    `generation` is that of the worker: of two, the one with the greater has the lane.
    """

    lane_id: str
    generation: Count
    terminals: Annotated[list[TerminalLoad], Meta(max_length=TERMINALS_MAX)] = []


class Sample(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, omit_defaults=True):
    """What one process pushes.

    Attributes:
        v: the version of this form.
        role: `worker`, `broker` ...; the broker pushes the keeper's, too.
        pid: of the process the sample is about.
        start_time: its start, in clock ticks after boot; with the pid it is the incarnation.
        values: counters and gauges.
        spreads: histograms.
        lane: a worker's lane.
        last: whether the process ends in order: its gauges are gone with it.
    """

    v: int
    role: Annotated[str, Meta(pattern="^[a-z]{1,32}$")]
    pid: Annotated[int, Meta(ge=1)]
    start_time: Annotated[int, Meta(ge=0)]
    values: Annotated[list[Value], Meta(max_length=SERIES_MAX)] = []
    spreads: Annotated[list[Spread], Meta(max_length=SERIES_MAX)] = []
    lane: LaneLoad | None = None
    last: bool = False


class SampleError(Exception):
    """Bytes that are not a sample."""


_DECODER: Final = msgspec.msgpack.Decoder(Sample)
_ENCODER: Final = msgspec.msgpack.Encoder()


def encode_sample(sample: Sample) -> bytes:
    """Return the bytes of one sample."""
    return _ENCODER.encode(sample)


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

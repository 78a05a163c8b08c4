"""The ledger: what the model has added up, as bytes that a next collector goes on from.

Owns the form of the totals' file: sums of counters and histograms, and of each process what was
last heard, so that what it says next is counted from there. Gauges are not in it. Refuses bytes of
another form or version whole. Sans-IO. Called by `gathering`.
"""

from typing import Final

import msgspec
from msgspec import Struct

from lanekeeper.collector.model import Incarnation, Model, Process, Series
from lanekeeper.wire.metrics import METRICS, Kind

LEDGER_VERSION: Final = 1


class LedgerError(Exception):
    """Bytes that are no ledger of this version."""


class _Sum(Struct, array_like=True):
    """One series, by the number that processes have for it."""

    number: int
    name: str
    labels: tuple[str, ...]
    total: float
    counts: list[int]


class _Heard(Struct, array_like=True):
    """What was last heard of a process: values and counts by number of series."""

    role: str
    pid: int
    start_time: int
    gone: bool
    values: dict[int, float]
    counts: dict[int, list[int]]


class _Ledger(Struct, array_like=True):
    v: int
    sums: list[_Sum]
    heard: list[_Heard]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Ledger)


def dump(model: Model) -> bytes:
    """Return what a model has added up."""
    sums = [
        _Sum(one.number, one.metric.name, one.labels, one.total, one.counts)
        for one in model.series()
        if one.metric.kind is not Kind.GAUGE
    ]
    heard = [_heard(one) for one in (*model.living(), *model.departed())]
    return _ENCODER.encode(_Ledger(LEDGER_VERSION, sums, heard))


def restore(model: Model, data: bytes, now: float) -> None:
    """Have an empty model go on from a ledger; processes that have gone since are not known yet.

    Raises:
        LedgerError: it is none; the model is still empty.
    """
    try:
        ledger = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LedgerError(f"not a ledger: {error}") from None
    if ledger.v != LEDGER_VERSION:
        raise LedgerError(f"a ledger of version {ledger.v}; this is {LEDGER_VERSION}")
    _check(ledger)
    found = {one.number: _admit(model, one) for one in ledger.sums}
    for heard in ledger.heard:
        process = model.process(Incarnation(heard.role, heard.pid, heard.start_time), now)
        process.known = False
        for number, value in heard.values.items():
            series = found[number]
            if series is not None:
                process.values[series.number] = value
        for number, counts in heard.counts.items():
            series = found[number]
            if series is not None:
                process.counts[series.number] = counts
        if heard.gone:
            model.retire(process.who, now)


def _heard(process: Process) -> _Heard:
    gone = process.gone is not None
    return _Heard(*process.who, gone, process.values, process.counts)


def _admit(model: Model, saved: _Sum) -> Series | None:
    series = model.admit(saved.name, saved.labels)
    if series is not None:
        series.total, series.counts = saved.total, saved.counts
    return series


def _check(ledger: _Ledger) -> None:
    for one in ledger.sums:
        metric = METRICS.get(one.name)
        if metric is None or metric.kind is Kind.GAUGE or len(one.labels) != len(metric.labels):
            raise LedgerError(f"{one.name} is not in the table, or has other labels")
        buckets = len(metric.buckets) + 1 if metric.kind is Kind.HISTOGRAM else 0
        if len(one.counts) != buckets:
            raise LedgerError(f"{one.name} has other buckets")
    buckets_of = {one.number: len(one.counts) for one in ledger.sums}
    for heard in ledger.heard:
        if not heard.values.keys() | heard.counts.keys() <= buckets_of.keys():
            raise LedgerError("it speaks of series that are not in it")
        if any(len(counts) != buckets_of[number] for number, counts in heard.counts.items()):
            raise LedgerError("a process has other buckets than its series")

"""Which samples are let in: those of the table in `wire.metrics`, and nothing else.

Refuses a sample whole, before anything of it was counted. Sans-IO. Called by `model`.
"""

from collections.abc import Sequence
from math import isfinite

from lanekeeper.wire.metrics import DAEMONS, METRICS, Kind, Metric
from lanekeeper.wire.sample import Sample, SampleError, decode_sample


def admit(data: bytes) -> Sample:
    """Return the sample in `data`.

    Raises:
        SampleError: it is none, or one of a role, a name, a number of labels or of buckets that is
            not in the table, or it has a number that is none.
    """
    sample = decode_sample(data)
    if sample.role not in DAEMONS:
        raise SampleError(f"no process of a plane has the role {sample.role}")
    for value in sample.values:
        metric = _checked(value.name, value.labels, sample.role)
        if metric.kind is Kind.HISTOGRAM or not isfinite(value.value):
            raise SampleError(f"{value.name} has no such value")
    for each in sample.spreads:
        metric = _checked(each.name, each.labels, sample.role)
        numbers = (each.sum, *each.recent)
        fitting = metric.kind is Kind.HISTOGRAM and len(each.counts) == len(metric.buckets) + 1
        if not fitting or not all(map(isfinite, numbers)):
            raise SampleError(f"{each.name} has other buckets")
    return sample


def placed(metric: Metric, role: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Return label values in the order of the table; a `role` that is not given is the sender's."""
    given = tuple(labels)
    if "role" in metric.labels and len(given) < len(metric.labels):
        at = metric.labels.index("role")
        return (*given[:at], role, *given[at:])
    return given


def _checked(name: str, labels: Sequence[str], role: str) -> Metric:
    metric = METRICS.get(name)
    if metric is None:
        raise SampleError(f"there is no metric {name}")
    if len(placed(metric, role, labels)) != len(metric.labels):
        raise SampleError(f"{name} has the labels {', '.join(metric.labels) or 'none'}")
    return metric

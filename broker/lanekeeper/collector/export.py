"""What `/metrics` shows: the model's series as Prometheus text or OpenMetrics.

Owns nothing between scrapes; the forms and the choice between them are prometheus-client's. Called
by `gathering`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from lanekeeper.collector.model import Series
from lanekeeper.wire import metrics
from lanekeeper.wire.metrics import METRICS, Kind

_SUFFIX: Final = "_total"


class _Shown(Collector):
    """The series of one moment."""

    def __init__(self, series: Iterable[Series]) -> None:
        self._series = series

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that has a series, in the order of the table."""
        by_name: dict[str, list[Series]] = {}
        for series in self._series:
            by_name.setdefault(series.metric.name, []).append(series)
        for name, metric in METRICS.items():
            if name in by_name:
                yield _family(metric, sorted(by_name[name], key=lambda one: one.labels))


def render(series: Iterable[Series], accept: str) -> tuple[str, bytes]:
    """Return content type and body, in the form that an `Accept` header prefers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Shown(series))
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


def _family(metric: metrics.Metric, series: list[Series]) -> Metric:
    name, text, labels, unit = metric.name, metric.text, metric.labels, metric.unit
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(name, text, labels=labels, unit=unit)
        bounds = [*(repr(float(bound)) for bound in metric.buckets), "+Inf"]
        for one in series:
            buckets, below = [], 0
            for bound, count in zip(bounds, one.counts, strict=True):
                below += count
                buckets.append((bound, below))
            histogram.add_metric(one.labels, buckets, one.total)
        return histogram
    if metric.kind is Kind.COUNTER:
        counter = CounterMetricFamily(name.removesuffix(_SUFFIX), text, labels=labels, unit=unit)
        for one in series:
            counter.add_metric(one.labels, one.total)
        return counter
    gauge = GaugeMetricFamily(name, text, labels=labels, unit=unit)
    for one in series:
        gauge.add_metric(one.labels, one.total)
    return gauge

"""What a panel of the dashboard is, and how its queries are written.

Owns the values and the phrases of PromQL they share. Names of metrics are those of `wire.metrics`;
names with colons are recorded by `deploy/prometheus/rules/recording.yml`. Called by `service` and
`inside`, which are the table, and by `board`.
"""

from dataclasses import dataclass
from typing import Final, Literal

Form = Literal["stat", "bars", "lines"]

JOB: Final = 'job="lanekeeper"'
SELECTED: Final = 'instance=~"$plane"'
"""The planes that were chosen at the top of the dashboard."""


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and what its lines are called."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        form: one number (`stat`), one bar for each figure (`bars`), or `lines` over time.
        text: what it says and when to worry, for somebody who sees it for the first time.
        unit: as Grafana calls it: `s`, `bytes`, `Bps`, `short`, `percentunit` ...
        warn: from here on yellow.
        fail: from here on red.
        width: of 24 columns.
        words: what stands for a number, with its colour.
        stacked: whether the lines add up.
    """

    form: Form
    title: str
    text: str
    unit: str
    queries: tuple[Query, ...]
    warn: float | None = None
    fail: float | None = None
    width: int = 8
    words: tuple[tuple[int, str, str], ...] = ()
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def where(*more: str) -> str:
    """Return the selector of the chosen planes, with `more` conditions."""
    return "{" + ", ".join((SELECTED, *more)) + "}"


def total(metric: str, by: str = "", *more: str) -> str:
    """Return the sum of a gauge over planes and processes."""
    return f"sum{f' by ({by})' if by else ''} ({metric}{where(*more)})"


def rate(metric: str, by: str = "", *more: str) -> str:
    """Return how fast a counter rises, a second."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{where(*more)}[$__rate_interval]))"


def rise(metric: str, by: str = "", *more: str) -> str:
    """Return by how much a counter rose within each step of the picture."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (increase({metric}{where(*more)}[$__rate_interval]))"


def spread(metric: str, *more: str) -> tuple[Query, ...]:
    """Return median, 95th and 99th percentile of a histogram."""
    return tuple(
        Query(f"histogram_quantile({share}, {rate(f'{metric}_bucket', 'le', *more)})", name)
        for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    )


def worst(recorded: str, by: str, *more: str) -> str:
    """Return the greatest of a recorded figure."""
    return f"max by ({by}) ({recorded}{where(*more)})"

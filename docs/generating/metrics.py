"""The generated blocks of docs/metrics.md: every metric, and every threshold.

Owns their layout; the words come from the tables in the code. Called by `docs/generate.py`.
"""

from collections.abc import Callable
from typing import Final

from generating.reference import NOTHING, table
from lanekeeper.cli.diag import amount
from lanekeeper.collector.judging import RULES, How, Rule
from lanekeeper.wire.metrics import METRICS, Metric

_RATIOS: Final = frozenset({How.SHARE_OF_GROWTH, How.SHARE_OF_LEVEL, How.GIVEN})
_MADE: Final = {
    How.SPREAD: "of the observations in the window",
    How.GROWTH: "its growth within the window",
    How.LEVEL: "its present value",
    How.SHARE_OF_GROWTH: "its share of the growth within the window",
    How.SHARE_OF_LEVEL: "its share",
    How.GIVEN: "the greatest share of what one process may have",
}


def blocks() -> dict[str, Callable[[], str]]:
    """Return what fills each block of the page, by the block's name."""
    return {"metrics": _metrics, "thresholds": _thresholds, "buckets": _buckets}


def _metrics() -> str:
    rows = [
        (
            f"`{metric.name}`",
            str(metric.kind),
            metric.unit or NOTHING,
            ", ".join(f"`{label}`" for label in metric.labels) or NOTHING,
            ", ".join(metric.by),
            metric.text,
            ", ".join(f"`{key}`" for key, rule in RULES.items() if rule.metric == name) or NOTHING,
        )
        for name, metric in METRICS.items()
    ]
    return table(("metric", "type", "unit", "labels", "measured by", "meaning", "judged as"), rows)


def _buckets() -> str:
    rows = [(f"`{one.name}`", _bounds(one)) for one in METRICS.values() if one.buckets]
    return table(("histogram", "upper bounds of its buckets"), rows)


def _bounds(metric: Metric) -> str:
    return ", ".join(f"{bound:g}" for bound in metric.buckets)


def _thresholds() -> str:
    rows = [
        (
            f"`{key}`",
            _what(rule),
            _shown(rule, rule.warn),
            NOTHING if rule.fail is None else _shown(rule, rule.fail),
            ", ".join(rule.criteria),
            rule.advice,
        )
        for key, rule in RULES.items()
    ]
    return table(("finding", "figure", "warn above", "fail above", "for", "what to do"), rows)


def _shown(rule: Rule, value: float) -> str:
    unit = "ratio" if rule.how in _RATIOS else METRICS[rule.metric].unit
    return amount(value, unit)


def _what(rule: Rule) -> str:
    of = "".join(f" {name}={'/'.join(values)}" for name, values in rule.where)
    of += "".join(f" without {name} {', '.join(values)}" for name, values in rule.unless)
    whole = f" of `{rule.whole}`" if rule.whole else ""
    figure = f"{rule.judged} " if rule.how is How.SPREAD else ""
    return f"{figure}{_MADE[rule.how]}{whole}: `{rule.metric}`{of}"

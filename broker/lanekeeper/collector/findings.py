"""Findings: the table of `judging` applied to what the model hears.

Owns a window or tally per rule, and which status each had when it was last looked at. Sans-IO.
Called by `server` and `diagnoses`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lanekeeper.collector.judging import RULES, How, Rule
from lanekeeper.collector.model import Feed, Series
from lanekeeper.collector.window import Summary, Tally, Weighed, Window
from lanekeeper.wire.messages.diagnostics import Finding, MetricChanged, Status
from lanekeeper.wire.metrics import METRICS, Kind, Metric

RATIO: Final = "ratio"
_ORDER: Final[tuple[Status, ...]] = ("unknown", "pass", "warn", "fail")
_QUIET: Final = frozenset({"unknown", "pass"})
_SHARES: Final = frozenset({How.SHARE_OF_GROWTH, How.SHARE_OF_LEVEL, How.GIVEN})

Given = Mapping[str, float]
"""Ratios that were measured for a rule, by its key."""


class Findings:
    """Every rule, with what has been observed for it."""

    def __init__(self) -> None:
        """Start with nothing observed."""
        self._windows = {key: Window() for key, rule in RULES.items() if rule.how is How.SPREAD}
        self._tallies = {key: Tally() for key in RULES}
        self._wholes = {key: Tally() for key in RULES}
        self._last: dict[str, Status] = {}

    def feeds(self, metric: Metric, labels: tuple[str, ...]) -> tuple[Feed, ...]:
        """Return who wants to hear of a series: the `Feeder` of the model."""
        found: list[Feed] = []
        named = dict(zip(metric.labels, labels, strict=True))
        for key, rule in RULES.items():
            if rule.metric != metric.name:
                continue
            if rule.how is How.SHARE_OF_GROWTH:
                found.append(_tallying(self._wholes[key]))
            if not _matches(rule, named):
                continue
            if rule.how is How.SPREAD:
                found.append(_watching(self._windows[key]))
            elif rule.how in {How.GROWTH, How.SHARE_OF_GROWTH}:
                found.append(_tallying(self._tallies[key]))
        return tuple(found)

    def look(self, series: Iterable[Series], given: Given, now: float) -> dict[str, Finding]:
        """Return every finding as it is now."""
        levels: dict[str, float] = {}
        for one in series:
            if one.metric.kind is Kind.GAUGE:
                levels[one.metric.name] = levels.get(one.metric.name, 0.0) + one.total
        return {key: self._finding(key, rule, levels, given, now) for key, rule in RULES.items()}

    def changes(self, found: Mapping[str, Finding]) -> list[MetricChanged]:
        """Return what differs from the last time this was asked; first observations are no news."""
        changed = []
        for key, finding in found.items():
            before = self._last.get(key, "unknown")
            self._last[key] = finding.status
            if before != finding.status and not {before, finding.status} <= _QUIET:
                changed.append(MetricChanged(key=key, before=before, finding=finding))
        return changed

    def _finding(
        self, key: str, rule: Rule, levels: Mapping[str, float], given: Given, now: float
    ) -> Finding:
        finding = Finding(
            metric=rule.metric,
            unit=RATIO if rule.how in _SHARES else METRICS[rule.metric].unit,
            count=0,
            judged=rule.judged,
            warn=rule.warn,
            fail=rule.fail,
            status="unknown",
            criteria=list(rule.criteria),
        )
        if rule.how is How.SPREAD:
            _fill(finding, self._windows[key].summary(now))
        elif rule.how is How.GROWTH:
            grown = self._tallies[key].total(now)
            finding.count, finding.latest = round(grown), grown
        elif rule.how is How.SHARE_OF_GROWTH:
            whole = self._wholes[key].total(now)
            _share(finding, self._tallies[key].total(now), whole, round(whole))
        elif rule.how is How.SHARE_OF_LEVEL:
            _share(finding, levels.get(rule.metric), levels.get(rule.whole, 0.0), 1)
        elif rule.how is How.LEVEL and rule.metric in levels:
            finding.count, finding.latest = 1, levels[rule.metric]
        elif rule.how is How.GIVEN and key in given:
            finding.count, finding.latest, finding.max = 1, given[key], given[key]
        _judge(finding, rule)
        return finding


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of them."""
    return max(statuses, key=_ORDER.index, default="unknown")


def _judge(finding: Finding, rule: Rule) -> None:
    value: float | None = getattr(finding, rule.judged)
    if value is None:
        return
    if rule.fail is not None and value > rule.fail:
        finding.status = "fail"
    else:
        finding.status = "warn" if value > rule.warn else "pass"
    if finding.status != "pass":
        finding.advice = rule.advice


def _fill(finding: Finding, summary: Summary | None) -> None:
    if summary is None:
        return
    finding.count, finding.min, finding.max = summary.count, summary.min, summary.max
    finding.p50, finding.p95, finding.p99 = summary.p50, summary.p95, summary.p99
    finding.latest = summary.latest


def _share(finding: Finding, part: float | None, whole: float, count: int) -> None:
    if part is not None and whole > 0:
        finding.count, finding.latest = count, part / whole


def _matches(rule: Rule, named: Mapping[str, str]) -> bool:
    return all(named.get(name) in values for name, values in rule.where) and not any(
        named.get(name) in values for name, values in rule.unless
    )


def _watching(window: Window) -> Feed:
    def feed(observed: Sequence[Weighed], _count: float, now: float) -> None:
        window.add(observed, now)

    return feed


def _tallying(tally: Tally) -> Feed:
    def feed(_observed: Sequence[Weighed], count: float, now: float) -> None:
        tally.add(count, now)

    return feed

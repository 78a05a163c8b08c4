"""Numbers of a benchmark: quantiles of samples, and ratios between things measured in turn."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Summary:
    """Quantiles of one set of samples, in the unit of the samples."""

    count: int
    p50: float
    p95: float
    p99: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Summary":
        """Summarise at least one sample; ValueError for none."""
        if not samples:
            raise ValueError("no samples to summarise")
        ordered = sorted(samples)
        return cls(
            len(ordered),
            statistics.median(ordered),
            quantile(ordered, 0.95),
            quantile(ordered, 0.99),
            ordered[0],
            ordered[-1],
        )

    def scaled(self, factor: float) -> dict[str, Any]:
        """Return the figures times `factor`, rounded to four digits, for a report."""
        figures = (self.p50, self.p95, self.p99, self.low, self.high)
        names = ("p50", "p95", "p99", "min", "max")
        return {"count": self.count} | {
            name: round4(figure * factor) for name, figure in zip(names, figures, strict=True)
        }


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the sorted samples lie."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the median of first/second over pairs that were measured one after the other."""
    return round4(statistics.median(a / b for a, b in pairs))


def round4(number: float) -> float:
    """Return a number with four significant digits."""
    return float(f"{number:.4g}")

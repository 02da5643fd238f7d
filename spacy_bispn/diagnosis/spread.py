"""How some numbers are spread: their mean, percentiles and maximum."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Mean, 95th and 99th percentile, and maximum of some numbers; all 0 without any."""

    mean: float
    p95: int
    p99: int
    most: int

    @classmethod
    def of(cls, values: Iterable[int]) -> Spread:
        """Measure numbers; percentiles are by nearest rank, so that they occur."""
        ordered = sorted(values)
        if not ordered:
            return cls(0.0, 0, 0, 0)
        p95, p99 = (ordered[math.ceil(len(ordered) * share / 100) - 1] for share in (95, 99))
        return cls(sum(ordered) / len(ordered), p95, p99, ordered[-1])

"""How far a score would move with other texts of the same kind: the bootstrap over texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95

Array = NDArray[np.float64]
Interval = tuple[float, float]


def intervals(
    texts: Sequence[Mapping[str, tuple[int, int]]], by_label: bool, samples: int = 1000, seed: int = 0
) -> tuple[Interval, dict[str, Interval]]:
    """Between which values a ratio of sums over texts lies in 95 % of the samples (percentiles).

    texts: for each text its part of numerator and denominator per label.
    by_label: whether the overall ratio is the mean over labels, not the ratio of all labels' sums.
    samples: how often as many texts are drawn, with replacement, as there are.

    The overall interval, and that of each label. A label that no text of a sample has is left out of that
    sample's average, and a sample without any item is left out itself. Where the lack of rare labels makes
    samples differ from the whole, the interval is widened to hold the ratio.
    Raises ValueError without texts or samples.
    """
    if not texts or samples < 1:
        raise ValueError(
            f"the bootstrap was given {len(texts)} texts and {samples} samples, expected at least one of "
            f"each: evaluate on texts, and ask for 1000 samples."
        )
    labels = sorted({label for parts in texts for label in parts})
    table = np.array([[n for label in labels for n in parts.get(label, (0, 0))] for parts in texts], float)
    random, size = np.random.default_rng(seed), len(texts)
    drawn = [np.bincount(random.integers(size, size=size), minlength=size) @ table for _ in range(samples)]
    # The whole stands before its samples, each with a row of two for each label.
    sums = np.stack([table.sum(axis=0), *drawn]).reshape(samples + 1, len(labels), 2)
    overall = sums if by_label else sums.sum(axis=1, keepdims=True)
    each = {label: _interval(sums[:, [number]]) for number, label in enumerate(labels)}
    return _interval(overall), each


def _interval(sums: Array) -> Interval:
    """Of the mean ratio over labels; sums (1 + samples, labels, 2), those of the whole first."""
    parts, wholes = sums[..., 0], sums[..., 1]
    there = wholes > 0
    ratios = np.divide(parts, wholes, out=np.zeros_like(parts), where=there)
    count = there.sum(axis=1)
    if not count[0]:
        return 0.0, 0.0
    score, *drawn = ratios.sum(axis=1)[count > 0] / count[count > 0]
    low, high = np.quantile(drawn or [score], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(min(low, score)), float(max(high, score))

"""Confidence intervals of scores: the bootstrap over texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spacy_bispn.settings import SettingError

LEVEL = 0.95

Array = NDArray[np.float64]
Interval = tuple[float, float] | None  # None: unknown


def intervals(
    texts: Sequence[Mapping[str, tuple[int, int]]], by_label: bool, samples: int = 1000, seed: int = 0
) -> tuple[Interval, dict[str, Interval]]:
    """95 % intervals of a ratio of sums over texts, by percentiles of the bootstrap samples.

    texts: for each text and label, its part of the numerator and of the denominator.
    by_label: whether the overall ratio is the mean over labels, not the ratio of all labels' sums.
    samples: how many samples are drawn; each has as many texts as there are, drawn with replacement.

    Returns the overall interval, and that of each label. An interval is None, unknown, where fewer than two
    texts have any item: every sample would have the same ratio. A label that no text of a sample has is left
    out of that sample's mean, and a sample without any item is left out itself. Where samples lack rare
    labels and their ratios differ from the whole, the interval is widened to include the ratio.
    Raises SettingError without texts or samples.
    """
    if not texts:
        raise SettingError("the number of texts", 0, "at least 1", "evaluate on texts")
    if samples < 1:
        raise SettingError("samples", samples, "at least 1", "1000 are usual")
    labels = sorted({label for parts in texts for label in parts})
    table = np.array([[n for label in labels for n in parts.get(label, (0, 0))] for parts in texts], float)
    table = table.reshape(len(texts), len(labels), 2)
    sums = resampled(table, samples, seed)
    overall = sums if by_label else sums.sum(axis=1, keepdims=True)
    found = table[..., 1] > 0
    each = {label: _interval(sums[:, [n]], found[:, [n]]) for n, label in enumerate(labels)}
    return _interval(overall, found), each


def resampled(table: Array, samples: int = 1000, seed: int = 0) -> Array:
    """Sums over all texts, and then over those of each bootstrap sample.

    Shape: table (texts, ...) -> (1 + samples, ...).
    """
    random, size = np.random.default_rng(seed), len(table)
    flat = table.reshape(size, -1)
    drawn = [np.bincount(random.integers(size, size=size), minlength=size) @ flat for _ in range(samples)]
    return np.stack([flat.sum(axis=0), *drawn]).reshape(samples + 1, *table.shape[1:])


def percentiles(score: float, drawn: Sequence[float] | Array) -> tuple[float, float]:
    """The 95 % interval of what samples were scored, widened where it does not include the whole's score."""
    low, high = np.quantile(drawn if len(drawn) else [score], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(min(low, score)), float(max(high, score))


def _interval(sums: Array, found: NDArray[np.bool_]) -> Interval:
    """The interval of the mean ratio over labels.

    sums: (1 + samples, labels, 2), those of the whole first. found: (texts, labels), where there are items.
    """
    if found.any(axis=1).sum() < 2:
        return None
    parts, wholes = sums[..., 0], sums[..., 1]
    defined = wholes > 0
    ratios = np.divide(parts, wholes, out=np.zeros_like(parts), where=defined)
    count = defined.sum(axis=1)
    score, *drawn = ratios.sum(axis=1)[count > 0] / count[count > 0]
    return percentiles(score, drawn)

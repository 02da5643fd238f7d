"""How far a score would move with other texts of the same kind: the bootstrap over texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spacy_bispn.scoring import PRF

LEVEL = 0.95


def f1_interval(texts: Sequence[dict[str, PRF]], samples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Between which values the macro F1 of 95 % of the samples lies (percentiles).

    texts: for each text its counts per label; with one label for all, the macro average is the micro.
    samples: how often as many texts are drawn, with replacement, as there are.

    A label that no text of a sample has is left out of that sample's average, and a sample without
    any item is left out itself. Where the lack of rare labels makes samples differ from the whole,
    the interval is widened to hold the score.
    Raises ValueError without texts or samples.
    """
    if not texts or samples < 1:
        raise ValueError(
            f"the bootstrap was given {len(texts)} texts and {samples} samples, expected at least one of "
            f"each: evaluate on texts, and ask for 1000 samples."
        )
    labels = sorted({label for counts in texts for label in counts})
    table = np.array([_row(counts, labels) for counts in texts], dtype=float)
    random, size = np.random.default_rng(seed), len(texts)
    drawn = (np.bincount(random.integers(size, size=size), minlength=size) @ table for _ in range(samples))
    scores = [_macro_f1(counts) for counts in drawn if counts.any()] or [0.0]
    score = _macro_f1(table.sum(axis=0))
    low, high = np.quantile(scores, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return min(float(low), score), max(float(high), score)


def _row(counts: dict[str, PRF], labels: Sequence[str]) -> list[int]:
    found = [counts.get(label, PRF()) for label in labels]
    return [number for one in found for number in (one.tp, one.fp, one.fn)]


def _macro_f1(counts: NDArray[np.float64]) -> float:
    tp, fp, fn = counts.reshape(-1, 3).T
    size = 2 * tp + fp + fn
    there = size > 0
    return float(np.mean(2 * tp[there] / size[there])) if there.any() else 0.0

"""Scores as probabilities: how often predictions with a score are right, and what a threshold does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_bispn.evaluation.bootstrap import percentiles, resampled
from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.evaluation.scoring import PRF
from spacy_bispn.records import Entity, Extraction, Relation

POINTS = 200  # of a curve
TENTHS = tuple(number / 10 for number in range(1, 10))
BINS = 10  # of equal width, as usual for the expected calibration error

Array = NDArray[Any]
Item = Entity | Relation[Entity]


@dataclass(frozen=True)
class ScoredItems:
    """Predictions of one kind, entities or relations, and whether gold has them under the convention strict.

    scores: from 0 to 1. correct: whether gold has the item. labels: that of each item.
    texts: the number of the text that each item is in. Shape: each (N,).
    gold: how many gold items each label has. size: how many texts are annotated with this kind.
    """

    scores: Array
    correct: Array
    labels: Array
    texts: Array
    gold: Counter[str]
    size: int

    @classmethod
    def of(cls, judged: Sequence[Judged], kind: str, symmetric: Collection[str]) -> ScoredItems:
        """The items of some texts; those that are not annotated with this kind are left out.

        symmetric: relation labels without a direction.
        """
        rows: list[tuple[float, bool, str, int]] = []
        gold: Counter[str] = Counter()
        annotated = [
            x for x in judged if (x.entities_annotated if kind == "entities" else x.relations_annotated)
        ]
        for number, text in enumerate(annotated):
            known = set(_items(text.gold.extraction, kind, symmetric))
            gold.update(item.label for item in known)
            # of equal items the best one counts, as in decoding
            found = {x: x.score for x in sorted(_items(text.predicted, kind, symmetric), key=_score)}
            rows += [(score, item in known, item.label, number) for item, score in found.items()]
        scores, correct, labels, texts = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(
            np.array(scores, float), np.array(correct, bool), np.array(labels, object), np.array(texts, int),
            gold, len(annotated),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.scores)

    def where(self, mask: Array) -> ScoredItems:
        """Some of the items, beside all gold. Shape: (N,) bool."""
        arrays = (self.scores[mask], self.correct[mask], self.labels[mask], self.texts[mask])
        return ScoredItems(*arrays, self.gold, self.size)

    def labelled(self, label: str) -> ScoredItems:
        """The items and the gold of one label."""
        return replace(self.where(self.labels == label), gold=Counter({label: self.gold[label]}))


def _items(extraction: Extraction, kind: str, symmetric: Collection[str]) -> list[Item]:
    if kind == "entities":
        return list(extraction.entities)
    return [relation.oriented(symmetric) for relation in extraction.relations]


def _score(item: Item) -> float:
    return item.score


class Cuts(NamedTuple):
    """What is predicted above each threshold, the highest first. Shape: each (K,).

    thresholds: between two different scores. predicted: how many items have a higher one.
    """

    thresholds: Array
    predicted: Array
    precision: Array
    recall: Array
    f1: Array


def cuts(items: ScoredItems) -> Cuts:
    """Precision, recall and F1 at every threshold that makes a difference; at least one item is predicted."""
    order = np.argsort(-items.scores, kind="stable")
    scores, correct = items.scores[order], np.cumsum(items.correct[order])
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    scores, correct, predicted = scores[last], correct[last], last + 1.0
    # the lowest score is kept, too
    thresholds = np.append((scores[1:] + scores[:-1]) / 2, scores[-1:] * (1 - 1e-6))
    gold = max(items.gold.total(), 1)
    return Cuts(thresholds, predicted, correct / predicted, correct / gold, 2 * correct / (predicted + gold))


def precision_recall(candidates: ScoredItems, now: ScoredItems) -> dict[str, Any] | None:
    """Precision and recall at all thresholds; None without candidates or gold.

    candidates: what is predicted with very low thresholds. now: what is predicted with those that are set.

    Returns `points`, the curve from the highest threshold on, of at most 200 points; `thresholds`, its points
    at 0.1, 0.2 and so on where anything is predicted; and `now`. A point has `p`, `r`, `f` and, but for
    `now`, its `threshold`.
    """
    if not len(candidates) or not candidates.gold.total():
        return None
    found = cuts(candidates)
    size = len(found.thresholds)
    chosen = np.unique(np.linspace(0, size - 1, min(size, POINTS)).astype(int))
    columns = (
        column[chosen].tolist() for column in (found.thresholds, found.precision, found.recall, found.f1)
    )
    above = {x: candidates.where(candidates.scores >= x) for x in TENTHS}
    return {
        "points": [
            dict(zip(("threshold", "p", "r", "f"), row, strict=True)) for row in zip(*columns, strict=True)
        ],
        "thresholds": [{"threshold": x, **_ratios(items)} for x, items in above.items() if len(items)],
        "now": _ratios(now),
    }


def _ratios(items: ScoredItems) -> dict[str, float]:
    correct = int(items.correct.sum())
    return PRF(correct, len(items) - correct, items.gold.total() - correct).ratios()


def calibration_scores(items: ScoredItems, samples: int = 1000, seed: int = 0) -> dict[str, Any] | None:
    """How far scores are the probabilities that they should be; None without items or without scores.

    Returns `items`, how many there are; `ece`, the expected calibration error over ten bins, and `brier`, the
    mean square of score minus 1 (correct) or 0 (wrong), each with its 95 % interval (None if fewer than two
    texts have items); and `bins`: of each bin that has items `low`, `high`, `items`, the mean `score`, and
    the share that is `correct`.
    """
    if not len(items) or (items.scores == 1).all():
        return None
    bins = np.minimum((items.scores * BINS).astype(int), BINS - 1)
    table = np.zeros((items.size, BINS, 4))
    values = np.stack([np.ones(len(items)), items.scores, items.correct, (items.scores - items.correct) ** 2])
    np.add.at(table, (items.texts, bins), values.T)
    sums = resampled(table, samples, seed)
    count = sums[..., 0].sum(axis=1)
    parts = {"ece": abs(sums[..., 1] - sums[..., 2]).sum(axis=1), "brier": sums[..., 3].sum(axis=1)}
    found: dict[str, Any] = {"items": len(items)}
    for name, part in parts.items():
        score, *drawn = part[count > 0] / count[count > 0]
        known = len(np.unique(items.texts)) > 1
        found |= {name: float(score), f"{name}_interval": list(percentiles(score, drawn)) if known else None}
    found["bins"] = [
        {
            "low": number / BINS, "high": (number + 1) / BINS, "items": int(size),
            "score": score / size, "correct": correct / size,
        }
        for number, (size, score, correct, _) in enumerate(sums[0].tolist()) if size
    ]  # fmt: skip
    return found

"""Predictions with scores, correct or not, for tests of calibration."""

from __future__ import annotations

from collections.abc import Sequence

from spacy_bispn.evaluation.confidence import ScoredItems
from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.records import AnnotatedText, Entity, Extraction

Row = tuple[float, bool]  # a score, and whether the prediction is correct


def judged(text: Sequence[Row], missed: int = 0) -> Judged:
    """A text in which entities with these scores are predicted, and correct or not."""
    gold = [Entity(n, n + 1, "A") for n, (_, right) in enumerate(text) if right]
    gold += [Entity(100 + n, 101 + n, "B") for n in range(missed)]
    predicted = tuple(Entity(n, n + 1, "A", score) for n, (score, _) in enumerate(text))
    return Judged(AnnotatedText("x", "", Extraction(tuple(gold))), Extraction(predicted))


def items(texts: Sequence[Sequence[Row]], missed: int = 0) -> ScoredItems:
    return ScoredItems.of([judged(text, missed) for text in texts], "entities", ())

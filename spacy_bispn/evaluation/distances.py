"""Scores of relations inside one sentence and of those across sentences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from spacy_bispn.converters.cutting import sentences_apart
from spacy_bispn.evaluation.conventions import Judged, get_convention, score
from spacy_bispn.records import Extraction

INSIDE, ACROSS = "inside one sentence", "across sentences"


def score_distances(
    name: str, texts: Sequence[Judged], symmetric: Collection[str] = (), samples: int = 1000
) -> dict[str, Any]:
    """What `score` gives for the relations of each distance, by its name.

    Empty where no relation, gold or predicted, joins two sentences, and for a convention that does not
    compare relations by the places of their ends. Raises SettingError for an unknown convention.
    """
    if not get_convention(name).by_place:
        return {}
    parts = {kind: [_only(text, kind) for text in texts] for kind in (INSIDE, ACROSS)}
    if not any(text.gold.extraction.relations or text.predicted.relations for text in parts[ACROSS]):
        return {}
    return {kind: score(name, part, symmetric, samples)["relations"] for kind, part in parts.items()}


def _only(text: Judged, kind: str) -> Judged:
    """A text with the relations of one distance."""

    def kept(extraction: Extraction) -> Extraction:
        relations = (
            x for x in extraction.relations if bool(sentences_apart(x, text.edges)) == (kind == ACROSS)
        )
        return replace(extraction, relations=tuple(relations))

    gold = replace(text.gold, extraction=kept(text.gold.extraction))
    return replace(text, gold=gold, predicted=kept(text.predicted))

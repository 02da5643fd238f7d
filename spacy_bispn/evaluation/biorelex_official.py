"""The scores of BioRelEx's official script (Khachatrian et al., 2019), of sentences as in its files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any

from spacy_bispn.converters.formats.biorelex import Sentence
from spacy_bispn.evaluation.scoring import PRF


def official_scores(gold: Sequence[Sentence], predicted: Sequence[Sentence]) -> dict[str, float]:
    """Micro scores by the rules of the official script, from 0 to 1.

    gold, predicted: loaded JSON lists, matched by `id`; a gold sentence without a prediction is left
    out with a warning, as there.

    `mention_p`, `_r`, `_f`: name, start and end agree; types are not compared.
    `relation_p`, `_r`, `_f`: a gold interaction is found if all of its pairs of names are predicted,
    wherever these stand in the sentence; a predicted pair that no gold interaction has is a false
    positive. Interaction labels are not compared.
    """
    by_id = {sentence["id"]: sentence for sentence in predicted}
    missing = [sentence["id"] for sentence in gold if sentence["id"] not in by_id]
    if missing:
        warnings.warn(
            f"Found no prediction for {len(missing)} of {len(gold)} gold sentences ({missing[0]!r}, ...), "
            "expected one for each: their gold is left out of the scores. Predict every sentence.",
            stacklevel=2,
        )
    mentions, relations = PRF(), PRF()
    for sentence in gold:
        if sentence["id"] in by_id:
            found = official_counts(sentence, by_id[sentence["id"]])
            mentions, relations = mentions + found[0], relations + found[1]
    return {
        f"{unit}_{ratio}": value
        for unit, counts in (("mention", mentions), ("relation", relations))
        for ratio, value in counts.ratios().items()
    }


def official_counts(gold: Sentence, predicted: Sentence) -> tuple[PRF, PRF]:
    """Counts of one sentence, of mentions and of interactions, by the rules of the official script."""
    return _score_mentions(gold, predicted), _score_relations(gold, predicted)


def _score_mentions(gold: Sentence, predicted: Sentence) -> PRF:
    def units(sentence: Sentence) -> set[tuple[str, int, int]]:
        return {
            (name, start, end)
            for cluster in sentence["entities"]
            for name in _mentioned_names(cluster)
            for start, end in cluster["names"][name]["mentions"]
        }

    found, wanted = units(predicted), units(gold)
    return PRF(tp=len(found & wanted), fp=len(found - wanted), fn=len(wanted - found))


def _score_relations(gold: Sentence, predicted: Sentence) -> PRF:
    found = set().union(*(_name_pairs(predicted, interaction) for interaction in predicted["interactions"]))
    wanted = [_name_pairs(gold, interaction) for interaction in gold["interactions"]]
    complete = sum(pairs <= found for pairs in wanted)
    # A pair of a partly found interaction is neither right nor wrong.
    return PRF(tp=complete, fp=len(found.difference(*wanted)), fn=len(wanted) - complete)


def _name_pairs(sentence: Sentence, interaction: dict[str, Any]) -> set[frozenset[str]]:
    """The unordered pairs of names an interaction joins; a pair of equal names has one member."""
    first, second = (_mentioned_names(sentence["entities"][index]) for index in interaction["participants"])
    return {frozenset(pair) for pair in product(first, second)}


def _mentioned_names(cluster: dict[str, Any]) -> list[str]:
    return [name for name, details in cluster["names"].items() if details["is_mentioned"]]

"""Precision, recall and F1 of extractions: exact matches between sets, text by text.

All ratios are floats from 0 to 1; an undefined one (0/0) is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from spacy_bispn.records import Entity, Extraction, Relation

Unit = tuple[Hashable, str]  # what is compared, and the label it is counted under
View = Callable[[Entity], tuple[int | str, ...]]
ANY = "any label"  # the label of items whose labels are not compared


@dataclass
class PRF:
    """Counts of true positives, false positives and false negatives, and their ratios."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: PRF) -> PRF:
        return PRF(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    def count(self, in_gold: bool, in_predicted: bool) -> None:
        """Count one unit, found in gold, in the predictions, or in both."""
        self.tp += in_gold and in_predicted
        self.fp += in_predicted and not in_gold
        self.fn += in_gold and not in_predicted

    @property
    def precision(self) -> float:
        """The share of predictions that are in gold."""
        return self.tp / (self.tp + self.fp) if self.tp else 0.0

    @property
    def recall(self) -> float:
        """The share of gold that is predicted."""
        return self.tp / (self.tp + self.fn) if self.tp else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp else 0.0

    @property
    def f1_parts(self) -> tuple[int, int]:
        """Numerator and denominator of F1, which add up over texts as the counts do."""
        return 2 * self.tp, 2 * self.tp + self.fp + self.fn

    def ratios(self) -> dict[str, float]:
        """Precision, recall and F1 under the keys `p`, `r` and `f`."""
        return {"p": self.precision, "r": self.recall, "f": self.f1}


class Pair(NamedTuple):
    """The gold and the predicted extraction of a text; a plain 2-tuple means that gold is complete.

    A text whose gold is not annotated with entities (or relations) is left out of that part's scores.
    """

    gold: Extraction
    predicted: Extraction
    entities_annotated: bool = True
    relations_annotated: bool = True


def score_extractions(
    pairs: Iterable[Pair | tuple[Extraction, Extraction]], symmetric: Collection[str] = ()
) -> dict[str, Any]:
    """Score predicted extractions against gold ones; duplicates within a text count once.

    pairs: gold and predicted extraction of each text; see `Pair` for partly annotated texts.
    symmetric: relation labels for which head and tail may be exchanged.

    Returns a flat dict of floats from 0 to 1, with `_p`, `_r` and `_f` for each of

    - `ents`: start, end and label agree; micro average
    - `ents_macro`: the same, unweighted mean over the labels found in gold or predictions
    - `ents_boundary`: start and end agree
    - `rel_micro`: relation label, and start, end and label of head and tail, agree
    - `rel_macro`: the same, unweighted mean over the relation labels
    - `rel_boundary`: relation label, and start and end of head and tail, agree

    and with `ents_per_type` and `rel_per_type` (label to `p`, `r`, `f`). Values are None where no
    text has gold annotation of that kind. `bispn_coherence` is the share of predicted relations
    whose head and tail are both predicted entities, None if no relation is predicted;
    `bispn_raw_coherence` is that share before the component changed relations to join entities, None too
    where predictions do not know it. `bispn_schema_changed` and `bispn_schema_dropped` are the shares of the
    relations as predicted that a schema gave other labels and that it dropped, None without a schema.
    """
    all_pairs = [Pair(*pair) for pair in pairs]
    entity_pairs = [pair for pair in all_pairs if pair.entities_annotated]
    relation_pairs = [pair for pair in all_pairs if pair.relations_annotated]

    entities = _count(entity_pairs, lambda found: entity_units(found, typed))
    boundaries = _count(entity_pairs, lambda found: entity_units(found, boundary))
    relations = _count(relation_pairs, lambda found: relation_units(found, typed, symmetric))
    linked_boundaries = _count(relation_pairs, lambda found: relation_units(found, boundary, symmetric))

    scores: dict[str, Any] = {
        **_micro("ents", entities),
        **_named("ents_macro", macro_average(entities)),
        **_micro("ents_boundary", boundaries),
        "ents_per_type": _per_type(entities),
        **_micro("rel_micro", relations),
        **_named("rel_macro", macro_average(relations)),
        **_micro("rel_boundary", linked_boundaries),
        "rel_per_type": _per_type(relations),
    }
    if not entity_pairs:
        scores |= {key: None for key in scores if key.startswith("ents_")}
    if not relation_pairs:
        scores |= {key: None for key in scores if key.startswith("rel_")}
    predicted = [pair.predicted for pair in all_pairs]
    scores["bispn_coherence"] = coherence(found.coherence_parts() for found in predicted)
    scores["bispn_raw_coherence"] = coherence(found.joined or (0, 0) for found in predicted)
    counts = schema_counts(predicted) or {}
    total = counts.get("predicted")
    for what in ("changed", "dropped"):
        scores[f"bispn_schema_{what}"] = counts[what] / total if total else None
    return scores


def schema_counts(predicted: Iterable[Extraction]) -> dict[str, int] | None:
    """How many relations were predicted, and what a schema did to how many of them; None without one."""
    counted = [(x.joined[1], *x.forbidden) for x in predicted if x.joined and x.forbidden]
    totals = (sum(numbers) for numbers in zip(*counted, strict=True))
    return dict(zip(("predicted", "changed", "dropped"), totals, strict=True)) if counted else None


def typed(entity: Entity) -> tuple[int | str, ...]:
    """An entity as strict scores see it."""
    return (entity.start, entity.end, entity.label)


def boundary(entity: Entity) -> tuple[int | str, ...]:
    """An entity as boundary-only scores see it."""
    return (entity.start, entity.end)


def entity_units(extraction: Extraction, view: View) -> set[Unit]:
    """Entities as seen by `view`, under their labels, or under `ANY` where it sees none."""
    return {(view(entity), ANY if view is boundary else entity.label) for entity in extraction.entities}


def relation_units(extraction: Extraction, view: View, symmetric: Collection[str]) -> set[Unit]:
    """Relations with their ends as seen by `view`; the ends of symmetric ones have no order."""
    # Oriented by what is compared: words, for example, are in another order than their positions.
    seen = (
        Relation(view(relation.head), view(relation.tail), relation.label).oriented(symmetric)
        for relation in extraction.relations
    )
    return {((relation.head, relation.tail), relation.label) for relation in seen}


def count_units(gold: set[Unit], predicted: set[Unit]) -> dict[str, PRF]:
    """Counts of one text per label."""
    counts: dict[str, PRF] = {}
    for unit in gold | predicted:
        counts.setdefault(unit[1], PRF()).count(unit in gold, unit in predicted)
    return counts


def add_up(counts: Iterable[dict[str, PRF]]) -> dict[str, PRF]:
    """Counts per label, summed over texts."""
    total: dict[str, PRF] = {}
    for one in counts:
        for label, found in one.items():
            total[label] = total.get(label, PRF()) + found
    return total


def macro_average(counts: dict[str, PRF]) -> dict[str, float]:
    """The unweighted mean over labels of each ratio; 0 where there are no labels."""
    labels = [found.ratios() for found in counts.values()]
    return {ratio: sum(one[ratio] for one in labels) / len(labels) if labels else 0.0 for ratio in "prf"}


def coherence(parts: Iterable[tuple[int, int]]) -> float | None:
    """Share of predicted relations both of whose ends are predicted entities; None without relations.

    parts: of each text, how many relations have such ends, and how many there are.
    """
    coherent, total = (sum(numbers) for numbers in zip((0, 0), *parts, strict=True))
    return coherent / total if total else None


def _count(pairs: Iterable[Pair], units: Callable[[Extraction], set[Unit]]) -> dict[str, PRF]:
    return add_up(count_units(units(pair.gold), units(pair.predicted)) for pair in pairs)


def _micro(prefix: str, counts: dict[str, PRF]) -> dict[str, float]:
    return _named(prefix, sum(counts.values(), PRF()).ratios())


def _named(prefix: str, ratios: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}_{ratio}": value for ratio, value in ratios.items()}


def _per_type(counts: dict[str, PRF]) -> dict[str, dict[str, float]]:
    return {label: counts[label].ratios() for label in sorted(counts)}

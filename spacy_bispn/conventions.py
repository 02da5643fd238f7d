"""Conventions of the field: what is counted as one item, what as the same, and how labels are averaged.

A convention counts one text at a time; scores, averages and intervals are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_bispn.bootstrap import intervals
from spacy_bispn.converters.biorelex import Sentence, official_counts, to_official
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation
from spacy_bispn.scoring import (
    ANY,
    PRF,
    View,
    add_up,
    boundary,
    count_units,
    entity_units,
    macro,
    relation_units,
    typed,
)


@dataclass(frozen=True)
class Judged:
    """A text with gold, and what was predicted for it.

    A text whose gold says nothing about entities (or relations) is left out of that part's scores.
    official: the text's gold as BioRelEx has it, which alone knows which mentions form a cluster.
    """

    gold: AnnotatedText
    predicted: Extraction
    entities_annotated: bool = True
    relations_annotated: bool = True
    official: Sentence | None = None


Counts = dict[str, dict[str, PRF]]  # "entities" and "relations", or one of them, then labels


@dataclass(frozen=True)
class Convention:
    """How somebody scores.

    count: the counts of one text, given the relation labels without a direction.
    macro: whether the overall score is the mean over labels, not that of all items together.
    about: what agrees, and who scores that way.
    """

    count: Callable[[Judged, Collection[str]], Counts]
    about: str
    macro: bool = False


def get_convention(name: str) -> Convention:
    """A convention by its name. Raises ValueError for an unknown one."""
    if name not in CONVENTIONS:
        raise ValueError(
            f"the convention is {name!r}, expected one of {', '.join(CONVENTIONS)}: choose one of these."
        )
    return CONVENTIONS[name]


def score(
    name: str, texts: Iterable[Judged], symmetric: Collection[str] = (), samples: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any] | None]:
    """Score texts by a convention; ratios are floats from 0 to 1.

    symmetric: relation labels without a direction. samples: how many the bootstrap draws.

    Returns for "entities" and "relations", as far as the convention has them, `p`, `r`, `f`, the 95 %
    interval of the latter as `low` and `high`, and `labels` (label to the same with `tp`, `fp` and
    `fn`); or None where no text has gold annotation of that kind. Raises ValueError for an unknown
    convention, or one that needs to know more about the texts.
    """
    convention = get_convention(name)
    parts: dict[str, list[dict[str, PRF]]] = {}
    for text in texts:
        annotated = {"entities": text.entities_annotated, "relations": text.relations_annotated}
        for part, counts in convention.count(text, symmetric).items():
            found = parts.setdefault(part, [])
            if annotated[part]:
                found.append(counts)
    return {
        part: _summary(counts, convention.macro, samples, seed) if counts else None
        for part, counts in parts.items()
    }


def _summary(texts: Sequence[dict[str, PRF]], by_label: bool, samples: int, seed: int) -> dict[str, Any]:
    parts = [{label: found.f1_parts for label, found in counts.items()} for counts in texts]
    (low, high), each = intervals(parts, by_label, samples, seed)
    total = add_up(texts)
    labels = {
        label: {**found.ratios(), "low": each[label][0], "high": each[label][1], **vars(found)}
        for label, found in sorted(total.items())
    }
    overall = macro(total) if by_label else sum(total.values(), PRF()).ratios()
    return {**overall, "low": low, "high": high, "labels": labels}


def _by(view: View) -> Callable[[Judged, Collection[str]], Counts]:
    def count(text: Judged, symmetric: Collection[str]) -> Counts:
        gold, predicted = text.gold.extraction, text.predicted
        return {
            "entities": count_units(entity_units(gold, view), entity_units(predicted, view)),
            "relations": count_units(
                relation_units(gold, view, symmetric), relation_units(predicted, view, symmetric)
            ),
        }

    return count


_strict, _boundaries = _by(typed), _by(boundary)


def _both_ways(text: Judged, symmetric: Collection[str]) -> Counts:
    def doubled(extraction: Extraction) -> Extraction:
        turned = (Relation(x.tail, x.head, x.label) for x in extraction.relations if x.label in symmetric)
        return Extraction(extraction.entities, (*extraction.relations, *turned))

    return _strict(_changed(text, doubled), ())


def _no_overlapping(text: Judged, symmetric: Collection[str]) -> Counts:
    def apart(one: Entity, other: Entity) -> bool:
        return one == other or one.end <= other.start or other.end <= one.start

    def flat(extraction: Extraction) -> Extraction:
        entities = extraction.entities
        return Extraction(
            tuple(one for one in entities if all(apart(one, other) for other in entities)),
            tuple(relation for relation in extraction.relations if apart(relation.head, relation.tail)),
        )

    return _strict(_changed(text, flat), symmetric)


def _official(text: Judged, symmetric: Collection[str]) -> Counts:
    if text.official is None:
        raise ValueError(
            f"the convention 'biorelex' was given text {text.gold.id!r} without clusters and interactions, "
            "expected a file of BioRelEx: pass the published JSON file with --format biorelex."
        )
    (predicted,) = to_official([(text.gold.id, text.gold.text, text.predicted)])
    mentions, interactions = official_counts(text.official, predicted)
    return {"entities": {ANY: mentions}, "relations": {ANY: interactions}}


def _strings(text: Judged, symmetric: Collection[str]) -> Counts:
    def words(entity: Entity) -> tuple[str]:
        return (text.gold.text[entity.start : entity.end],)

    gold, predicted = (
        relation_units(extraction, words, symmetric) for extraction in (text.gold.extraction, text.predicted)
    )
    return {"relations": count_units(gold, predicted)}


def _changed(text: Judged, change: Callable[[Extraction], Extraction]) -> Judged:
    gold = AnnotatedText(text.gold.id, text.gold.text, change(text.gold.extraction))
    return Judged(gold, change(text.predicted))


CONVENTIONS = {
    "strict": Convention(
        _strict,
        "Spans and labels agree, those of a relation's ends too; a symmetric relation counts once. "
        "He and Tang (2023); on SciERC Eberts and Ulges (2020).",
    ),
    "boundaries": Convention(_boundaries, "Spans and relation labels agree; entity labels do not count."),
    "symmetric-twice": Convention(
        _both_ways,
        "As strict, but a symmetric relation counts in both directions, in gold and in predictions. "
        "On SciERC Wang et al. (2021, UniRE) and Ye et al. (2022, PL-Marker).",
    ),
    "biorelex": Convention(
        _official,
        "Mentions by name and place, without types; interactions by names, all of them or none, without "
        "labels. The official script of Khachatrian et al. (2019).",
    ),
    "spert": Convention(
        _strict,
        "As strict, with the mean over labels. On ADE Eberts and Ulges (2020), as the mean over ten folds.",
        macro=True,
    ),
    "spert-no-overlapping": Convention(
        _no_overlapping,
        "As spert, without entities that overlap another one and relations whose own ends overlap, in gold "
        "and in predictions. Eberts and Ulges (2020), with their option of this name.",
        macro=True,
    ),
    "text2dt": Convention(
        _strings,
        "Relations by their label and the words of head and tail, wherever these stand. On Text2DT He and "
        "Tang (2023).",
    ),
}

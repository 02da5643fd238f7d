"""BioRelEx 1.0 (Khachatrian et al., 2019): its JSON format, in both directions, and its official scores.

Entities are clusters of names, each name with its mentions; interactions join clusters. Here every
mention is an entity, and an interaction is a relation between every mention of the one cluster and
every mention of the other.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    ConversionError,
    Place,
    Rules,
    argument_indices,
    read_items,
)
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation
from spacy_bispn.scoring import PRF

LABELS = {1: "binds", -1: "not_binds", 0: "may_bind"}
SYMMETRIC = tuple(LABELS.values())

Sentence = dict[str, Any]  # one object of the JSON list


def recognizes(item: Any) -> bool:
    return isinstance(item, dict) and {"text", "entities", "interactions"} <= item.keys()


def read(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read a published file. Raises ConversionError on malformed input.

    An interaction of a cluster with itself also relates each of its mentions to itself.
    Reported as problems: names without a mention, and names that differ from the text they mark.
    """
    rules["symmetric"] = (*SYMMETRIC, *rules.get("symmetric", ()))
    conversion = Conversion(**rules)
    for place, item in read_items(path):
        with conversion.attempt():
            _add(conversion, place, item)
    return conversion


def write(path: Path, texts: Iterable[AnnotatedText]) -> None:
    """Write a list that the official script scores; `read` gives the same texts back, without words.

    Raises ConversionError where `to_official` does.
    """
    sentences = to_official((text.id, text.text, text.extraction) for text in texts)
    save(path, json.dumps(sentences, ensure_ascii=False))


def to_official(predictions: Iterable[tuple[str, str, Extraction]]) -> list[Sentence]:
    """Predictions, as (id, text, extraction), in the format that the official script scores.

    Every mention becomes a cluster of its own. The script skips sentences it does not find, so give
    it all of them, those with an empty extraction too. Raises ConversionError for a relation label
    that BioRelEx does not have, or a relation whose head or tail is not among the entities.
    """
    return [_to_sentence(text_id, text, extraction) for text_id, text, extraction in predictions]


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


def _add(conversion: Conversion, place: Place, item: Any) -> None:
    text_id, text = place.get(item, "id", str), place.get(item, "text", str)
    clusters = []
    problems: list[str] = []
    for cluster in place.get(item, "entities", list):
        names = _mentions_by_name(place, cluster)
        clusters.append([mention for mentions in names.values() for mention in mentions])
        problems += _name_problems(names, text)
    entities = [entity for cluster in clusters for entity in cluster]
    interactions = place.get(item, "interactions", list)
    joined = [list(_relations(place, interaction, clusters)) for interaction in interactions]
    relations = [relation for found in joined for relation in found]
    conversion.drop({"interactions of a cluster without a mention": joined.count([])})
    conversion.add(place, text_id, text, entities, relations)
    for problem in problems:
        conversion.problem(text_id, problem)


def _mentions_by_name(place: Place, cluster: Any) -> dict[str, list[Entity]]:
    label = place.get(cluster, "label", str)
    spans = {
        name: [place.row(span, int, int) for span in place.get(details, "mentions", list)]
        for name, details in place.get(cluster, "names", dict).items()
    }
    return {name: [Entity(start, end, label) for start, end in found] for name, found in spans.items()}


def _name_problems(names: dict[str, list[Entity]], text: str) -> Iterator[str]:
    for name, mentions in names.items():
        if not mentions:
            yield f"the name {name!r} has no mention in the text"
        for mention in mentions:
            marked = text[mention.start : mention.end]
            if marked != name:
                yield f"the name {name!r} marks {marked!r} at {mention.start} to {mention.end}"


def _relations(place: Place, interaction: Any, clusters: list[list[Entity]]) -> Iterator[Relation[Entity]]:
    first, second = place.row(place.get(interaction, "participants", list), int, int)
    label = place.get(interaction, "label", int)
    if label not in LABELS:
        expected = f"one of {', '.join(map(str, LABELS))}"
        raise place.error(f"the interaction label {label}", expected, "Correct the label.")
    arguments = place.pick(clusters, first, "cluster"), place.pick(clusters, second, "cluster")
    # Within one cluster this gives both directions of a pair; the second is dropped as a duplicate.
    for head, tail in product(*arguments):
        yield Relation(head, tail, LABELS[label])


def _to_sentence(text_id: str, text: str, extraction: Extraction) -> Sentence:
    numbers = {name: number for number, name in LABELS.items()}
    unknown = {relation.label for relation in extraction.relations} - numbers.keys()
    if unknown:
        raise ConversionError(
            f"text {text_id!r}: found the relation label {min(unknown)!r}, expected one of: "
            f"{', '.join(numbers)}. Use the labels that the biorelex reader gives."
        )
    arguments = argument_indices(extraction.entities, extraction.relations, text_id)
    return {
        "id": text_id,
        "text": text,
        "entities": [_to_cluster(text, entity) for entity in extraction.entities],
        "interactions": [
            {"participants": sorted(pair), "type": "bind", "label": numbers[relation.label]}
            for pair, relation in zip(arguments, extraction.relations, strict=True)
        ],
    }


def _to_cluster(text: str, entity: Entity) -> dict[str, Any]:
    name = {"is_mentioned": True, "mentions": [[entity.start, entity.end]]}
    return {
        "label": entity.label,
        "is_state": False,
        "is_mutant": False,
        "is_mentioned": True,
        "names": {text[entity.start : entity.end]: name},
    }


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

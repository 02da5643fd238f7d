"""BioRelEx 1.0 (Khachatrian et al., 2019): its JSON format, in both directions.

Entities are clusters of names, each name with its mentions; interactions join clusters. Here every
mention is an entity, and an interaction is a relation between every mention of the one cluster and
every mention of the other.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    ConversionError,
    FilePosition,
    ParsedItem,
    Rules,
    argument_indices,
    corpus_format,
    read_items,
)
from spacy_bispn.converters.parsed_item import cluster_id
from spacy_bispn.converters.standoff import Claim, check_claims
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

LABELS = {1: "binds", -1: "not_binds", 0: "may_bind"}
SYMMETRIC = tuple(LABELS.values())

KNOWN = ("id", "text", "entities", "interactions")
SOURCE = ("paperid", "url", "_line_")  # where a sentence comes from: no annotation

Sentence = dict[str, Any]  # one object of the JSON list


def is_biorelex(item: Any) -> bool:
    return isinstance(item, dict) and {"text", "entities", "interactions"} <= item.keys()


def write_biorelex(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write a list that the official script scores; `read_biorelex` gives the same texts back, without words.

    Counted: mentions whose clusters are split. Raises ConversionError where `to_official` does.
    """
    lost: Counter[str] = Counter()
    sentences = to_official(((text.id, text.text, text.extraction) for text in texts), lost)
    save(path, json.dumps(sentences, ensure_ascii=False))
    return lost


@corpus_format("biorelex", about="BioRelEx 1.0", recognizes=is_biorelex, write=write_biorelex, ids=True)
def read_biorelex(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read a published file. Raises ConversionError on malformed input.

    The mentions of a cluster have one id, "ID#0". An interaction of a cluster with itself also relates each
    of its mentions to itself.
    Reported as problems: names without a mention, and names that differ from the text they mark; if most of
    a sentence's do, that is an error.
    """
    rules["symmetric"] = (*SYMMETRIC, *rules.get("symmetric", ()))
    numbered = ((*item, number) for number, item in enumerate(read_items(path)))
    return Conversion(**rules).add_items(_parse, numbered)


def to_official(
    predictions: Iterable[tuple[str, str, Extraction]], lost: Counter[str] | None = None
) -> list[Sentence]:
    """Predictions, as (id, text, extraction), in the format that the official script scores.

    Mentions with one id and one label are a cluster, unless only some of them have a relation: then each is
    one, as is a mention without an id; `lost` counts what is split. The script skips sentences it does not
    find, so give it all of them, those with an empty extraction too. Raises ConversionError for a relation
    label that BioRelEx does not have, or a relation whose head or tail is not among the entities.
    """
    lost = Counter() if lost is None else lost
    return [_to_sentence(text_id, text, extraction, lost) for text_id, text, extraction in predictions]


def _parse(parsed: ParsedItem, position: FilePosition, item: Any, number: int) -> None:
    text_id, text = position.get_id(item, "id", number), position.get(item, "text", str)
    parsed.drop_keys(item, (*KNOWN, *SOURCE), "sentences")
    clusters = []
    claims: list[Claim] = []
    for index, cluster in enumerate(position.get(item, "entities", list)):
        names = _mentions_by_name(position, cluster, cluster_id(text_id, index))
        parsed.drop_keys(cluster, ("label", "names", "is_mentioned"), "entities")
        clusters.append([mention for mentions in names.values() for mention in mentions])
        for name, mentions in names.items():
            if not mentions:
                parsed.problem(text_id, f"the name {name!r} has no mention in the text")
            for mention in mentions:
                position.check_span(mention.start, mention.end, len(text), "characters")
                claims.append((position, text[mention.start : mention.end], name))
    check_claims(parsed, text_id, claims)
    entities = [entity for cluster in clusters for entity in cluster]
    interactions = position.get(item, "interactions", list)
    for interaction in interactions:
        parsed.drop_keys(interaction, ("participants", "label", "type"), "interactions")
    joined = [list(_relations(position, interaction, clusters)) for interaction in interactions]
    relations = [relation for found in joined for relation in found]
    parsed.drop("interactions of a cluster without a mention", joined.count([]), "relations")
    parsed.add(position, text_id, text, entities, relations)


def _mentions_by_name(position: FilePosition, cluster: Any, kb_id: str) -> dict[str, list[Entity]]:
    label = position.get(cluster, "label", str)
    spans = {
        name: [position.row(span, int, int) for span in position.get(details, "mentions", list)]
        for name, details in position.get(cluster, "names", dict).items()
    }
    return {
        name: [Entity(start, end, label, kb_id=kb_id) for start, end in found]
        for name, found in spans.items()
    }


def _relations(
    position: FilePosition, interaction: Any, clusters: list[list[Entity]]
) -> Iterator[Relation[Entity]]:
    first, second = position.row(position.get(interaction, "participants", list), int, int)
    label = position.get(interaction, "label", int)
    if label not in LABELS:
        expected = f"one of {', '.join(map(str, LABELS))}"
        raise position.error(f"the interaction label {label}", expected, "Correct the label.")
    arguments = position.pick(clusters, first, "cluster"), position.pick(clusters, second, "cluster")
    # Within one cluster this gives both directions of a pair; the second is dropped as a duplicate.
    for head, tail in product(*arguments):
        yield Relation(head, tail, LABELS[label])


def _to_sentence(text_id: str, text: str, extraction: Extraction, lost: Counter[str]) -> Sentence:
    numbers = {name: number for number, name in LABELS.items()}
    unknown = {relation.label for relation in extraction.relations} - numbers.keys()
    if unknown:
        raise ConversionError(
            f"text {text_id!r}: found the relation label {min(unknown)!r}, expected one of: "
            f"{', '.join(numbers)}. Use the labels that the biorelex reader gives."
        )
    entities, relations = extraction.entities, extraction.relations
    pairs = [
        (frozenset(pair), relation.label)
        for pair, relation in zip(argument_indices(entities, relations, text_id), relations, strict=True)
    ]
    clusters = _clusters(entities, pairs, lost)
    home = {mention: number for number, cluster in enumerate(clusters) for mention in cluster}
    joined = [(tuple(sorted((home[min(pair)], home[max(pair)]))), label) for pair, label in pairs]
    return {
        "id": text_id,
        "text": text,
        "entities": [_to_cluster(text, [entities[mention] for mention in cluster]) for cluster in clusters],
        "interactions": [
            {"participants": [*participants], "type": "bind", "label": numbers[label]}
            for participants, label in dict.fromkeys(joined)
        ],
    }


def _clusters(
    entities: Sequence[Entity], pairs: Sequence[tuple[frozenset[int], str]], lost: Counter[str]
) -> list[tuple[int, ...]]:
    """The mentions of each cluster, by their numbers; `pairs` are the related ones with their labels."""
    alike: dict[Any, list[int]] = defaultdict(list)
    for number, entity in enumerate(entities):
        alike[(entity.kb_id, entity.label) if entity.kb_id else number].append(number)
    home = {mention: name for name, cluster in alike.items() for mention in cluster}
    related: dict[Any, set[frozenset[int]]] = defaultdict(set)
    for pair, label in pairs:
        related[frozenset(home[mention] for mention in pair), label].add(pair)
    split = {
        name
        for (names, _), found in related.items()
        if {frozenset(pair) for pair in product(alike[next(iter(names))], alike[[*names][-1]])} - found
        for name in names
    }
    lost["mentions out of clusters of which only some have a relation"] += sum(
        len(alike[name]) for name in split if len(alike[name]) > 1
    )
    return [
        part
        for name, cluster in alike.items()
        for part in ([(mention,) for mention in cluster] if name in split else [tuple(cluster)])
    ]


def _to_cluster(text: str, mentions: Sequence[Entity]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for one in mentions:
        name = names.setdefault(text[one.start : one.end], {"is_mentioned": True, "mentions": []})
        name["mentions"].append([one.start, one.end])
    return {
        "label": mentions[0].label,
        "is_state": False,
        "is_mutant": False,
        "is_mentioned": True,
        "names": names,
    }

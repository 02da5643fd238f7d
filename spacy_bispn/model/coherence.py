"""Relations that join predicted entities, and that a schema permits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

from spacy_bispn.model.decoding import Decoding
from spacy_bispn.model.mentions import Things, shared, things_by_id
from spacy_bispn.model.readings import permitted_reading
from spacy_bispn.model.schema import Schema
from spacy_bispn.records import Entity, Extraction, Labels, Relation, overlap_ratio
from spacy_bispn.span_index import SpanIndex, without_overlaps

Item = TypeVar("Item", Entity, Relation[Entity])


def cohere(
    extraction: Extraction,
    labels: Labels,
    decoding: Decoding,
    schema: Schema | None = None,
    text: str | None = None,
) -> Extraction:
    """Sets without duplicates, in which every relation joins two of the entities unless coherence is off.

    `joined` is that of the sets as they were predicted, before any relation is changed.
    schema: what is permitted between the entities that relations join, after ends have moved or were added.
    text: where the entities are; needed where mentions share relations, as it has their words.
    """
    predicted = _as_predicted(extraction, labels, decoding)
    if decoding.coherence == "off" and schema is None and not decoding.share_relations:
        return predicted
    # equal entities may have other scores: the values are those that are emitted
    emitted = {entity: entity for entity in predicted.entities}
    index = SpanIndex(predicted.entities)
    relations = []
    changed = dropped = 0
    for relation in sorted(predicted.relations, key=lambda x: -x.score):
        reading = relation
        if schema is not None:
            find = partial(_find, emitted=emitted, index=index, decoding=decoding)
            permitted = permitted_reading(relation, find, schema, decoding.relations.floor)
            if permitted is not None and permitted is not relation:
                permitted = decoding.relations.rescored(permitted)
            if permitted is None:
                dropped += 1
                continue
            changed += permitted is not relation
            reading = permitted
        ends = []
        for end in (reading.head, reading.tail):
            found = _find(end, emitted, index, decoding)
            if found is not None and found not in emitted:  # added, and there for the next end to find
                emitted[found] = found
                index.add(found)
            if found is not None:
                ends.append(emitted[found])
        # two different ends may have snapped to one entity: that was no relation of it with itself
        if len(ends) == 2 and (ends[0] != ends[1] or reading.head == reading.tail):
            head, tail = ends
            relations.append(Relation(head, tail, reading.label, reading.score).oriented(labels.symmetric))
    predictions = relations = _best(relations)
    thing: Things | None = None
    if decoding.share_relations:
        assert text is not None
        mentions = dict.fromkeys([*predicted.entities, *_ends(relations)])
        thing = things_by_id(text, mentions)
        relations = shared(relations, mentions, thing, labels.symmetric)
    kept = relations if schema is None else schema.limit(relations, thing)
    # with "add", the ends of those that are left: with "off", ends are no entities
    added = () if decoding.coherence == "off" else _ends(kept)
    entities = dict.fromkeys([*predicted.entities, *added])
    forbidden = None if schema is None else (changed, dropped + len({*predictions} - {*kept}))
    return Extraction(tuple(sorted(entities)), tuple(sorted(kept)), predicted.joined, forbidden)


def _ends(relations: Iterable[Relation[Entity]]) -> Iterator[Entity]:
    """Their heads and tails."""
    return (end for relation in relations for end in (relation.head, relation.tail))


def _as_predicted(extraction: Extraction, labels: Labels, decoding: Decoding) -> Extraction:
    """Sets without duplicates, in order; the ends of relations need not be among the entities."""
    entities = _best(extraction.entities)
    if decoding.remove_overlaps:
        entities = without_overlaps(entities)
    known = {entity: entity for entity in entities}
    relations = _best(
        replace(x, head=known.get(x.head, x.head), tail=known.get(x.tail, x.tail)).oriented(labels.symmetric)
        for x in extraction.relations
    )
    found = Extraction(tuple(sorted(entities)), tuple(sorted(relations)))
    return replace(found, joined=found.coherence_parts())


def _find(end: Entity, emitted: Collection[Entity], index: SpanIndex, decoding: Decoding) -> Entity | None:
    """The entity that the end of a relation stands for, emitted or to be added; None without any."""
    if end in emitted or decoding.coherence == "off":
        return end
    near = index.overlapping(end.start, end.end)
    if decoding.coherence == "add":
        # what may not overlap may not come back through a relation
        near = [x for x in near if decoding.remove_overlaps and x.label == end.label]
        if not near:
            return end
    elif decoding.coherence == "drop":
        return None
    return max(near, key=lambda x: (overlap_ratio(x, end), x.label == end.label, x.score, x), default=None)


def _best(items: Iterable[Item]) -> list[Item]:
    """Of equal items only the one with the highest score."""
    best: dict[Item, Item] = {}
    for item in items:
        if item not in best or best[item].score < item.score:
            best.pop(item, None)
            best[item] = item
    return list(best)

"""Relations whose query is read otherwise where a schema forbids what it says first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from spacy_bispn.model.query_predictions import OpenRelationQuery
from spacy_bispn.model.schema import Schema
from spacy_bispn.records import Entity, Relation

Find = Callable[[Entity], Entity | None]


@dataclass(frozen=True, eq=False)  # equality and order are those of a relation
class OpenRelation(Relation[Entity]):
    """A relation with everything that its query may mean.

    ends: head and tail as they were predicted; those of a symmetric relation may since have changed places.
    query: the probabilities of all labels.
    """

    ends: tuple[Entity, Entity] = field(kw_only=True)
    query: OpenRelationQuery = field(kw_only=True)

    @classmethod
    def of(cls, first: Relation[Entity], query: OpenRelationQuery) -> OpenRelation:
        """What a query says first, with the rest."""
        ends = (first.head, first.tail)
        return cls(*ends, first.label, first.score, ends=ends, query=query)


class End(NamedTuple):
    """One meaning of a relation's end.

    end: the span with a label. entity: what the end stands for. weight: the label's probability by that of
    the likeliest label.
    """

    end: Entity
    entity: Entity
    weight: float


def permitted_reading(
    relation: Relation[Entity], find: Find, schema: Schema, threshold: float | None
) -> Relation[Entity] | None:
    """The relation itself where the schema permits it, else the likeliest reading that it permits, or None.

    A reading is a relation label with a label of each end; its weight is the product of their probabilities,
    those of the ends by their likeliest label's. Its score is its weight by that of all permitted labels
    between these ends and of no relation, so that what is forbidden has no share. It must reach the
    relation's threshold, or without one weigh more than no relation.

    find: gives what an end stands for, None for nothing.
    """
    head, tail = find(relation.head), find(relation.tail)
    if head is None or tail is None or (head == tail and relation.head != relation.tail):
        return relation  # which coherence drops
    if schema.permits(head.label, relation.label, tail.label):
        return relation
    if not isinstance(relation, OpenRelation):
        return None
    nothing, *shares = relation.query.relation
    # no reading of less weight can reach the threshold
    least = nothing if threshold is None else 0.999 * nothing * threshold / max(1 - threshold, 1e-9)
    ranked = sorted(zip(shares, schema.labels.relation, strict=True), reverse=True)
    names = schema.labels.entity
    heads = list(meanings(relation.ends[0], relation.query.head, names, find))
    tails = list(meanings(relation.ends[1], relation.query.tail, names, find))
    best: tuple[End, str, End] | None = None
    for share, label in ranked:
        for one in heads:
            for other in tails:
                weight = share * one.weight * other.weight
                if weight <= least:
                    break
                # two ends that become one entity are no relation
                apart = one.entity != other.entity or one.end == other.end
                if apart and schema.permits(one.entity.label, label, other.entity.label):
                    best, least = (one, label, other), weight
    if best is None:
        return None
    one, label, other = best
    rivals = [x for x, name in ranked if schema.permits(one.entity.label, name, other.entity.label)]
    score = least / (nothing + sum(rivals) * one.weight * other.weight)
    return Relation(one.end, other.end, label, score) if score >= (threshold or 0.0) else None


def meanings(end: Entity, types: Sequence[float], names: Sequence[str], find: Find) -> Iterator[End]:
    """What an end may stand for, the likeliest first.

    types: the probability of each of the labels `names`; all are 0 of a given entity.
    """
    most = max(types)
    if not most and (given := find(end)) is not None:
        yield End(end, given, 1.0)
    for share, name in sorted(zip(types, names, strict=True), key=lambda pair: -pair[0]):
        if share <= 0:
            return
        read = replace(end, label=name, score=end.score * share / most)
        entity = find(read)
        if entity is not None and entity.label == name:
            yield End(read, entity, share / most)

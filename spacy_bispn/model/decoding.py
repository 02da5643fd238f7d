"""The only file from tensors to entities and relations; the inverse of targets.py."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from spacy_bispn.nn.shapes import NULL, Outputs, Spans
from spacy_bispn.records import Entity, Extraction, Labels, Relation, overlap_ratio
from spacy_bispn.settings import PROBABILITY, SWITCH, Settings, Values, setting
from spacy_bispn.span_index import SpanIndex

if TYPE_CHECKING:  # the factory is loaded with every pipeline, tokenizers are not
    from spacy_bispn.model.windowing import Window

COHERENCE = ("snap", "add", "drop")
Item = TypeVar("Item", Entity, Relation[Entity])
Number = TypeVar("Number", Tensor, float)  # of all queries, or of one
Record = TypeVar("Record", bound=tuple[Any, ...])


@dataclass(frozen=True)
class Decoding(Settings):
    """How probabilities become sets. Raises SettingError for values that cannot be used."""

    type_threshold: float = setting(
        PROBABILITY,
        "Least probability of an entity's label. Lower finds more entities, and more wrong ones.",
        default=0.5,
    )
    relation_threshold: float = setting(
        PROBABILITY,
        "Least probability of a relation's label. The first one to lower where relations are missed whose "
        "entities are found.",
        default=0.5,
    )
    boundary_threshold: float = setting(
        PROBABILITY, "Least probability of a start and of an end. Seldom matters.", default=0.1
    )
    longest_span: int = setting(
        Values(least=1, whole=True),
        "Longest entity that is decoded, in positions: wordpieces, or tokens with the listener. Raise it for "
        "corpora with long entities.",
        default=32,
    )
    coherence: str = setting(
        Values(choices=COHERENCE),
        'What becomes of a relation whose end is no emitted entity. `"snap"`: the end moves to the entity '
        'that overlaps it most; if none does, the relation is dropped. `"add"`: the end becomes an entity. '
        '`"drop"`: the relation is dropped.',
        default="snap",
    )
    remove_overlaps: bool = setting(
        SWITCH,
        "Drop an entity that overlaps a better one of the same label. For corpora in which entities of one "
        "label never overlap.",
        default=False,
    )


class BestSpan(NamedTuple, Generic[Number]):
    """The most probable span of a query and its best label. Positions are inclusive, labels counted from 0.

    Shape: each (...,), or a number.
    """

    start: Number
    end: Number
    start_probability: Number
    end_probability: Number
    label: Number
    label_probability: Number


class EntityQuery(NamedTuple, Generic[Number]):
    """What an entity query predicts; `window` is its index in the batch. Shape: each (K,), or a number."""

    window: Number
    span: BestSpan[Number]


class RelationQuery(NamedTuple, Generic[Number]):
    """What a relation query predicts; `window` is its index in the batch. Shape: each (K,), or a number."""

    window: Number
    label: Number
    label_probability: Number
    head: BestSpan[Number]
    tail: BestSpan[Number]


def best_spans(spans: Spans, longest: int) -> BestSpan[Tensor]:
    """Most probable start and end with `start <= end < start + longest`, and the best label.

    Shape: spans (..., P) and (..., E + 1) -> (...,) each.
    """
    start, end = spans.start.softmax(-1), spans.end.softmax(-1)
    size = start.shape[-1]
    longest = min(longest, size)
    # for each end, the best start among the `longest` positions up to it
    reach = torch.nn.functional.pad(start, (longest - 1, 0)).unfold(-1, longest, 1)
    best_start, offset = reach.max(-1)
    last = (best_start * end).argmax(-1, keepdim=True)
    first = last - (longest - 1) + offset.gather(-1, last)
    probability, label = spans.type.softmax(-1)[..., NULL + 1 :].max(-1)
    return BestSpan(
        start=first[..., 0].clamp(min=0),  # below 0 where all starts have underflowed to the padding's 0
        end=last[..., 0],
        start_probability=best_start.gather(-1, last)[..., 0],
        end_probability=end.gather(-1, last)[..., 0],
        label=label,
        label_probability=probability,
    )


def extract(
    outputs: Outputs, windows: Sequence[Window], labels: Labels, decoding: Decoding
) -> list[Extraction]:
    """What each window predicts, in characters of its text; relations may still lack their entities.

    outputs: of `DocBatch.outputs`, whose masks leave out the queries below their thresholds.
    """
    if not labels.entity or not outputs.entity_mask.shape[1] + outputs.relation_mask.shape[1]:
        return [Extraction()] * len(windows)
    tables: list[Any] = [_entity_queries(outputs, decoding)]
    if labels.relation:
        tables.append(_relation_queries(outputs, decoding))
    by_window: list[list[Any]] = [[] for _ in outputs.entity_mask]
    for query in chain.from_iterable(_to_rows(tables)):
        by_window[int(query.window)].append(query)
    return [_decode(x, window, labels, decoding) for x, window in zip(by_window, windows, strict=True)]


def _decode(
    queries: Sequence[EntityQuery[float] | RelationQuery[float]],
    window: Window,
    labels: Labels,
    decoding: Decoding,
) -> Extraction:
    """What the queries of one window predict."""
    entities: list[Entity] = []
    relations: list[Relation[Entity]] = []
    for query in queries:
        if isinstance(query, EntityQuery):
            entities += _decode_entity(query, window, labels, decoding)
        else:
            relations += _decode_relation(query, window, labels, decoding)
    return Extraction(tuple(entities), tuple(relations))


def _entity_queries(outputs: Outputs, decoding: Decoding) -> EntityQuery[Tensor]:
    """The entity queries in the mask. Shape: (K,) each."""
    mask = outputs.entity_mask
    return EntityQuery(mask.nonzero()[:, 0], best_spans(_masked(outputs.entity, mask), decoding.longest_span))


def _relation_queries(outputs: Outputs, decoding: Decoding) -> RelationQuery[Tensor]:
    """The relation queries in the mask. Shape: (K,) each."""
    mask = outputs.relation_mask
    probability, label = outputs.relation[mask].softmax(-1)[..., NULL + 1 :].max(-1)
    head, tail = (best_spans(_masked(x, mask), decoding.longest_span) for x in (outputs.head, outputs.tail))
    return RelationQuery(mask.nonzero()[:, 0], label, probability, head, tail)


def _masked(spans: Spans, mask: Tensor) -> Spans:
    """The logits of the queries in `mask`. Shape: (B, Q, ...), mask (B, Q) -> (K, ...)."""
    return Spans(spans.start[mask], spans.end[mask], spans.type[mask])


def _to_rows(tables: Sequence[Record]) -> list[list[Record]]:
    """Each record of tensors (K,), nested or not, as K records of numbers; one transfer from the device."""
    columns = [column for table in tables for column in _columns(table)]
    # positions are exact in 32 bits up to 2^24
    flat = torch.cat([column.float() for column in columns]).cpu().split([len(x) for x in columns])
    numbers = (part.tolist() for part in flat)
    return [_fill(table, numbers) for table in tables]


def _columns(record: Record) -> Iterator[Tensor]:
    """All tensors of a record, in order."""
    for part in record:
        yield from _columns(part) if isinstance(part, tuple) else (part,)


def _fill(record: Record, numbers: Iterator[list[float]]) -> list[Record]:
    """Records like this one, of the next columns of numbers."""
    columns = [_fill(part, numbers) if isinstance(part, tuple) else next(numbers) for part in record]
    return [type(record)(*row) for row in zip(*columns, strict=True)]


def _decode_entity(
    query: EntityQuery[float], window: Window, labels: Labels, decoding: Decoding
) -> Iterator[Entity]:
    """The entity, if its probabilities reach their thresholds."""
    entity = _to_entity(query.span, window, labels, decoding)
    if entity is not None and query.span.label_probability >= decoding.type_threshold:
        yield entity


def _decode_relation(
    query: RelationQuery[float], window: Window, labels: Labels, decoding: Decoding
) -> Iterator[Relation[Entity]]:
    """The relation, if its probabilities reach their thresholds; those of its ends' labels need not."""
    if query.label_probability < decoding.relation_threshold:
        return
    head, tail = (_to_entity(end, window, labels, decoding) for end in (query.head, query.tail))
    if head is not None and tail is not None:
        yield Relation(head, tail, labels.relation[int(query.label)], min(query.label_probability, 1.0))


def _to_entity(span: BestSpan[float], window: Window, labels: Labels, decoding: Decoding) -> Entity | None:
    """A span in characters, None where its ends are improbable or have no characters."""
    if min(span.start_probability, span.end_probability) < decoding.boundary_threshold:
        return None
    first, last = int(window.start[int(span.start)]), int(window.end[int(span.end)])
    if first < 0 or last <= first:
        return None
    score = span.label_probability * (span.start_probability * span.end_probability) ** 0.5
    return Entity(first, last, labels.entity[int(span.label)], min(score, 1.0))


def merge(windows: Sequence[Window], extractions: Sequence[Extraction], texts: int) -> list[Extraction]:
    """One extraction a text, of those of its windows.

    A window answers for entities that start in its own range, and for those whose end the window of that
    range does not hold. A relation counts from any window: its ends may be owned by different ones, and
    `cohere` removes duplicates.
    """
    entities: list[list[Entity]] = [[] for _ in range(texts)]
    relations: list[list[Relation[Entity]]] = [[] for _ in range(texts)]
    siblings: list[list[Window]] = [[] for _ in range(texts)]
    for window in windows:
        siblings[window.text].append(window)
    for window, extraction in zip(windows, extractions, strict=True):
        entities[window.text] += [
            x for x in extraction.entities
            # otherwise a long entity at the edge of its owner would be lost
            if window.owns(x.start) or not _seen_by_owner(x, siblings[window.text])
        ]  # fmt: skip
        relations[window.text] += extraction.relations
    return [Extraction(tuple(e), tuple(r)) for e, r in zip(entities, relations, strict=True)]


def _seen_by_owner(entity: Entity, windows: Sequence[Window]) -> bool:
    """Whether the window that owns the entity's start holds all of it; windows are those of its text."""
    owner = windows[bisect_right(windows, entity.start, key=lambda window: window.owned[0]) - 1]
    return owner.locate(entity.start, entity.end) is not None


def cohere(extraction: Extraction, labels: Labels, decoding: Decoding) -> Extraction:
    """Sets without duplicates, in which every relation joins two of the entities."""
    entities = _best(extraction.entities)
    if decoding.remove_overlaps:
        entities = _without_overlaps(entities)
    # equal entities may have other scores: the values are those that are emitted
    emitted, index = {entity: entity for entity in entities}, SpanIndex(entities)
    relations = []
    for relation in sorted(extraction.relations, key=lambda x: -x.score):
        ends = []
        for end in (relation.head, relation.tail):
            found = _find(end, emitted, index, decoding)
            if found is not None and found not in emitted:  # added, and there for the next end to find
                emitted[found] = found
                index.add(found)
            if found is not None:
                ends.append(emitted[found])
        # two different ends may have snapped to one entity: that was no relation of it with itself
        if len(ends) == 2 and (ends[0] != ends[1] or relation.head == relation.tail):
            head, tail = ends
            relations.append(replace(relation, head=head, tail=tail).oriented(labels.symmetric))
    return Extraction(tuple(sorted(emitted)), tuple(sorted(_best(relations))))


def _find(end: Entity, emitted: Collection[Entity], index: SpanIndex, decoding: Decoding) -> Entity | None:
    """The entity that the end of a relation stands for, emitted or to be added; None without any."""
    if end in emitted:
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


def _without_overlaps(entities: Sequence[Entity]) -> list[Entity]:
    """The best entities, of which no two of one label overlap."""
    kept: list[Entity] = []
    index = SpanIndex()
    for entity in sorted(entities, key=lambda x: (-x.score, x)):
        if not any(x.label == entity.label for x in index.overlapping(entity.start, entity.end)):
            kept.append(entity)
            index.add(entity)
    return kept

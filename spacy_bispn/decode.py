"""The only file from tensors to entities and relations; the inverse of targets.py."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from .bounds import within
from .nn.shapes import NULL, Outputs, Spans
from .pieces import Window
from .places import Places
from .records import Entity, Extraction, Labels, Relation

COHERENCE = ("snap", "add", "drop")
Item = TypeVar("Item", Entity, Relation[Entity])
Said = list[list[float]]  # by one window's queries, a row each


@dataclass(frozen=True)
class Decoding:
    """How probabilities become sets.

    type_threshold, relation_threshold: least probability of an entity's and of a relation's label.
    boundary_threshold: least probability of a start and of an end.
    longest_span: in positions (pieces or tokens).
    coherence: what happens to a relation whose end is no emitted entity: "snap" it to the most
        similar overlapping entity (without one the relation is dropped), "add" the missing
        entity (or snap to what forbids it, see `remove_overlaps`), or "drop" the relation.
    remove_overlaps: drop an entity that overlaps a better one of the same label.
    """

    type_threshold: float = 0.5
    relation_threshold: float = 0.5
    boundary_threshold: float = 0.1
    longest_span: int = 32
    coherence: str = "snap"
    remove_overlaps: bool = False

    def __post_init__(self) -> None:
        for name in ("type_threshold", "relation_threshold", "boundary_threshold"):
            if not within(getattr(self, name), 0, 1):
                raise ValueError(f"{name} is {getattr(self, name)!r}: give a probability from 0 to 1.")
        if not within(self.longest_span, 1):
            raise ValueError(f"longest_span is {self.longest_span!r}: give at least 1 position.")
        if self.coherence not in COHERENCE:
            raise ValueError(f"coherence is {self.coherence!r}: choose one of {', '.join(COHERENCE)}.")


def best_spans(spans: Spans, longest: int) -> Tensor:
    """Most probable start and end with `start <= end < start + longest`, and the best label.

    Shape: spans (..., P) and (..., E + 1) -> (..., 6): start, end, p(start), p(end), type, p(type).
    """
    start, end = spans.start.softmax(-1), spans.end.softmax(-1)
    size = start.shape[-1]
    longest = min(longest, size)
    # for each end, the best start among the `longest` positions up to it
    reach = torch.nn.functional.pad(start, (longest - 1, 0)).unfold(-1, longest, 1)
    best_start, offset = reach.max(-1)
    place = (best_start * end).argmax(-1, keepdim=True)
    begin = place - (longest - 1) + offset.gather(-1, place)
    probability, label = spans.type.softmax(-1)[..., NULL + 1 :].max(-1)
    return torch.stack(
        [
            begin[..., 0].clamp(min=0), place[..., 0], best_start.gather(-1, place)[..., 0],
            end.gather(-1, place)[..., 0], label, probability,
        ],
        dim=-1,
    )  # fmt: skip


def extract(
    outputs: Outputs, windows: Sequence[Window], labels: Labels, decoding: Decoding
) -> list[Extraction]:
    """What each window says, in characters of its text; relations may still lack their entities.

    `outputs` come from `Network.predict`, so that their masks name the queries that said something.
    """
    if not labels.entity or not outputs.entity_mask.shape[1] + outputs.relation_mask.shape[1]:
        return [Extraction()] * len(windows)
    tables = [_entity_table(outputs, decoding)]
    if labels.relation:
        tables.append(_relation_table(outputs, decoding))
    # one transfer from the device for the whole batch; positions are exact in 32 bits up to 2^24
    flat = torch.cat([table.float().flatten() for table in tables]).cpu().split([x.numel() for x in tables])
    rows: tuple[list[Said], ...] = tuple([[] for _ in outputs.entity_mask] for _ in range(2))
    for grouped, part, table in zip(rows, flat, tables, strict=False):
        for text, *row in part.view(table.shape).tolist():
            grouped[int(text)].append(row)
    return [_read(window, labels, decoding, *both) for window, *both in zip(windows, *rows, strict=True)]


def _entity_table(outputs: Outputs, decoding: Decoding) -> Tensor:
    """The queries that said something: each one's text, then `best_spans`. Shape: (K, 7)."""
    mask = outputs.entity_mask
    best = best_spans(_only(outputs.entity, mask), decoding.longest_span)
    return torch.cat([mask.nonzero()[:, :1], best], dim=1)


def _relation_table(outputs: Outputs, decoding: Decoding) -> Tensor:
    """Likewise: text, label, probability, then `best_spans` of head and of tail. Shape: (K, 15)."""
    mask = outputs.relation_mask
    probability, label = outputs.relation[mask].softmax(-1)[..., NULL + 1 :].max(-1)
    ends = [best_spans(_only(side, mask), decoding.longest_span) for side in (outputs.head, outputs.tail)]
    return torch.cat([torch.stack([mask.nonzero()[:, 0], label, probability], dim=1), *ends], dim=1)


def _only(spans: Spans, mask: Tensor) -> Spans:
    """The logits of the queries in `mask`. Shape: (B, Q, ...), mask (B, Q) -> (K, ...)."""
    return Spans(spans.start[mask], spans.end[mask], spans.type[mask])


def _read(
    window: Window, labels: Labels, decoding: Decoding, entity_rows: Said, relation_rows: Said
) -> Extraction:
    entities = (_entity(row, window, labels, decoding) for row in entity_rows)
    relations = []
    for label, probability, *ends in relation_rows:
        if probability < decoding.relation_threshold:
            continue
        head, tail = (_entity(end, window, labels, decoding, any_type=True) for end in (ends[:6], ends[6:]))
        if head and tail:
            relations.append(Relation(head, tail, labels.relation[int(label)], min(probability, 1.0)))
    return Extraction(tuple(entity for entity in entities if entity), tuple(relations))


def _entity(
    row: list[float], window: Window, labels: Labels, decoding: Decoding, any_type: bool = False
) -> Entity | None:
    start, end, start_probability, end_probability, label, probability = row
    if probability < decoding.type_threshold and not any_type:
        return None
    if min(start_probability, end_probability) < decoding.boundary_threshold:
        return None
    score = min(probability * (start_probability * end_probability) ** 0.5, 1.0)
    first, last = int(window.start[int(start)]), int(window.end[int(end)])
    if first < 0 or last <= first:
        return None
    return Entity(first, last, labels.entity[int(label)], score)


def merge(windows: Sequence[Window], extractions: Sequence[Extraction], texts: int) -> list[Extraction]:
    """One extraction a text. A window answers for entities that start in its own range, and for those
    whose end the window of that range does not see; a relation counts from any window that sees
    it, for its ends may be owned by different ones.
    """
    entities: list[list[Entity]] = [[] for _ in range(texts)]
    relations: list[list[Relation[Entity]]] = [[] for _ in range(texts)]
    siblings: list[list[Window]] = [[] for _ in range(texts)]
    for window in windows:
        siblings[window.text].append(window)
    for window, extraction in zip(windows, extractions, strict=True):
        entities[window.text] += [
            x for x in extraction.entities
            if window.owns(x.start) or not _seen_by_owner(x, siblings[window.text])
        ]  # fmt: skip
        relations[window.text] += extraction.relations
    return [Extraction(tuple(e), tuple(r)) for e, r in zip(entities, relations, strict=True)]


def _seen_by_owner(entity: Entity, windows: Sequence[Window]) -> bool:
    """Whether the window that answers for the entity's start sees its end; windows are those of its text."""
    owner = windows[bisect_right(windows, entity.start, key=lambda window: window.owned[0]) - 1]
    return owner.locate(entity.start, entity.end) is not None


def cohere(extraction: Extraction, labels: Labels, decoding: Decoding) -> Extraction:
    """Sets without duplicates, in which every relation joins two of the entities."""
    entities = _best(extraction.entities)
    if decoding.remove_overlaps:
        entities = _without_overlaps(entities)
    emitted, places = {entity: entity for entity in entities}, Places(entities)
    relations = []
    for relation in sorted(extraction.relations, key=lambda x: -x.score):
        ends = []
        for end in (relation.head, relation.tail):
            found = _find(end, emitted, places, decoding)
            if found is not None and found not in emitted:  # it is there for the next one to see
                emitted[found] = found
                places.add(found)
            if found is not None:
                ends.append(emitted[found])
        # two different ends may have come to one entity: that was no relation of it with itself
        if len(ends) == 2 and (ends[0] != ends[1] or relation.head == relation.tail):
            head, tail = sorted(ends) if relation.label in labels.symmetric else ends
            relations.append(replace(relation, head=head, tail=tail))
    return Extraction(tuple(sorted(emitted)), tuple(sorted(_best(relations))))


def _find(end: Entity, emitted: Collection[Entity], places: Places, decoding: Decoding) -> Entity | None:
    if end in emitted:
        return end
    near = places.overlapping(end.start, end.end)
    if decoding.coherence == "add":
        # what may not overlap may not come back through a relation
        near = [x for x in near if decoding.remove_overlaps and x.label == end.label]
        if not near:
            return end
    elif decoding.coherence == "drop":
        return None
    return max(near, key=lambda x: (_overlap(x, end), x.label == end.label, x.score, x), default=None)


def _overlap(left: Entity, right: Entity) -> float:
    """Shared characters over all characters of two spans, from 0 to 1."""
    shared = min(left.end, right.end) - max(left.start, right.start)
    return max(shared, 0) / (max(left.end, right.end) - min(left.start, right.start))


def _best(items: Iterable[Item]) -> list[Item]:
    """Of equal items only the one with the highest score."""
    best: dict[Item, Item] = {}
    for item in items:
        if item not in best or best[item].score < item.score:
            best.pop(item, None)
            best[item] = item
    return list(best)


def _without_overlaps(entities: Sequence[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    places = Places()
    for entity in sorted(entities, key=lambda x: (-x.score, x)):
        if not any(x.label == entity.label for x in places.overlapping(entity.start, entity.end)):
            kept.append(entity)
            places.add(entity)
    return kept

"""From extractions in characters to target tensors; the inverse of decoding.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from spacy_bispn.model.windowing import Window
from spacy_bispn.nn.shapes import NULL, PROPOSED, SpanTargets, Targets
from spacy_bispn.records import Entity, Extraction, Labels, Relation
from spacy_bispn.span_index import SpanIndex

Item = TypeVar("Item", Entity, Relation[Entity])


@dataclass
class CoverageReport:
    """How much of the gold of some texts is learnt from, without duplicates.

    `entities` and `relations` count items with a known label, in a window or not; a relation is unplaced
    too where the model does not know the label of an argument. The others are in `unknown_labels`.
    `widened_entities` end inside a piece and are learnt as whole pieces.
    """

    entities: int = 0
    relations: int = 0
    unplaced_entities: int = 0
    unplaced_relations: int = 0
    widened_entities: int = 0
    unknown_labels: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """How many items are not learnt from."""
        return self.unplaced_entities + self.unplaced_relations + sum(self.unknown_labels.values())

    def note_label(self, label: str) -> None:
        """Count an item whose label the model does not know."""
        self.unknown_labels[label] = self.unknown_labels.get(label, 0) + 1


@dataclass(frozen=True)
class WindowGold:
    """The gold that lies in one window: entities with their positions, and relations between them.

    given: the numbers of those entities that are given.
    """

    entities: list[tuple[Entity, tuple[int, int]]]
    relations: list[Relation[Entity]]
    given: dict[Entity, int] = field(default_factory=dict)


def assign_to_windows(
    windows: Sequence[Window], extractions: Sequence[Extraction], labels: Labels
) -> tuple[list[WindowGold], CoverageReport]:
    """Give every window its share of the gold, and count the gold that lies in no window."""
    known_entity, known_relation = set(labels.entity), set(labels.relation)
    report = CoverageReport()
    known: list[Extraction] = []
    for extraction in extractions:
        entities = tuple(_known(extraction.entities, known_entity, report))
        relations = tuple(_known(extraction.relations, known_relation, report))
        report.entities += len(entities)
        report.relations += len(relations)
        distinct = set(entities)
        known.append(Extraction(entities, tuple(x for x in relations if {x.head, x.tail} <= distinct)))
    shares = share_out(windows, known)
    seen_entities: set[tuple[int, Entity]] = set()
    widened: set[tuple[int, Entity]] = set()
    seen_relations: set[tuple[int, Relation[Entity]]] = set()
    for window, share in zip(windows, shares, strict=True):
        seen_entities.update((window.text, entity) for entity, _ in share.entities)
        seen_relations.update((window.text, relation) for relation in share.relations)
        widened.update(
            (window.text, entity) for entity, (first, last) in share.entities
            if window.start[first] < entity.start or entity.end < window.end[last]
        )  # fmt: skip
    report.unplaced_entities = report.entities - len(seen_entities)
    report.unplaced_relations = report.relations - len(seen_relations)
    report.widened_entities = len(widened)
    return shares, report


def share_out(windows: Sequence[Window], extractions: Sequence[Extraction]) -> list[WindowGold]:
    """What lies in each window."""
    gold = [_Gold(extraction) for extraction in extractions]
    return [gold[window.text].share(window) for window in windows]


def _known(items: Iterable[Item], labels: set[str], report: CoverageReport) -> Iterator[Item]:
    """The distinct items with a known label; the others are counted."""
    for item in dict.fromkeys(items):
        if item.label in labels:
            yield item
        else:
            report.note_label(item.label)


class _Gold:
    """A text's gold, indexed so that each window's share is found without a search through all of it."""

    def __init__(self, extraction: Extraction) -> None:
        self.index = SpanIndex(extraction.entities)
        self.order = {entity: number for number, entity in enumerate(extraction.entities)}
        self.relations: dict[Entity, list[tuple[int, Relation[Entity]]]] = {}
        for number, relation in enumerate(extraction.relations):
            self.relations.setdefault(relation.head, []).append((number, relation))

    def share(self, window: Window) -> WindowGold:
        """The gold in a window, in the order of the text's gold."""
        real = window.start >= 0
        if not real.any():
            return WindowGold([], [])
        near = self.index.overlapping(int(window.start[real].min()), int(window.end[real].max()))
        found = {entity: window.locate(entity.start, entity.end) for entity in near}
        entities = [(entity, positions) for entity, positions in found.items() if positions is not None]
        entities.sort(key=lambda pair: self.order[pair[0]])
        relations = sorted(
            (number, relation)
            for entity, _ in entities for number, relation in self.relations.get(entity, ())
            if found.get(relation.tail) is not None
        )  # fmt: skip
        return WindowGold(entities, [relation for _, relation in relations])


def make_targets(
    shares: Sequence[WindowGold], labels: Labels, relation_queries: int, device: torch.device
) -> Targets:
    """Target tensors of a batch of windows.

    A symmetric relation is trained in both directions as far as `relation_queries` suffices: the
    direction that is stored always comes first.
    """
    entity_type, relation_type = type_numbers(labels.entity), type_numbers(labels.relation)
    entities, heads, tails, links = [], [], [], []
    for share in shares:
        index = {entity: number for number, (entity, _) in enumerate(share.entities)}
        spans = [
            (*positions, entity_type[entity.label], share.given.get(entity, PROPOSED))
            for entity, positions in share.entities
        ]
        both = with_inverses(share.relations, labels.symmetric, relation_queries)
        entities.append(spans)
        heads.append([spans[index[x.head]] for x in both])
        tails.append([spans[index[x.tail]] for x in both])
        links.append([(relation_type[x.label], index[x.head], index[x.tail]) for x in both])
    entity, head, tail = (
        SpanTargets(*pad(x, (-1, -1, NULL, PROPOSED), device)) for x in (entities, heads, tails)
    )
    if not any(share.given for share in shares):
        entity, head, tail = (spans._replace(given=None) for spans in (entity, head, tail))
    relation, head_entity, tail_entity = pad(links, (NULL, -1, -1), device)
    return Targets(entity, head, tail, relation, head_entity, tail_entity)


def type_numbers(labels: Sequence[str]) -> dict[str, int]:
    """The class of each label."""
    return {label: index for index, label in enumerate(labels, start=NULL + 1)}


def with_inverses(
    relations: Sequence[Relation[Entity]], symmetric: Sequence[str], limit: int
) -> list[Relation[Entity]]:
    """The relations, then the inverses of symmetric ones, which stop at `limit` altogether."""
    present = set(relations)
    inverses = [
        turned
        for x in relations
        if x.label in symmetric and (turned := Relation(x.tail, x.head, x.label)) not in present
    ]
    return [*relations, *inverses[: max(limit - len(relations), 0)]]


def pad(
    rows: Sequence[Sequence[tuple[int, ...]]], empty: tuple[int, ...], device: torch.device
) -> list[torch.Tensor]:
    """Rows of tuples as columns, filled up with `empty`. Shape: each (B, N) long."""
    most = max((len(row) for row in rows), default=0)
    full = [[*row, *[empty] * (most - len(row))] for row in rows]
    table = torch.tensor(full, dtype=torch.long).view(len(rows), most, len(empty))
    return list(table.to(device).unbind(-1))

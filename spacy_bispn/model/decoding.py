"""The only file from tensors to entities and relations; the inverse of targets.py."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from spacy_bispn.model.query_predictions import (
    BestSpan,
    EntityQuery,
    RelationQuery,
    entity_queries,
    relation_queries,
    to_rows,
)
from spacy_bispn.model.score_settings import CALIBRATION, KINDS, Scales, ScoreSettings, score_settings
from spacy_bispn.nn.shapes import Outputs
from spacy_bispn.records import Entity, Extraction, Labels, Relation, overlap_ratio
from spacy_bispn.settings import PROBABILITY, SWITCH, Settings, Values, setting
from spacy_bispn.span_index import SpanIndex

if TYPE_CHECKING:  # the factory is loaded with every pipeline, tokenizers are not
    from spacy_bispn.model.windowing import Window

COHERENCE = ("snap", "add", "drop", "off")
SPAN_SCORES = ("product", "sum")
THRESHOLD = replace(PROBABILITY, choices=(None,))
LABEL_THRESHOLDS = Values(words="labels, each with 0 to 1")
Item = TypeVar("Item", Entity, Relation[Entity])


@dataclass(frozen=True)
class Decoding(Settings):
    """How probabilities become sets. Raises SettingError for values that cannot be used."""

    type_threshold: float | None = setting(
        THRESHOLD,
        "Least probability of an entity's label. Lower finds more entities, and more wrong ones. `null`: the "
        "label must be likelier than no entity; a relation then needs two ends of which this is true.",
        default=0.5,
    )
    relation_threshold: float | None = setting(
        THRESHOLD,
        "Least probability of a relation's label. The first one to lower where relations are missed whose "
        "entities are found. `null`: the label must be likelier than no relation.",
        default=0.5,
    )
    boundary_threshold: float = setting(
        PROBABILITY, "Least probability of a start and of an end. Seldom matters.", default=0.1
    )
    longest_span: int | None = setting(
        Values(least=1, whole=True, choices=(None,)),
        "Longest entity that is decoded, in positions: wordpieces, or tokens with the listener. Raise it for "
        "corpora with long entities. `null`: no limit.",
        default=32,
    )
    span_score: str = setting(
        Values(choices=SPAN_SCORES),
        "What is highest for the span of a query: the product of the probabilities of its start and its end, "
        "or their sum.",
        default="product",
    )
    coherence: str = setting(
        Values(choices=COHERENCE),
        'What becomes of a relation whose end is no emitted entity. `"snap"`: the end moves to the entity '
        'that overlaps it most; if none does, the relation is dropped. `"add"`: the end becomes an entity. '
        '`"drop"`: the relation is dropped. `"off"`: it is kept as it is, and its end becomes no entity.',
        default="snap",
    )
    remove_overlaps: bool = setting(
        SWITCH,
        "Drop an entity that overlaps a better one of the same label. For corpora in which entities of one "
        "label never overlap.",
        default=False,
    )
    entity_thresholds: dict[str, float] = setting(
        LABEL_THRESHOLDS, "Least probabilities of single labels of entities, in place of `type_threshold`.",
        default={},
    )  # fmt: skip
    relation_thresholds: dict[str, float] = setting(
        LABEL_THRESHOLDS,
        "Least probabilities of single labels of relations, in place of `relation_threshold`.",
        default={},
    )
    calibration: dict[str, Scales] | None = setting(
        Values(words=CALIBRATION, choices=(None,)),
        "How probabilities become scores that say how often they are right, with which all thresholds but "
        "`boundary_threshold` are then compared: [Calibration](calibration.md). `null`: scores are as the "
        "network gives them.",
        default=None,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind in KINDS:
            score_settings(kind, asdict(self))  # raises where they are not in order

    @cached_property
    def entities(self) -> ScoreSettings:
        """How entities are scored."""
        return score_settings("entities", asdict(self))

    @cached_property
    def relations(self) -> ScoreSettings:
        """How relations are scored."""
        return score_settings("relations", asdict(self))

    @property
    def floors(self) -> tuple[float | None, float | None]:
        """The least probability of a label that can be emitted, of entities and of relations."""
        return self.entities.floor, self.relations.floor


def extract(
    outputs: Outputs, windows: Sequence[Window], labels: Labels, decoding: Decoding
) -> list[Extraction]:
    """What each window predicts, in characters of its text; relations may still lack their entities.

    outputs: of `DocBatch.outputs`, whose masks leave out the queries below their thresholds.
    """
    if not labels.entity or not outputs.entity_mask.shape[1] + outputs.relation_mask.shape[1]:
        return [Extraction()] * len(windows)
    tables: list[Any] = [entity_queries(outputs, decoding)]
    if labels.relation:
        tables.append(relation_queries(outputs, decoding))
    by_window: list[list[Any]] = [[] for _ in outputs.entity_mask]
    for query in chain.from_iterable(to_rows(tables)):
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


def _decode_entity(
    query: EntityQuery[float], window: Window, labels: Labels, decoding: Decoding
) -> Iterator[Entity]:
    """The entity, if its probabilities reach their thresholds."""
    entity = _to_entity(query.span, window, labels, decoding)
    if entity is not None:
        score = entity.score if decoding.entities.scales else query.span.label_probability
        if decoding.entities.reaches(entity.label, score):
            yield entity


def _decode_relation(
    query: RelationQuery[float], window: Window, labels: Labels, decoding: Decoding
) -> Iterator[Relation[Entity]]:
    """The relation, if its probabilities reach their thresholds; those of its ends' labels need not.

    Without a threshold an end of which null is the likeliest label is no entity, as for entity queries.
    """
    if query.label < 0:
        return
    head, tail = (_to_entity(end, window, labels, decoding) for end in (query.head, query.tail))
    if head is not None and tail is not None:
        label, score = labels.relation[int(query.label)], min(query.label_probability, 1.0)
        if decoding.relations.scales:  # it is right only if both of its ends are
            score = decoding.relations.scaled(label, score * head.score * tail.score)
        if decoding.relations.reaches(label, score):
            yield Relation(head, tail, label, score)


def _to_entity(span: BestSpan[float], window: Window, labels: Labels, decoding: Decoding) -> Entity | None:
    """A span in characters, None where it has no label, or its ends are improbable or have no characters."""
    if span.label < 0 or min(span.start_probability, span.end_probability) < decoding.boundary_threshold:
        return None
    first, last = int(window.start[int(span.start)]), int(window.end[int(span.end)])
    if first < 0 or last <= first:
        return None
    score = min(span.label_probability * (span.start_probability * span.end_probability) ** 0.5, 1.0)
    label = labels.entity[int(span.label)]
    return Entity(first, last, label, decoding.entities.scaled(label, score))


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
    """Sets without duplicates, in which every relation joins two of the entities unless coherence is off.

    `joined` is that of the sets as they were predicted, before any relation is changed.
    """
    predicted = _as_predicted(extraction, labels, decoding)
    if decoding.coherence == "off":
        return predicted
    # equal entities may have other scores: the values are those that are emitted
    emitted = {entity: entity for entity in predicted.entities}
    index = SpanIndex(predicted.entities)
    relations = []
    for relation in sorted(predicted.relations, key=lambda x: -x.score):
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
    return Extraction(tuple(sorted(emitted)), tuple(sorted(_best(relations))), predicted.joined)


def _as_predicted(extraction: Extraction, labels: Labels, decoding: Decoding) -> Extraction:
    """Sets without duplicates, in order; the ends of relations need not be among the entities."""
    entities = _best(extraction.entities)
    if decoding.remove_overlaps:
        entities = _without_overlaps(entities)
    known = {entity: entity for entity in entities}
    relations = _best(
        replace(x, head=known.get(x.head, x.head), tail=known.get(x.tail, x.tail)).oriented(labels.symmetric)
        for x in extraction.relations
    )
    found = Extraction(tuple(sorted(entities)), tuple(sorted(relations)))
    return replace(found, joined=found.coherence_parts())


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

"""The only file from tensors to entities and relations; the inverse of targets.py."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from spacy_bispn.model.query_predictions import (
    BestSpan,
    EntityQuery,
    OpenRelationQuery,
    RelationQuery,
    entity_queries,
    open_relation_queries,
    relation_queries,
    to_rows,
)
from spacy_bispn.model.readings import OpenRelation, permitted_reading
from spacy_bispn.model.schema import LIMITS, SCHEMAS, TRIPLES, Schema, check_limits, check_triples
from spacy_bispn.nn.shapes import Outputs
from spacy_bispn.records import Entity, Extraction, Labels, Relation, overlap_ratio
from spacy_bispn.settings import PROBABILITY, SWITCH, Settings, Values, setting
from spacy_bispn.span_index import SpanIndex, without_overlaps

if TYPE_CHECKING:  # the factory is loaded with every pipeline, tokenizers are not
    from spacy_bispn.model.windowing import Window

COHERENCE = ("snap", "add", "drop", "off")
SPAN_SCORES = ("product", "sum")
THRESHOLD = replace(PROBABILITY, choices=(None,))
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
    schema: str | list[Any] = setting(
        Values(choices=SCHEMAS, words=TRIPLES),
        'Which labels a relation may join. `"observed"`: the triples of the training data. A relation that '
        "joins others takes its likeliest permitted reading, or is dropped: "
        "[a schema](pipelines.md#a-schema).",
        default="none",
    )
    relations_per_head: list[Any] = setting(
        Values(words=LIMITS),
        'The most relations of a label that one head may have; the best are kept. `[["BORN_IN", 1]]` for a '
        "person who is born in one place. Ends of symmetric labels count as heads and as tails.",
        default=[],
    )
    relations_per_tail: list[Any] = setting(Values(words=LIMITS), "The same for one tail.", default=[])
    self_relations: bool = setting(
        SWITCH, "Whether a relation may join a span with itself; otherwise it is dropped.", default=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_triples(self.schema)
        check_limits("relations_per_head", self.relations_per_head)
        check_limits("relations_per_tail", self.relations_per_tail)


Given = Mapping[tuple[int, int, int], Entity]  # by start, end and type


def extract(
    outputs: Outputs,
    windows: Sequence[Window],
    labels: Labels,
    decoding: Decoding,
    schema: Schema | None = None,
    given: Sequence[Given] | None = None,
) -> list[Extraction]:
    """What each window predicts, in characters of its text; relations may still lack their entities.

    outputs: of `DocBatch.outputs`, whose masks leave out the queries below their thresholds.
    schema: if it has triples, relations keep all that they may mean, for `cohere` to choose.
    given: the entities of each window that were given; they are not among those predicted.
    """
    if not labels.entity or not outputs.entity_mask.shape[1] + outputs.relation_mask.shape[1]:
        return [Extraction()] * len(windows)
    tables: list[Any] = [entity_queries(outputs, decoding)]
    if labels.relation:
        is_open = schema is not None and schema.triples is not None
        tables.append((open_relation_queries if is_open else relation_queries)(outputs, decoding))
    by_window: list[list[Any]] = [[] for _ in outputs.entity_mask]
    for query in chain.from_iterable(to_rows(tables)):
        by_window[int(query.window)].append(query)
    each = zip(by_window, windows, given or [{}] * len(windows), strict=True)
    return [_decode(queries, Reading(window, known, labels, decoding)) for queries, window, known in each]


@dataclass(frozen=True)
class Reading:
    """How the queries of a window are read."""

    window: Window
    given: Given
    labels: Labels
    decoding: Decoding


def _decode(
    queries: Sequence[EntityQuery[float] | RelationQuery[float] | OpenRelationQuery], reading: Reading
) -> Extraction:
    """What the queries of one window predict."""
    entities: list[Entity] = []
    relations: list[Relation[Entity]] = []
    for query in queries:
        if isinstance(query, EntityQuery):
            entities += _decode_entity(query, reading)
        elif isinstance(query, RelationQuery):
            relations += _decode_relation(query, reading)
        else:
            relations += (OpenRelation.of(first, query) for first in _decode_relation(query.first, reading))
    return Extraction(tuple(entities), tuple(relations))


def _decode_entity(query: EntityQuery[float], reading: Reading) -> Iterator[Entity]:
    """The entity, if its probabilities reach their thresholds."""
    entity = _to_entity(query.span, reading)
    if entity is not None and query.span.label_probability >= (reading.decoding.type_threshold or 0.0):
        yield entity


def _decode_relation(query: RelationQuery[float], reading: Reading) -> Iterator[Relation[Entity]]:
    """The relation, if its probabilities reach their thresholds; those of its ends' labels need not.

    Without a threshold an end of which null is the likeliest label is no entity, as for entity queries.
    """
    if query.label < 0 or query.label_probability < (reading.decoding.relation_threshold or 0.0):
        return
    head, tail = (_to_entity(end, reading) for end in (query.head, query.tail))
    if head is not None and tail is not None:
        label = reading.labels.relation[int(query.label)]
        yield Relation(head, tail, label, min(query.label_probability, 1.0))


def _to_entity(span: BestSpan[float], reading: Reading) -> Entity | None:
    """A span in characters, None where it has no label, or its ends are improbable or have no characters."""
    if span.given:
        return reading.given[int(span.start), int(span.end), int(span.label) + 1]
    least = reading.decoding.boundary_threshold
    if span.label < 0 or min(span.start_probability, span.end_probability) < least:
        return None
    window = reading.window
    first, last = int(window.start[int(span.start)]), int(window.end[int(span.end)])
    if first < 0 or last <= first:
        return None
    score = span.label_probability * (span.start_probability * span.end_probability) ** 0.5
    return Entity(first, last, reading.labels.entity[int(span.label)], min(score, 1.0))


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


def cohere(
    extraction: Extraction, labels: Labels, decoding: Decoding, schema: Schema | None = None
) -> Extraction:
    """Sets without duplicates, in which every relation joins two of the entities unless coherence is off.

    `joined` is that of the sets as they were predicted, before any relation is changed.
    schema: what is permitted between the entities that relations join, after ends have moved or were added.
    """
    predicted = _as_predicted(extraction, labels, decoding)
    if decoding.coherence == "off" and schema is None:
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
            permitted = permitted_reading(relation, find, schema, decoding.relation_threshold)
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
    relations = _best(relations)
    if schema is None:
        return Extraction(tuple(sorted(emitted)), tuple(sorted(relations)), predicted.joined)
    kept = schema.limit(relations)
    # with "add", the ends of those that are left: with "off", ends are no entities
    added = () if decoding.coherence == "off" else (end for x in kept for end in (x.head, x.tail))
    entities = dict.fromkeys([*predicted.entities, *added])
    forbidden = (changed, dropped + len(relations) - len(kept))
    return Extraction(tuple(sorted(entities)), tuple(sorted(kept)), predicted.joined, forbidden)


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

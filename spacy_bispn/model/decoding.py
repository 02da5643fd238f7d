"""The only file from tensors to entities and relations; the inverse of targets.py."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

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
from spacy_bispn.model.readings import OpenRelation
from spacy_bispn.model.schema import LIMITS, SCHEMAS, TRIPLES, Schema, check_limits, check_triples
from spacy_bispn.model.score_settings import CALIBRATION, KINDS, Scales, ScoreSettings, score_settings
from spacy_bispn.nn.shapes import PROPOSED, Outputs
from spacy_bispn.records import Entity, Extraction, Labels, Relation
from spacy_bispn.settings import PROBABILITY, SWITCH, Settings, Values, setting, settings_of

if TYPE_CHECKING:  # the factory is loaded with every pipeline, tokenizers are not
    from spacy_bispn.model.windowing import Window

COHERENCE = ("snap", "add", "drop", "off")
SPAN_SCORES = ("product", "sum")
THRESHOLD = replace(PROBABILITY, choices=(None,))
LABEL_THRESHOLDS = Values(words="labels, each with 0 to 1")


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
        default=0.4,
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
    share_relations: bool = setting(
        SWITCH,
        "Whether mentions with the same words and label, or the same id, are one thing: what one of them is "
        "related to, all are. For corpora that relate things, such as BioRelEx: "
        "[Mentions of one thing](pipelines.md#mentions-of-one-thing).",
        default=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_triples(self.schema)
        check_limits("relations_per_head", self.relations_per_head)
        check_limits("relations_per_tail", self.relations_per_tail)
        for kind in KINDS:
            getattr(self, kind)  # raises where they are not in order

    @cached_property
    def entities(self) -> ScoreSettings:
        """How entities are scored."""
        return score_settings("entities", vars(self))

    @cached_property
    def relations(self) -> ScoreSettings:
        """How relations are scored."""
        return score_settings("relations", vars(self))

    @property
    def floors(self) -> tuple[float | None, float | None]:
        """The least probability of a label that can be emitted, of entities and of relations."""
        return self.entities.floor, self.relations.floor


NAMES = [each.name for each in settings_of(Decoding)]


class LatestDecoding:
    """The settings of decoding in a component's `cfg`, which is checked only when they have changed."""

    def __init__(self) -> None:
        self._seen, self._made = "", Decoding()

    def of(self, cfg: Mapping[str, Any]) -> Decoding:
        """Those in a `cfg`. Raises SettingError for what they cannot be."""
        values = {name: cfg[name] for name in NAMES}
        seen = repr(values)  # lists and tables may change in place
        if seen != self._seen:
            self._made, self._seen = Decoding(**deepcopy(values)), seen
        return self._made


Given = Sequence[Entity]  # by their numbers in a window


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
    each = zip(by_window, windows, given or [()] * len(windows), strict=True)
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
    if entity is not None:
        entities = reading.decoding.entities
        score = entity.score if entities.scales else query.span.label_probability
        if entities.reaches(entity.label, score):
            yield entity


def _decode_relation(query: RelationQuery[float], reading: Reading) -> Iterator[Relation[Entity]]:
    """The relation, if its probabilities reach their thresholds; those of its ends' labels need not.

    Without a threshold an end of which null is the likeliest label is no entity, as for entity queries.
    """
    if query.label < 0:
        return
    head, tail = (_to_entity(end, reading) for end in (query.head, query.tail))
    if head is not None and tail is not None:
        label = reading.labels.relation[int(query.label)]
        found = Relation(head, tail, label, min(query.label_probability, 1.0))
        relation = reading.decoding.relations.rescored(found)
        if relation is not None:
            yield relation


def _to_entity(span: BestSpan[float], reading: Reading) -> Entity | None:
    """A span in characters, None where it has no label, or its ends are improbable or have no characters."""
    if span.given != PROPOSED:
        return reading.given[int(span.given)]
    least = reading.decoding.boundary_threshold
    if span.label < 0 or min(span.start_probability, span.end_probability) < least:
        return None
    window = reading.window
    first, last = int(window.start[int(span.start)]), int(window.end[int(span.end)])
    if first < 0 or last <= first:
        return None
    score = min(span.label_probability * (span.start_probability * span.end_probability) ** 0.5, 1.0)
    label = reading.labels.entity[int(span.label)]
    return Entity(first, last, label, reading.decoding.entities.scaled(label, score))


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

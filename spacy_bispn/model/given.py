"""Entities that are on a Doc before the component reads it, for relations between exactly these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING

import torch
from spacy.tokens import Doc, Span
from spacy.util import logger

from spacy_bispn.annotations import ents_before, read
from spacy_bispn.component_settings import ComponentSettings
from spacy_bispn.doc_storage import KEY, id_of, name_of
from spacy_bispn.model.decoding import Decoding, Given
from spacy_bispn.model.targets import WindowGold, pad, share_out, type_numbers
from spacy_bispn.model.windowing import Window
from spacy_bispn.nn.shapes import NULL, Inputs, SpanTargets
from spacy_bispn.records import Entity, Extraction, Labels, distinct, trimmed
from spacy_bispn.settings import SettingError

if TYPE_CHECKING:
    from spacy_bispn.model.architectures import NetworkSettings

LEFT_OUT = ""  # in place of a label among those that were reported


@dataclass(frozen=True)
class GivenEntities:
    """Where entities come from: the settings `entities` and `given_spans`.

    with_ents: whether those of `doc.ents` are given, too.
    """

    entities: str
    group: str
    with_ents: bool = True
    reported: set[str] = field(default_factory=set, compare=False)  # labels that a warning has named

    @classmethod
    def of_component(cls, settings: ComponentSettings, network: NetworkSettings) -> GivenEntities:
        """Those of a component. Raises SettingError for settings that contradict each other."""
        entities = settings.entities
        if entities != "predicted" and network.queries != "proposed":
            raise SettingError(
                "entities", entities, '"predicted" with queries = "learned", which no span can seed',
                'set queries = "proposed" in the model',
            )  # fmt: skip
        return cls(entities, settings.given_spans)

    def checked(self, decoding: Decoding) -> Decoding:
        """Settings of decoding. Raises SettingError for some that contradict these."""
        if self.entities != "predicted" and decoding.remove_overlaps:
            expected = f"false with entities = {self.entities!r}, which keeps what is given"
            raise SettingError("remove_overlaps", True, expected, "set it to false")
        return decoding

    def of(self, docs: Sequence[Doc], windows: Sequence[Window], labels: Labels) -> GivenInWindows:
        """The entities on some Docs."""
        found = [] if self.entities == "predicted" else [self._on(doc) for doc in docs]
        return self._in_windows(found, windows, labels)

    def taught(
        self, docs: Sequence[Doc], gold: list[Extraction], windows: Sequence[Window], labels: Labels
    ) -> tuple[list[Extraction], GivenInWindows]:
        """What is to be learnt of the gold of some Docs, and the entities on these, or those of the gold
        where no component has looked for any. If others are to be found as well, a random half is given.
        """
        if self.entities == "predicted":
            return gold, self._in_windows([], windows, labels)
        found = [
            self._on(doc) if self._has_any(doc) else said.entities
            for doc, said in zip(docs, gold, strict=True)
        ]
        if alone := self.entities == "given":
            given = found
        else:
            given = [tuple(entity for entity in each if torch.rand(()) < 0.5) for each in found]
        known = set(labels.entity)
        learnt = [beside(said, each, known, alone) for said, each in zip(gold, given, strict=True)]
        there = replace(self._in_windows(given, windows, labels), own=[own for _, own in learnt])
        return [extraction for extraction, _ in learnt], there

    def limits(self, network: NetworkSettings) -> dict[str, float]:
        """The most entities and relations of a window. Every given entity is a query."""
        entities = inf if self.entities == "given" else network.entity_queries
        return {"entity_queries": entities, "relation_queries": network.relation_queries}

    def _has_any(self, doc: Doc) -> bool:
        """Whether anything has looked for entities, be it in vain."""
        return self.group in doc.spans or doc.has_annotation("ENT_IOB")

    def _on(self, doc: Doc) -> tuple[Entity, ...]:
        """The entities of `doc.ents`, but for those that an earlier pass of the component found, and of the
        group; each once, without white space at its ends.
        """
        if self.group == KEY and KEY in doc.spans:
            return read(doc).entities
        spans = [*(ents_before(doc) if self.with_ents else ()), *doc.spans.get(self.group, ())]
        found, text = [], doc.text
        for span in spans:
            start, end = trimmed(text, span.start_char, span.end_char)
            if start < end and span.label_:
                ids = id_of(doc, span.kb_id), name_of(doc, span.id)
                found.append(Entity(start, end, span.label_, 1.0, *ids))
            else:
                self._report_left_out(span)
        return distinct(sorted(found))

    def _report_left_out(self, span: Span) -> None:
        """Warn of a given entity that is none, once."""
        if LEFT_OUT not in self.reported:
            self.reported.add(LEFT_OUT)
            logger.warning(
                "given entities without a label, or of white space alone, are left out, such as %r: give "
                "them a label that the model knows.", span.text,
            )  # fmt: skip

    def _in_windows(
        self, by_text: Sequence[tuple[Entity, ...]], windows: Sequence[Window], labels: Labels
    ) -> GivenInWindows:
        self._report_unknown(by_text, labels)
        shares = share_out(windows, [Extraction(found) for found in by_text]) if by_text else []
        return GivenInWindows(self.entities, by_text, shares, type_numbers(labels.entity))

    def _report_unknown(self, by_text: Sequence[tuple[Entity, ...]], labels: Labels) -> None:
        """Warn of labels that the network does not know, once each."""
        known = self.reported.union(labels.entity)
        new = Counter(entity.label for found in by_text for entity in found if entity.label not in known)
        if new:
            self.reported.update(new)
            logger.warning(
                "given entities have labels that the model does not know: %s. Relations may join them, but "
                "no label helps to find them; train with these labels, or rename them.",
                ", ".join(f"{label} ({count})" for label, count in new.most_common()),
            )


@dataclass(frozen=True)
class GivenInWindows:
    """The entities that are given in some texts: those of each text, and those of each window.

    types: the class of each label. Labels that it does not have are of the class null.
    own: in training, the given entity that an entity to be learnt is, for each text.
    """

    entities: str
    by_text: Sequence[tuple[Entity, ...]]
    shares: Sequence[WindowGold]
    types: dict[str, int]
    own: Sequence[Mapping[Entity, Entity]] = ()

    def add_to(self, inputs: Inputs, batch: Sequence[int]) -> Inputs:
        """The inputs of some windows, with their entities."""
        if self.entities == "predicted":
            return inputs
        found = [
            [
                (*positions, self.types.get(entity.label, NULL))
                for entity, positions in self.shares[i].entities
            ]
            for i in batch
        ]
        spans = SpanTargets(*pad(found, (-1, -1, NULL), inputs.mask.device))
        return inputs._replace(given=spans, propose=self.entities == "both")

    def of_windows(self, batch: Sequence[int]) -> list[Given]:
        """The entities of some windows by their numbers, as `add_to` gives them to the network."""
        if self.entities == "predicted":
            return [()] * len(batch)
        return [[entity for entity, _ in self.shares[index].entities] for index in batch]

    def numbered(self, gold: list[WindowGold], windows: Sequence[Window]) -> list[WindowGold]:
        """The gold of the windows, with the numbers of the entities that are given."""
        if self.entities == "predicted":
            return gold
        made = []
        for share, there, window in zip(gold, self.shares, windows, strict=True):
            number = {entity: n for n, (entity, _) in enumerate(there.entities)}
            own = self.own[window.text]
            given = {x: number[own[x]] for x, _ in share.entities if own.get(x) in number}
            made.append(replace(share, given=given))
        return made

    def adapt(self, decoding: Decoding) -> Decoding:
        """Settings with which every relation joins given entities, where there are no others."""
        alone = self.entities == "given"
        return replace(decoding, coherence="snap") if alone else decoding

    def joined_by(self, found: list[Extraction]) -> list[Extraction]:
        """What was found in the texts, with the given entities, and without others unless both are wanted."""
        if self.entities == "predicted":
            return found
        both = self.entities == "both"
        return [
            replace(x, entities=(*given, *x.entities) if both else given)
            for x, given in zip(found, self.by_text, strict=True)
        ]


def beside(
    gold: Extraction, given: tuple[Entity, ...], known: Collection[str], alone: bool
) -> tuple[Extraction, dict[Entity, Entity]]:
    """What is to be learnt of a text's gold where some entities are given, and for each entity to be learnt
    the given one that it is.

    To be learnt are the given entities, with the label of the gold where theirs is not `known`, and, unless
    they stand `alone`, gold entities with other spans. Relations join the given entity with the span of their
    end, with its label if there is one. Other relations stay as they are: they are counted as unplaced where
    an end is no entity.
    """
    of_gold = set(gold.entities)
    at = {(x.start, x.end): x for x in reversed(gold.entities)}
    own: dict[Entity, Entity] = {}
    for entity in sorted(given, key=lambda entity: entity not in of_gold):
        target = entity if entity.label in known else at.get((entity.start, entity.end))
        if target is not None:
            own.setdefault(target, entity)
    target_at = {(x.start, x.end): x for x in reversed(own)}
    spans = {(x.start, x.end) for x in given}
    others = () if alone else (x for x in gold.entities if (x.start, x.end) not in spans)

    def end(entity: Entity) -> Entity:
        return entity if entity in own else target_at.get((entity.start, entity.end), entity)

    relations = dict.fromkeys(replace(x, head=end(x.head), tail=end(x.tail)) for x in gold.relations)
    return Extraction((*own, *others), tuple(relations)), own

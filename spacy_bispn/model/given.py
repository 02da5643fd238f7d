"""Entities that are on a Doc before the component reads it, for relations between exactly these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from typing import TYPE_CHECKING

import torch
from spacy.tokens import Doc
from spacy.util import logger

from spacy_bispn.component_settings import ComponentSettings
from spacy_bispn.model.decoding import Decoding, Given
from spacy_bispn.model.targets import WindowGold, pad, share_out, type_numbers
from spacy_bispn.model.windowing import Window
from spacy_bispn.nn.shapes import NULL, Inputs, SpanTargets
from spacy_bispn.records import Entity, Extraction, Labels, distinct
from spacy_bispn.settings import SettingError

if TYPE_CHECKING:
    from spacy_bispn.model.architectures import NetworkSettings


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
    def checked(
        cls, settings: ComponentSettings, network: NetworkSettings, decoding: Decoding
    ) -> GivenEntities:
        """Those of a component. Raises SettingError for settings that contradict each other."""
        entities = settings.entities
        if entities != "predicted" and network.queries != "proposed":
            raise SettingError(
                "entities", entities, '"predicted" with queries = "learned", which no span can seed',
                'set queries = "proposed" in the model',
            )  # fmt: skip
        if entities != "predicted" and decoding.remove_overlaps:
            raise SettingError(
                "remove_overlaps", True, f"false with entities = {entities!r}, which keeps what is given",
                "set it to false",
            )  # fmt: skip
        return cls(entities, settings.given_spans)

    def of(self, docs: Sequence[Doc], windows: Sequence[Window], labels: Labels) -> GivenInWindows:
        """The entities on some Docs."""
        found = [] if self.entities == "predicted" else [self._on(doc) for doc in docs]
        return self._in_windows(found, windows, labels)

    def taught(
        self, docs: Sequence[Doc], gold: list[Extraction], windows: Sequence[Window], labels: Labels
    ) -> tuple[list[Extraction], GivenInWindows]:
        """What is to be learnt of the gold of some Docs, and the entities on these, or those of the gold
        where no component has looked for any.
        """
        if self.entities == "predicted":
            return gold, self._in_windows([], windows, labels)
        found = [self._on_or_gold(doc, said) for doc, said in zip(docs, gold, strict=True)]
        beside = [gold_beside(said, x, self.entities == "given") for said, x in zip(gold, found, strict=True)]
        return beside, self._in_windows(found, windows, labels)

    def limits(self, network: NetworkSettings) -> dict[str, float]:
        """The most entities and relations of a window. Every given entity is a query."""
        entities = inf if self.entities == "given" else network.entity_queries
        return {"entity_queries": entities, "relation_queries": network.relation_queries}

    def _on(self, doc: Doc) -> tuple[Entity, ...]:
        """The entities of `doc.ents` and of the group, each once."""
        spans = chain(doc.ents if self.with_ents else (), doc.spans.get(self.group, ()))
        found = (Entity(x.start_char, x.end_char, x.label_, kb_id=x.kb_id_) for x in spans)
        return distinct(sorted(found))

    def _on_or_gold(self, doc: Doc, gold: Extraction) -> tuple[Entity, ...]:
        """If others are to be found as well, a random half of the gold is given, so that both are learnt."""
        if self.group in doc.spans or doc.has_annotation("ENT_IOB"):
            return self._on(doc)
        if self.entities == "given":
            return gold.entities
        return tuple(entity for entity in gold.entities if torch.rand(()) < 0.5)

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
                "are found as for entities without a label; train with these labels, or rename them.",
                ", ".join(f"{label or 'none'} ({count})" for label, count in new.most_common()),
            )


@dataclass(frozen=True)
class GivenInWindows:
    """The entities that are given in some texts: those of each text, and those of each window.

    types: the class of each label. Labels that it does not have are of the class null.
    """

    entities: str
    by_text: Sequence[tuple[Entity, ...]]
    shares: Sequence[WindowGold]
    types: dict[str, int]

    def add_to(self, inputs: Inputs, batch: Sequence[int]) -> Inputs:
        """The inputs of some windows, with their entities."""
        if self.entities == "predicted":
            return inputs
        found = [self._places(index) for index in batch]
        spans = SpanTargets(*pad(found, (-1, -1, NULL), inputs.mask.device))
        return inputs._replace(given=spans, propose=self.entities == "both")

    def of_windows(self, batch: Sequence[int]) -> list[Given]:
        """The entities of some windows by position and type, as `add_to` gives them to the network."""
        if self.entities == "predicted":
            return [{}] * len(batch)
        known = ([entity for entity, _ in self.shares[index].entities] for index in batch)
        return [dict(zip(self._places(i), x, strict=True)) for i, x in zip(batch, known, strict=True)]

    def _places(self, index: int) -> list[tuple[int, int, int]]:
        share = self.shares[index].entities
        return [(*positions, self.types.get(entity.label, NULL)) for entity, positions in share]

    def adapt(self, decoding: Decoding) -> Decoding:
        """Settings with which every relation joins given entities, where there are no others."""
        alone = self.entities == "given"
        return replace(decoding, coherence="snap", remove_overlaps=False) if alone else decoding

    def beside(self, found: list[Extraction]) -> list[Extraction]:
        """What was found in the texts, with the given entities, and without others unless both are wanted."""
        if self.entities == "predicted":
            return found
        both = self.entities == "both"
        return [
            replace(x, entities=(*given, *x.entities) if both else given)
            for x, given in zip(found, self.by_text, strict=True)
        ]


def gold_beside(gold: Extraction, given: tuple[Entity, ...], alone: bool) -> Extraction:
    """What is to be learnt of a text's gold where some entities are given.

    The entities are those given and, unless these stand `alone`, gold ones with other spans. Relations join a
    given entity with the span of their end, with its label if there is one. The ends of other relations are
    as they were: they are counted as unplaced where no entity has them.
    """
    with_label = set(given)
    by_span = {(entity.start, entity.end): entity for entity in reversed(given)}
    others = () if alone else (x for x in gold.entities if (x.start, x.end) not in by_span)

    def end(entity: Entity) -> Entity:
        return entity if entity in with_label else by_span.get((entity.start, entity.end), entity)

    relations = dict.fromkeys(replace(x, head=end(x.head), tail=end(x.tail)) for x in gold.relations)
    return Extraction((*given, *others), tuple(relations))

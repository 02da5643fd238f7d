"""Entities that are on a Doc before the component reads it, for relations between exactly these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from spacy.tokens import Doc

from spacy_bispn.model.targets import WindowGold, pad, share_out, type_numbers
from spacy_bispn.model.windowing import Window
from spacy_bispn.nn.shapes import NULL, Inputs, SpanTargets
from spacy_bispn.records import Entity, Extraction, Labels


@dataclass(frozen=True)
class GivenEntities:
    """What is given in some Docs.

    by_text: the entities of each Doc. shares: those of each window. alone: whether no others are to be found.
    """

    by_text: Sequence[tuple[Entity, ...]]
    shares: Sequence[WindowGold]
    labels: Labels
    alone: bool

    @classmethod
    def of(
        cls, by_text: Sequence[tuple[Entity, ...]], windows: Sequence[Window], labels: Labels, alone: bool
    ) -> GivenEntities:
        """Find the entities of some texts in their windows."""
        shares = share_out(windows, [Extraction(entities) for entities in by_text])
        return cls(by_text, shares, labels, alone)

    def add_to(self, inputs: Inputs, batch: Sequence[int]) -> Inputs:
        """The inputs of some windows, with their entities. Types that the network does not know are null."""
        number = type_numbers(self.labels.entity)
        found = [
            [(*place, number.get(entity.label, NULL)) for entity, place in self.shares[index].entities]
            for index in batch
        ]
        spans = SpanTargets(*pad(found, (-1, -1, NULL), inputs.mask.device))
        return inputs._replace(given=spans, propose=not self.alone)

    def at(self, index: int) -> dict[tuple[int, int, int], Entity]:
        """The entities of a window by position and type, as `add_to` gives them to the network."""
        number = type_numbers(self.labels.entity)
        found = self.shares[index].entities
        return {(*place, number.get(entity.label, NULL)): entity for entity, place in reversed(found)}

    def unknown(self) -> Iterator[str]:
        """The labels of entities that the network does not know, one for each entity."""
        known = set(self.labels.entity)
        return (x.label for x in chain.from_iterable(self.by_text) if x.label not in known)


def entities_on(doc: Doc, group: str) -> tuple[Entity, ...]:
    """The entities of `doc.ents` and of a span group, each once."""
    spans = chain(doc.ents, doc.spans.get(group, ()))
    return tuple(sorted({Entity(span.start_char, span.end_char, span.label_) for span in spans}))


def has_entities_on(doc: Doc, group: str) -> bool:
    """Whether anything has looked for entities, be it in vain."""
    return group in doc.spans or doc.has_annotation("ENT_IOB")


def given_in_training(doc: Doc, gold: Extraction, group: str, alone: bool) -> tuple[Entity, ...]:
    """The entities on a Doc, or those of its gold if no component has looked for any.

    If others are to be found as well, a random half of the gold is given, so that both can be learnt.
    """
    if has_entities_on(doc, group):
        return entities_on(doc, group)
    if alone:
        return gold.entities
    chosen = torch.rand(len(gold.entities)) < 0.5
    return tuple(entity for entity, given in zip(gold.entities, chosen.tolist(), strict=True) if given)


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

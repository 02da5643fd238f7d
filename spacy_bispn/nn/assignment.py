"""Which query answers for which gold item."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from spacy_bispn.nn import losses
from spacy_bispn.nn.matching import Match, match
from spacy_bispn.nn.shapes import NULL, Outputs, Proposals, Spans, SpanTargets, Targets, repeated


@dataclass(frozen=True, eq=False)
class Assignment:
    """What losses are made from: outputs, gold, and which query answers for which gold item.

    gold: repeated for each supervised layer.
    surplus: how many gold items of a layer found no query.
    """

    out: Outputs
    proposals: Proposals | None
    gold: Targets
    entity: Match
    relation: Match
    surplus: int

    @property
    def arguments(self) -> tuple[tuple[Spans, SpanTargets], tuple[Spans, SpanTargets]]:
        """Head and tail of the relation queries, each with its gold."""
        return (self.out.head, self.gold.head), (self.out.tail, self.gold.tail)

    @cached_property
    def entity_gold(self) -> Tensor:
        """Each entity query's gold entity, -1 where none. Shape: (B, Qe) long."""
        return _gold_of_queries(self.out.entity_mask, self.entity)

    @cached_property
    def relation_gold(self) -> Tensor:
        """Each relation query's gold relation, -1 where none. Shape: (B, Qr) long."""
        return _gold_of_queries(self.out.relation_mask, self.relation)

    def related(self) -> Tensor:
        """Whether an entity query answers for an entity that has a relation. Shape: (B, Qe) bool."""
        ends = torch.cat([self.gold.head_entity, self.gold.tail_entity], dim=1)
        same = (self.entity_gold[:, :, None] == ends[:, None]).any(-1)
        return same & (self.entity_gold >= 0)

    def linked(self) -> Tensor:
        """Whether an entity and a relation query answer for an entity and a relation that it is an end of.

        Shape: (B, Qe, Qr) bool.
        """
        ends = [_look_up(x, self.relation_gold) for x in (self.gold.head_entity, self.gold.tail_entity)]
        same = torch.stack([self.entity_gold[:, :, None] == end[:, None] for end in ends]).any(0)
        return same & (self.entity_gold >= 0)[:, :, None]


def assign(out: Outputs, proposals: Proposals | None, targets: Targets) -> Assignment:
    """Match what every supervised layer predicts with the gold of its text.

    out: a batch of (layers * B) texts, as the network has them in training; targets: of B texts.
    """
    layers = len(out.relation) // len(targets.relation)
    gold: Targets = repeated(targets, layers)
    entity, relation = match(*_matching_problem(out, gold))
    surplus = (entity.surplus + relation.surplus) // layers  # each layer has as many queries as the others
    return Assignment(out, proposals, gold, entity, relation, surplus)


def _matching_problem(out: Outputs, gold: Targets) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Costs, masks of queries and masks of gold, for entities and for relations each."""
    with torch.no_grad():
        costs = [
            losses.span_cost(out.entity, gold.entity),
            losses.relation_cost(out.relation, out.head, out.tail, gold.relation, gold.head, gold.tail),
        ]
    return costs, [out.entity_mask, out.relation_mask], [gold.entity.type != NULL, gold.relation != NULL]


def _gold_of_queries(mask: Tensor, found: Match) -> Tensor:
    """Each query's gold item, -1 where none. Shape: mask (B, Q) -> (B, Q) long."""
    index = torch.full_like(mask, -1, dtype=torch.long)
    index[found.text, found.query] = found.gold
    return index


def _look_up(values: Tensor, index: Tensor) -> Tensor:
    """values[b, index[b, q]], or -2 where index is negative. Shape: (B, M), (B, Q) -> (B, Q)."""
    if not values.shape[1]:
        return torch.full_like(index, -2)
    return values.gather(1, index.clamp(min=0)).masked_fill(index < 0, -2)

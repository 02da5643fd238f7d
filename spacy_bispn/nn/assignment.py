"""Which query answers for which gold item: gold is repeated where that is asked for, then matched."""

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

    gold: repeated for each supervised layer, and then up to the numbers asked for.
    originals: how many gold entities each text has without these copies. Shape: (B,) long.
    surplus: how many gold items of a layer found no query.
    """

    out: Outputs
    proposals: Proposals | None
    gold: Targets
    originals: Tensor
    entity: Match
    relation: Match
    surplus: int

    @property
    def arguments(self) -> tuple[tuple[Spans, SpanTargets], tuple[Spans, SpanTargets]]:
        """Head and tail of the relation queries, each with its gold."""
        return (self.out.head, self.gold.head), (self.out.tail, self.gold.tail)

    @cached_property
    def entity_gold(self) -> Tensor:
        """Each entity query's gold entity, by its first copy, -1 where none. Shape: (B, Qe) long."""
        first_copy = self.entity.gold % self.originals[self.entity.text].clamp(min=1)
        return _gold_of_queries(self.out.entity_mask, self.entity._replace(gold=first_copy))

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


def assign(
    out: Outputs, proposals: Proposals | None, targets: Targets, entity_targets: int, relation_targets: int
) -> Assignment:
    """Match what every supervised layer predicts with the gold of its text.

    out: a batch of (layers * B) texts, as the network has them in training; targets: of B texts.
    entity_targets, relation_targets: gold is repeated until it fills so many queries, 0 repeats none.
    """
    layers = len(out.relation) // len(targets.relation)
    gold: Targets = repeated(targets, layers)
    originals = (gold.entity.type != NULL).sum(1)
    gold = fill(gold, entity_targets, relation_targets, (out.entity_mask.sum(1), out.relation_mask.sum(1)))
    entity, relation = match(*_matching_problem(out, gold))
    surplus = (entity.surplus + relation.surplus) // layers  # each layer has as many queries as the others
    return Assignment(out, proposals, gold, originals, entity, relation, surplus)


def _matching_problem(out: Outputs, gold: Targets) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Costs, masks of queries and masks of gold, for entities and for relations each."""
    with torch.no_grad():
        costs = [
            losses.span_cost(out.entity, gold.entity),
            losses.relation_cost(out.relation, out.head, out.tail, gold.relation, gold.head, gold.tail),
        ]
    return costs, [out.entity_mask, out.relation_mask], [gold.entity.type != NULL, gold.relation != NULL]


def fill(
    targets: Targets, entities: int, relations: int, queries: tuple[Tensor, Tensor] | None = None
) -> Targets:
    """Repeat the gold items of each text in turn until there are so many; 0 changes nothing.

    `queries` holds each text's numbers of entity and relation queries, (B,) each: copies stop there.
    `head_entity` and `tail_entity` keep pointing at the first copy of an entity.
    """
    entity = _turns(targets.entity.type, entities, queries and queries[0])
    relation = _turns(targets.relation, relations, queries and queries[1])
    return Targets(
        entity=_take_spans(targets.entity, *entity),
        head=_take_spans(targets.head, *relation),
        tail=_take_spans(targets.tail, *relation),
        relation=_take(targets.relation, *relation, NULL),
        head_entity=_take(targets.head_entity, *relation, -1),
        tail_entity=_take(targets.tail_entity, *relation, -1),
    )


def _turns(types: Tensor, total: int, queries: Tensor | None) -> tuple[Tensor, Tensor]:
    """The gold item of each column after repetition, and whether there is one. Shape: (B, N') each."""
    size = types.shape[1]
    count = (types != NULL).sum(1, keepdim=True)
    column = torch.arange(max(size, total) if size else 0, device=types.device).expand(len(types), -1)
    wanted = count.clamp(min=total)
    if queries is not None:
        wanted = count.maximum(queries[:, None].clamp(max=total))
    return column % count.clamp(min=1), (column < wanted) & (count > 0)


def _take(values: Tensor, index: Tensor, used: Tensor, empty: int) -> Tensor:
    """values[b, index[b, n]] where used, else `empty`. Shape: (B, N), (B, N'), (B, N') -> (B, N')."""
    return values.gather(1, index).masked_fill(~used, empty)


def _take_spans(spans: SpanTargets, index: Tensor, used: Tensor) -> SpanTargets:
    return SpanTargets(*(_take(x, index, used, e) for x, e in zip(spans, (-1, -1, NULL), strict=True)))


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

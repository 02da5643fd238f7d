"""From outputs and targets to one number: match, every loss, the weights."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..bounds import within
from . import losses
from .matching import Match, match
from .shapes import NULL, Outputs, Proposals, SpanTargets, Targets, repeated

BALANCED = "balanced"
BOUNDARY = ("cross_entropy", "binary", "both")
CONSISTENT = ("all", "matched")
HEAVIEST = 1_000_000  # a heavier loss would leave the range of its numbers
MOST_TARGETS = 4096  # as many as a model may have queries


class Losses(NamedTuple):
    """The weighted sum, its unweighted parts by name, and how many gold items found no query."""

    total: Tensor
    parts: dict[str, Tensor]
    surplus: int


class Assigned(NamedTuple):
    """Per query the gold item it answers for, -1 where none. Shape: (B, Qe), (B, Qr) long."""

    entity: Tensor
    relation: Tensor


@dataclass(frozen=True)
class Objective:
    """Weights and forms of the losses. Sums over texts and queries throughout, as the paper prints.

    alpha, beta: weights of consistency (eq 22) and linking (eq 27).
    null_weight: weight of the class null in the type losses (eq 16, 17), or "balanced": the number
        of matched over the number of unmatched queries of the batch.
    boundary: "cross_entropy" (paper), "binary" or "both".
    inside: weight of the third pointer; needs a network built with `inside_pointer`.
    entity_targets, relation_targets: gold is repeated until it fills so many queries; 0 is the paper.
    consistent_queries: which queries take part in eq 18 and 20, "all" (paper) or "matched".
    reverse_consistency: swap the arguments of the divergences.
    proposals: weight of the proposals' own loss, where queries are proposed by the text.
    """

    alpha: float = 1e-4
    beta: float = 1e-4
    null_weight: float | str = 1.0
    boundary: str = "cross_entropy"
    inside: float = 0.0
    entity_targets: int = 0
    relation_targets: int = 0
    consistent_queries: str = "all"
    reverse_consistency: bool = False
    proposals: float = 1.0

    def __post_init__(self) -> None:
        weights = dict.fromkeys(("alpha", "beta", "inside", "proposals"), HEAVIEST)
        counts = dict.fromkeys(("entity_targets", "relation_targets"), MOST_TARGETS)
        for name, most in (weights | counts).items():
            if not within(getattr(self, name), 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}: give a number of at least 0.")
            if not within(getattr(self, name), 0, most):
                raise ValueError(f"{name} is {getattr(self, name)!r}: give a number of at most {most}.")
        if self.boundary not in BOUNDARY:
            raise ValueError(f"boundary is {self.boundary!r}: choose one of {', '.join(BOUNDARY)}.")
        if self.consistent_queries not in CONSISTENT:
            raise ValueError(
                f"consistent_queries is {self.consistent_queries!r}: choose one of {', '.join(CONSISTENT)}."
            )
        if self.null_weight != BALANCED and not within(self.null_weight, 0, HEAVIEST):
            raise ValueError(
                f"null_weight is {self.null_weight!r}: give a number of at least 0 and at most {HEAVIEST}, "
                f'or "{BALANCED}".'
            )

    def __call__(self, out: Outputs, proposals: Proposals | None, targets: Targets) -> Losses:
        """Match and weigh what every supervised layer says of the texts that `targets` speak of."""
        layers = len(out.relation) // len(targets.relation)
        gold: Targets = repeated(targets, layers)
        originals = (gold.entity.type != NULL).sum(1)
        queries = (out.entity_mask.sum(1), out.relation_mask.sum(1))
        gold = fill(gold, self.entity_targets, self.relation_targets, queries)
        entity, relation = match(*_matching_problem(out, gold))
        parts = self._parts(out, gold, entity, relation, originals)
        if proposals is not None:
            parts["proposals"] = sum(
                (losses.proposal_loss(*part) for part in (proposals[:3], proposals[3:])),
                start=torch.zeros(()),
            )
        weights = {"consistency": self.alpha, "linking": self.beta,
                   "inside": self.inside, "proposals": self.proposals}  # fmt: skip
        total = sum((value * weights.get(name, 1.0) for name, value in parts.items()), start=torch.zeros(()))
        return Losses(total, parts, (entity.surplus + relation.surplus) // layers)  # the same in each

    def _parts(
        self, out: Outputs, gold: Targets, entity: Match, relation: Match, originals: Tensor
    ) -> dict[str, Tensor]:
        entity_null = self._null_weight(out.entity_mask, entity)
        relation_null = self._null_weight(out.relation_mask, relation)
        parts = {
            "entity_type": losses.type_loss(
                out.entity.type, out.entity_mask, entity, gold.entity.type, entity_null
            ),
            "entity_boundary": losses.boundary_loss(out.entity, entity, gold.entity, self.boundary),
            "relation_type": losses.type_loss(
                out.relation, out.relation_mask, relation, gold.relation, relation_null
            ),
        }
        arguments = ((out.head, gold.head), (out.tail, gold.tail))
        parts["argument_type"] = sum(
            (
                # an unmatched relation query still has two real entities as its ends: they are not null
                losses.type_loss(spans.type, out.relation_mask, relation, target.type, torch.zeros(()))
                for spans, target in arguments
            ),
            start=torch.zeros(()),
        )
        parts["argument_boundary"] = sum(
            (losses.boundary_loss(spans, relation, target, self.boundary) for spans, target in arguments),
            start=torch.zeros(()),
        )
        if self.inside and out.entity.inside is None:
            raise ValueError(
                f"inside is {self.inside}, but the network has no third pointer: set the model's "
                f"inside_pointer = true, or the objective's inside = 0."
            )
        if self.inside:
            parts["inside"] = sum(
                (
                    losses.inside_loss(spans.inside, found, target)
                    for spans, found, target in (
                        (out.entity, entity, gold.entity),
                        *((spans, relation, target) for spans, target in arguments),
                    )
                    if spans.inside is not None
                ),
                start=torch.zeros(()),
            )
        return parts | self._coherence(out, gold, entity, relation, originals)

    def _coherence(
        self, out: Outputs, gold: Targets, entity: Match, relation: Match, originals: Tensor
    ) -> dict[str, Tensor]:
        parts: dict[str, Tensor] = {}
        first_copy = entity._replace(gold=entity.gold % originals[entity.text].clamp(min=1))
        assigned = Assigned(
            _assign(out.entity_mask, first_copy), _assign(out.relation_mask, relation)
        )
        ends = [_look_up(index, assigned.relation) for index in (gold.head_entity, gold.tail_entity)]
        # (B, Qe, Qr): the entity query and the relation query answer for an entity and its relation
        linked = torch.stack(
            [assigned.entity[:, :, None] == end[:, None] for end in ends]
        ).any(0) & (assigned.entity >= 0)[:, :, None]
        if self.alpha and out.has_relation is not None:
            entity_mask, relation_mask = out.entity_mask, out.relation_mask
            if self.consistent_queries == "matched":
                entity_mask = entity_mask & (assigned.entity >= 0)
                relation_mask = relation_mask & (assigned.relation >= 0)
            entities = losses.distributions(out.entity)
            arguments = torch.cat([losses.distributions(side) for side in (out.head, out.tail)], dim=1)
            masks = (entity_mask, relation_mask.repeat(1, 2))
            parts["consistency"] = losses.consistency_loss(
                losses.relation_to_entity_loss(entities, arguments, *masks, self.reverse_consistency),
                losses.entity_to_relation_loss(
                    entities, arguments, *masks, out.has_relation, self.reverse_consistency
                ),
                losses.has_relation_loss(out.has_relation, out.entity_mask, _related(assigned, gold)),
            )
        if self.beta and out.link is not None:
            parts["linking"] = losses.linking_loss(
                out.link, out.entity_mask, out.relation_mask, linked
            )
        return parts

    def _null_weight(self, mask: Tensor, found: Match) -> Tensor:
        if self.null_weight != BALANCED:
            return torch.tensor(float(self.null_weight), device=mask.device)
        unmatched = (mask.sum() - len(found.query)).clamp(min=1)
        return (len(found.query) / unmatched).clamp(max=1.0)


def _matching_problem(
    out: Outputs, gold: Targets
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
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
    """Which gold item stands at each place after repetition, and whether one does: (B, N') each."""
    size = types.shape[1]
    count = (types != NULL).sum(1, keepdim=True)
    place = torch.arange(max(size, total) if size else 0, device=types.device).expand(len(types), -1)
    wanted = count.clamp(min=total)
    if queries is not None:
        wanted = count.maximum(queries[:, None].clamp(max=total))
    return place % count.clamp(min=1), (place < wanted) & (count > 0)


def _take(values: Tensor, index: Tensor, used: Tensor, empty: int) -> Tensor:
    return values.gather(1, index).masked_fill(~used, empty)


def _take_spans(spans: SpanTargets, index: Tensor, used: Tensor) -> SpanTargets:
    return SpanTargets(*(_take(x, index, used, e) for x, e in zip(spans, (-1, -1, NULL), strict=True)))


def _assign(mask: Tensor, found: Match) -> Tensor:
    index = torch.full_like(mask, -1, dtype=torch.long)
    index[found.text, found.query] = found.gold
    return index


def _look_up(values: Tensor, index: Tensor) -> Tensor:
    """values[b, index[b, q]], or -2 where index is negative. Shape: (B, M), (B, Q) -> (B, Q)."""
    if not values.shape[1]:
        return torch.full_like(index, -2)
    return values.gather(1, index.clamp(min=0)).masked_fill(index < 0, -2)


def _related(assigned: Assigned, gold: Targets) -> Tensor:
    """Whether each entity query answers for an entity that takes part in a relation: (B, Qe) bool."""
    ends = torch.cat([gold.head_entity, gold.tail_entity], dim=1)
    return ((assigned.entity[:, :, None] == ends[:, None]) & (assigned.entity >= 0)[:, :, None]).any(-1)

"""From outputs and targets to one number: the matching, the table of losses, and their weights.

A loss is a function under `@loss(weight=...)`; its weight is a setting of `Objective` or a constant. Both are
applied in one place, `Objective.__call__`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import NamedTuple

import torch
from torch import Tensor

from spacy_bispn.nn import losses
from spacy_bispn.nn.assignment import Assignment, assign
from spacy_bispn.nn.shapes import Outputs, Proposals, Targets
from spacy_bispn.settings import Settings, Values, retired, setting, settings_of

HEAVIEST = 1_000_000  # a heavier loss would leave the range of its numbers
WEIGHT = Values(least=0, most=HEAVIEST)


class Losses(NamedTuple):
    """The weighted sum, its unweighted parts by name, and how many gold items found no query.

    Shape: total and each part ().
    """

    total: Tensor
    parts: dict[str, Tensor]
    surplus: int


@dataclass(frozen=True)
class Objective(Settings):
    """Weights and forms of the losses: `spacy-bispn.Objective.v1`. Raises SettingError for impossible values.

    Losses are sums over texts, and over the queries of a text unless `reduction` says otherwise.
    """

    alpha: float = setting(
        WEIGHT,
        "Weight of consistency between the two sets; 0 leaves it out. The paper has 0.001 for ADE.",
        default=1e-4,
    )
    beta: float = setting(
        WEIGHT,
        "Weight of linking between entity and relation queries; 0 leaves it out. The paper has 0.001 for "
        "ACE05 and Text2DT.",
        default=1e-4,
    )
    null_weight: float = setting(
        Values(least=0, most=HEAVIEST),  # no weight of a loss
        'Weight of "nothing here" in the losses of types. Lower finds more.',
        default=1.0,
    )
    related_entities: str = setting(
        Values(choices=("soft", "hard")),
        "Which entities consistency moves towards heads and tails: all, weighted by the probability that "
        "they have a relation, or, as in the paper, only those where it is at least 0.5.",
        default="soft",
    )
    argument_queries: str = setting(
        Values(choices=("matched", "all")),
        "Which relation queries learn the types of their head and tail: those that answer for gold, or all, "
        "null where they answer for none, as in the paper.",
        default="matched",
    )
    reduction: str = setting(
        Values(choices=("sum", "mean")),
        "Linking and the has-relation part of consistency over the queries of a text: their sum, or, as in "
        "the paper, their mean, beside which `beta` weighs less.",
        default="sum",
    )
    proposals: float = setting(
        WEIGHT,
        "Weight of the loss of proposed spans and pairs; 0 leaves it out. Without effect on learned queries, "
        "which the paper has.",
        default=1.0,
    )
    boundary: str = retired("cross_entropy")
    inside: float = retired(0.0)
    entity_targets: int = retired(0)
    relation_targets: int = retired(0)
    consistent_queries: str = retired("all")
    reverse_consistency: bool = retired(False)

    def __call__(self, out: Outputs, proposals: Proposals | None, targets: Targets) -> Losses:
        """Match and weigh the outputs of every supervised layer for the texts that `targets` are of.

        out: a batch of (layers * B) texts, as the network has them in training; targets: of B texts.
        """
        assigned = assign(out, proposals, targets)
        weights = {name: weight for name, weight in self.weights.items() if weight}
        computed = {name: LOSSES[name].compute(self, assigned) for name in weights}
        parts = {name: value for name, value in computed.items() if value is not None}
        total = reduce(add, [value * weights[name] for name, value in parts.items()])
        return Losses(total, parts, assigned.surplus)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each loss, by its name; a loss of weight 0 is not computed."""
        return {
            name: getattr(self, each.weight) if isinstance(each.weight, str) else each.weight
            for name, each in LOSSES.items()
        }

    def at_full_weight(self) -> "Objective":
        """The same losses with a weight of 1 each, so that none is hidden by the others; 0 stays 0."""
        return _FullWeights(**asdict(self))


class _FullWeights(Objective):
    @property
    def weights(self) -> dict[str, float]:
        """1 where the settings have a weight above 0."""
        return {name: float(weight > 0) for name, weight in super().weights.items()}


Compute = Callable[[Objective, Assignment], Tensor | None]


class Loss(NamedTuple):
    """A loss and its weight, a constant or the name of a setting.

    compute: returns the unweighted sum over the batch, None where there is nothing to learn it from.
    """

    compute: Compute
    weight: str | float


LOSSES: dict[str, Loss] = {}  # by name, in the order in which they are added up


def loss(*, weight: str | float) -> Callable[[Compute], Compute]:
    """Enter a function into `LOSSES` under its own name.

    weight: the name of a setting of `Objective` whose values are `WEIGHT`, or a number above 0.
    Raises ValueError where it is neither, and for a second loss of one name.
    """
    known = [each.name for each in settings_of(Objective) if each.metadata["values"] is WEIGHT]

    def register(function: Compute) -> Compute:
        name = function.__name__
        if name in LOSSES:
            raise ValueError(f"the loss {name} is there already, expected another name: rename one of them.")
        if weight not in known and not (isinstance(weight, float) and weight > 0):
            raise ValueError(
                f"the loss {name} has the weight {weight!r}, expected one of {', '.join(known)} or a number "
                f"above 0: add a setting with the values WEIGHT to Objective, or give a number."
            )
        LOSSES[name] = Loss(function, weight)
        return function

    return register


@loss(weight=1.0)
def entity_type(objective: Objective, assigned: Assignment) -> Tensor:
    """Labels of the entity queries (eq 14)."""
    out, gold = assigned.out, assigned.gold.entity.type
    return losses.type_loss(out.entity.type, out.entity_mask, assigned.entity, gold, objective.null_weight)


@loss(weight=1.0)
def entity_boundary(objective: Objective, assigned: Assignment) -> Tensor:
    """Starts and ends of the entity queries (eq 14)."""
    return losses.boundary_loss(assigned.out.entity, assigned.entity, assigned.gold.entity)


@loss(weight=1.0)
def relation_type(objective: Objective, assigned: Assignment) -> Tensor:
    """Labels of the relation queries (eq 16)."""
    out, gold = assigned.out, assigned.gold.relation
    return losses.type_loss(out.relation, out.relation_mask, assigned.relation, gold, objective.null_weight)


@loss(weight=1.0)
def argument_type(objective: Objective, assigned: Assignment) -> Tensor:
    """Labels of heads and tails (eq 15)."""
    mask, found = assigned.out.relation_mask, assigned.relation
    # an unmatched query that was proposed still has two real entities as its ends: they are not null
    null = objective.null_weight if objective.argument_queries == "all" else 0.0
    return reduce(
        add, (losses.type_loss(x.type, mask, found, gold.type, null) for x, gold in assigned.arguments)
    )


@loss(weight=1.0)
def argument_boundary(objective: Objective, assigned: Assignment) -> Tensor:
    """Starts and ends of heads and tails (eq 15)."""
    found = assigned.relation
    return reduce(add, (losses.boundary_loss(x, found, gold) for x, gold in assigned.arguments))


@loss(weight="alpha")
def consistency(objective: Objective, assigned: Assignment) -> Tensor | None:
    """From relations to entities (eq 18), has-relation (eq 20), and from entities to relations (eq 21-22)."""
    out = assigned.out
    if out.has_relation is None:
        return None
    entities = losses.distributions(out.entity)
    arguments = torch.cat([losses.distributions(side) for side in (out.head, out.tail)], dim=1)
    masks = out.entity_mask, out.relation_mask.repeat(1, 2)
    related = losses.related_entities(out.has_relation, objective.related_entities == "hard")
    has_relation, mean = assigned.related(), objective.reduction == "mean"
    return (
        losses.relation_to_entity_loss(entities, arguments, *masks)
        + losses.entity_to_relation_loss(entities, arguments, *masks, related)
        + losses.has_relation_loss(out.has_relation, out.entity_mask, has_relation, mean)
    )


@loss(weight="beta")
def linking(objective: Objective, assigned: Assignment) -> Tensor | None:
    """Links: which entity is an end of which relation (eq 27)."""
    out = assigned.out
    if out.link is None:
        return None
    masks, mean = (out.entity_mask, out.relation_mask), objective.reduction == "mean"
    return losses.linking_loss(out.link, *masks, assigned.linked(), mean)


@loss(weight="proposals")
def proposals(objective: Objective, assigned: Assignment) -> Tensor | None:
    """The spans and pairs that may seed queries; learned queries have none."""
    if assigned.proposals is None:
        return None
    return reduce(add, map(losses.proposal_loss, assigned.proposals))

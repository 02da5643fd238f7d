"""The paper's losses as pure functions of tensors: no weights, no state.

The paper prints losses of one text. Every function returns their sum over the texts of a batch, so that a
batch and its sub-batches give the same gradient, and padding adds nothing.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from spacy_bispn.nn.matching import Match
from spacy_bispn.nn.shapes import NULL, PROPOSED, Candidates, Spans, SpanTargets

OWN = 100.0  # more than all probabilities of a relation and its ends together


def span_cost(spans: Spans, gold: SpanTargets) -> Tensor:
    """Minus the probabilities of the gold type, start and end. A given entity is always its own query's.

    Shape: spans (B, Q, ...), gold (B, N) -> (B, Q, N).
    """
    start, end = _probability(spans.start, gold.start), _probability(spans.end, gold.end)
    cost = -_probability(spans.type, gold.type) - start - end
    if spans.seed is not None and gold.given is not None:
        number = spans.seed[:, :, None, 2]
        cost = cost - OWN * ((number == gold.given[:, None]) & (number != PROPOSED))
    return cost


def relation_cost(relation: Tensor, head: Spans, tail: Spans, gold: Tensor,
                  gold_head: SpanTargets, gold_tail: SpanTargets) -> Tensor:  # fmt: skip
    """Minus the probability of the gold relation type, plus `span_cost` of head and tail.

    Shape: relation (B, Qr, R + 1), gold (B, M) -> (B, Qr, M).
    """
    return -_probability(relation, gold) + span_cost(head, gold_head) + span_cost(tail, gold_tail)


def _probability(logits: Tensor, index: Tensor) -> Tensor:
    """Of each query, the probabilities of the gold classes. Shape: (B, Q, C), (B, N) -> (B, Q, N)."""
    wanted = index.clamp(min=0)[:, None].expand(-1, logits.shape[1], -1)
    return logits.softmax(-1).gather(-1, wanted)


def type_loss(logits: Tensor, mask: Tensor, match: Match, gold: Tensor, null_weight: float) -> Tensor:
    """Cross-entropy of the type of every query, null where it is unmatched: a part of the losses of entities
    (eq 14), of heads and tails (eq 15) and of relations (eq 16).

    Shape: logits (B, Q, C), mask (B, Q), gold (B, N) -> ().
    """
    target = torch.full_like(mask, NULL, dtype=torch.long)
    target[match.text, match.query] = gold[match.text, match.gold]
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target)
    return (each * torch.where(target == NULL, null_weight, 1.0) * mask).sum()


def boundary_loss(spans: Spans, match: Match, gold: SpanTargets) -> Tensor:
    """Cross-entropy of starts and ends of matched queries: a part of the losses of entities (eq 14) and of
    heads and tails (eq 15).

    Shape: spans (B, Q, ...), gold (B, N) -> ().
    """
    query, found = (match.text, match.query), (match.text, match.gold)
    both = ((spans.start, gold.start), (spans.end, gold.end))
    return reduce(add, (F.cross_entropy(x[query], at[found], reduction="sum") for x, at in both))


def distributions(spans: Spans) -> Tensor:
    """Log-probabilities of start, end and type side by side, none below -1e4.

    Types range over the same classes for entities, heads and tails; null counts as one of them.
    Shape: spans (B, Q, ...) -> (B, Q, P + P + E + 1).
    """
    parts = (spans.start, spans.end, spans.type)
    return torch.cat([logits.log_softmax(-1) for logits in parts], dim=-1).clamp(min=-1e4)


def divergence(left: Tensor, right: Tensor) -> Tensor:
    """D_KL(left_i || right_j), summed over the start, end and type distributions.

    Shape: `distributions`, (B, N, X) and (B, M, X) -> (B, N, M).
    """
    p = left.exp()
    return (p * left).sum(-1, keepdim=True) - p @ right.transpose(-1, -2)


def relation_to_entity_loss(
    entity: Tensor, arguments: Tensor, entity_mask: Tensor, argument_mask: Tensor
) -> Tensor:
    """From relations to entities (eq 18): each head and each tail lies close to some entity, its reference,
    by D_KL(entity || head or tail). The gradient reaches both.

    Shape: `distributions` of entities (B, Qe, X), of heads and tails (B, 2 Qr, X), their masks (B, Qe) and
    (B, 2 Qr) -> ().
    """
    return _closest(divergence(entity, arguments), entity_mask, argument_mask)


def entity_to_relation_loss(
    entity: Tensor, arguments: Tensor, entity_mask: Tensor, argument_mask: Tensor, related: Tensor
) -> Tensor:
    """From entities to relations (eq 21): an entity with a relation lies close to some head or tail, by
    D_KL(head or tail || entity).

    Shape: as above, `related`, a weight of each entity, (B, Qe) -> ().
    """
    return _closest(divergence(arguments, entity), argument_mask, related * entity_mask)


def related_entities(has_relation: Tensor, hard: bool) -> Tensor:
    """The weights of entities in `entity_to_relation_loss`: the probability that they have a relation, or
    `hard`, 1 where it is at least 0.5 (eq 22).

    No gradient flows through either: an entity could talk itself out of the loss.
    Shape: logits (B, Qe) -> (B, Qe).
    """
    logits = has_relation.detach()
    return (logits >= 0).to(logits) if hard else logits.sigmoid()


def _closest(distance: Tensor, candidates: Tensor, weight: Tensor) -> Tensor:
    """Shape: distance (B, N, M), candidates (B, N) bool, weight (B, M) -> (): weighted sum of minima."""
    nearest = distance.masked_fill(~candidates[..., None], torch.inf).amin(dim=1)
    # where a text has no candidate the minimum is infinite, and infinity times a weight of 0 is NaN
    return (torch.where(nearest.isfinite(), nearest, 0.0) * weight).sum()


def has_relation_loss(logits: Tensor, mask: Tensor, target: Tensor, mean: bool) -> Tensor:
    """Binary cross-entropy of has-relation (eq 20 with `mean`). Shape: (B, Qe) each -> ()."""
    return _yes_or_no(logits, mask, target, mean)


def linking_loss(
    link: Tensor, entity_mask: Tensor, relation_mask: Tensor, target: Tensor, mean: bool
) -> Tensor:
    """Binary cross-entropy of the links "this entity is an end of this relation" (eq 27 with `mean`).

    Shape: link and target (B, Qe, Qr), masks (B, Q) -> ().
    """
    return _yes_or_no(link, entity_mask[:, :, None] & relation_mask[:, None, :], target, mean)


def _yes_or_no(logits: Tensor, mask: Tensor, target: Tensor, mean: bool) -> Tensor:
    """Binary cross-entropy of each text: the sum of what the mask has, or its mean, 0 where that is nothing.

    Shape: (B, ...) each -> (), the sum over texts.
    """
    each = F.binary_cross_entropy_with_logits(logits, target.to(logits), reduction="none") * mask
    texts = each.flatten(1).sum(1)
    return (texts / mask.flatten(1).sum(1).clamp(min=1) if mean else texts).sum()


def proposal_loss(found: Candidates) -> Tensor:
    """Binary cross-entropy of the candidates that may seed queries. Shape: (B, C, X, X) -> ()."""
    each = F.binary_cross_entropy_with_logits(found.logits, found.gold.to(found.logits), reduction="none")
    return (each * found.valid).sum()

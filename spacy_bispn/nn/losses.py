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
from spacy_bispn.nn.shapes import NULL, Candidates, Spans, SpanTargets


def span_cost(spans: Spans, gold: SpanTargets) -> Tensor:
    """Minus the probabilities of the gold type, start and end.

    Shape: spans (B, Q, ...), gold (B, N) -> (B, Q, N).
    """
    start, end = _probability(spans.start, gold.start), _probability(spans.end, gold.end)
    return -_probability(spans.type, gold.type) - start - end


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


def type_loss(
    logits: Tensor, mask: Tensor, match: Match, gold: Tensor, null_weight: Tensor | float
) -> Tensor:
    """Cross-entropy of the type of every query, null where it is unmatched: a part of the losses of entities
    (eq 14), of heads and tails (eq 15) and of relations (eq 16).

    Shape: logits (B, Q, C), mask (B, Q), gold (B, N), null_weight a number or () -> ().
    """
    target = torch.full_like(mask, NULL, dtype=torch.long)
    target[match.text, match.query] = gold[match.text, match.gold]
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target)
    weight = torch.where(target == NULL, torch.as_tensor(null_weight).to(each), 1.0)
    return (each * weight * mask).sum()


def boundary_loss(spans: Spans, match: Match, gold: SpanTargets, kind: str) -> Tensor:
    """Starts and ends of matched queries: a part of the losses of entities (eq 14) and of heads and tails
    (eq 15).

    `kind` is "cross_entropy" (the paper), "binary" (each position by itself) or "both" (their sum).
    Shape: spans (B, Q, ...), gold (B, N) -> ().
    """
    terms: list[Tensor] = []
    for logits, index in ((spans.start, gold.start), (spans.end, gold.end)):
        chosen = logits[match.text, match.query]
        target = index[match.text, match.gold]
        if kind != "binary":
            terms.append(F.cross_entropy(chosen, target, reduction="sum"))
        if kind != "cross_entropy":
            terms.append(binary(chosen, F.one_hot(target, chosen.shape[-1]).to(chosen)))
    return reduce(add, terms)


def inside_loss(logits: Tensor, match: Match, gold: SpanTargets) -> Tensor:
    """A third pointer, at every part of the entity: 1 at its ends, 0.5 between them.

    Shape: logits (B, Q, P) -> (). Not in the paper; the released code's extra.
    """
    chosen = logits[match.text, match.query]
    start = gold.start[match.text, match.gold][:, None]
    end = gold.end[match.text, match.gold][:, None]
    position = torch.arange(logits.shape[-1], device=logits.device)[None]
    target = ((position >= start) & (position <= end)).to(chosen) / 2
    target = target + ((position == start) | (position == end)).to(chosen) / 2
    return binary(chosen, target)


def binary(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy, summed; positions that cannot be pointed at give 0. Any shape -> ()."""
    possible = logits > torch.finfo(logits.dtype).min / 2
    logits = torch.where(possible, logits, -50.0)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (each * possible).sum()


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
    entity: Tensor, arguments: Tensor, entity_mask: Tensor, argument_mask: Tensor, reverse: bool
) -> Tensor:
    """From relations to entities (eq 18): each head and each tail lies close to some entity, its reference,
    by D_KL(entity || head or tail). The gradient reaches both.

    `reverse` swaps the arguments of the divergence. Shape: `distributions` of entities (B, Qe, X), of
    heads and tails (B, 2 Qr, X), their masks (B, Qe) and (B, 2 Qr) -> ().
    """
    return _closest(_between(entity, arguments, reverse), entity_mask, argument_mask)


def entity_to_relation_loss(
    entity: Tensor, arguments: Tensor, entity_mask: Tensor, argument_mask: Tensor,
    related: Tensor, reverse: bool,
) -> Tensor:  # fmt: skip
    """From entities to relations (eq 21): an entity with a relation lies close to some head or tail.

    Shape: as above, `related`, a weight of each entity, (B, Qe) -> ().
    """
    distance = _between(entity, arguments, not reverse).transpose(1, 2)
    return _closest(distance, argument_mask, related * entity_mask)


def related_entities(has_relation: Tensor, hard: bool) -> Tensor:
    """The weights of entities in `entity_to_relation_loss`: the probability that they have a relation, or
    `hard`, 1 where it is at least 0.5 (eq 22).

    No gradient flows through either: an entity could talk itself out of the loss.
    Shape: logits (B, Qe) -> (B, Qe).
    """
    logits = has_relation.detach()
    return (logits >= 0).to(logits) if hard else logits.sigmoid()


def _between(entity: Tensor, arguments: Tensor, reverse: bool) -> Tensor:
    """Shape: (B, Qe, 2 Qr): D_KL(entity || argument), or with `reverse` D_KL(argument || entity)."""
    if reverse:
        return divergence(arguments, entity).transpose(1, 2)
    return divergence(entity, arguments)


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

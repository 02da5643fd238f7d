"""The paper's equations as pure functions of tensors: no weights, no state, sums as printed.

Every function returns a sum over texts, so that a batch and its sub-batches give the same
gradient, and padding adds nothing.
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
    """Eq 14: minus the probabilities of the gold type, start and end.

    Shape: spans (B, Q, ...), gold (B, N) -> (B, Q, N).
    """
    start, end = _probability(spans.start, gold.start), _probability(spans.end, gold.end)
    return -_probability(spans.type, gold.type) - start - end


def relation_cost(relation: Tensor, head: Spans, tail: Spans, gold: Tensor,
                  gold_head: SpanTargets, gold_tail: SpanTargets) -> Tensor:  # fmt: skip
    """Eq 15: minus the probability of the gold relation type, plus eq 14 for head and tail.

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
    """The type part of eq 16 and 17: cross-entropy of every query, null where it is unmatched.

    Shape: logits (B, Q, C), mask (B, Q), gold (B, N), null_weight a number or () -> ().
    """
    target = torch.full_like(mask, NULL, dtype=torch.long)
    target[match.text, match.query] = gold[match.text, match.gold]
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target)
    weight = torch.where(target == NULL, torch.as_tensor(null_weight).to(each), 1.0)
    return (each * weight * mask).sum()


def boundary_loss(spans: Spans, match: Match, gold: SpanTargets, kind: str) -> Tensor:
    """The boundary part of eq 16 and 17, over matched queries only.

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
    """Eq 18: each head and each tail lies close to some entity, D_KL(entity || head or tail).

    `reverse` swaps the arguments of the divergence. Shape: `distributions` of entities (B, Qe, X), of
    heads and tails (B, 2 Qr, X), their masks (B, Qe) and (B, 2 Qr) -> ().
    """
    return _closest(_between(entity, arguments, reverse), entity_mask, argument_mask)


def entity_to_relation_loss(
    entity: Tensor, arguments: Tensor, entity_mask: Tensor, argument_mask: Tensor,
    has_relation: Tensor, reverse: bool,
) -> Tensor:  # fmt: skip
    """Eq 20: an entity that has a relation (eq 19) lies close to some head or tail.

    `has_relation` holds logits, used as a weight only: through it an entity could talk itself out
    of the loss. Shape: as above, has_relation (B, Qe) -> ().
    """
    distance = _between(entity, arguments, not reverse).transpose(1, 2)
    return _closest(distance, argument_mask, has_relation.detach().sigmoid() * entity_mask)


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


def has_relation_loss(logits: Tensor, mask: Tensor, target: Tensor) -> Tensor:
    """Eq 21: binary cross-entropy of "takes part in a relation". Shape: (B, Qe) each -> ()."""
    each = F.binary_cross_entropy_with_logits(logits, target.to(logits), reduction="none")
    return (each * mask).sum()


def consistency_loss(to_entity: Tensor, to_relation: Tensor, has_relation: Tensor) -> Tensor:
    """Eq 22: both directions and has-relation, added. Shape: () each -> ()."""
    return to_entity + to_relation + has_relation


def linking_loss(link: Tensor, entity_mask: Tensor, relation_mask: Tensor, target: Tensor) -> Tensor:
    """Eq 27: binary cross-entropy of "this entity is an end of this relation".

    Shape: link and target (B, Qe, Qr), masks (B, Q) -> ().
    """
    each = F.binary_cross_entropy_with_logits(link, target.to(link), reduction="none")
    return (each * entity_mask[:, :, None] * relation_mask[:, None, :]).sum()


def proposal_loss(found: Candidates) -> Tensor:
    """Binary cross-entropy of the candidates that may seed queries. Shape: (B, C, X, X) -> ()."""
    each = F.binary_cross_entropy_with_logits(found.logits, found.gold.to(found.logits), reduction="none")
    return (each * found.valid).sum()

"""The letters of every shape in this package, and the records that carry tensors between rooms.

B batch (in training and behind the shared decoder, all texts once for each supervised layer), P positions
the model points at (wordpieces or tokens), Qe entity queries, Qr relation queries, N gold entities, M gold
relations, d width, E entity types, R relation types.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

NULL = 0  # class "nothing here" of every type distribution; labels are counted from 1


class SpanTargets(NamedTuple):
    """Gold spans. Shape: each (B, N) long; positions are inclusive, padding is -1 with type NULL."""

    start: Tensor
    end: Tensor
    type: Tensor


class Targets(NamedTuple):
    """What one batch should say. `head_entity`, `tail_entity` are indices into the gold entities.

    Shape: entity (B, N); head, tail, relation, head_entity, tail_entity (B, M).
    """

    entity: SpanTargets
    head: SpanTargets
    tail: SpanTargets
    relation: Tensor
    head_entity: Tensor
    tail_entity: Tensor


class Inputs(NamedTuple):
    """What the network reads: either piece ids or the token vectors of another component.

    Shape: ids (B, P) long, vectors (B, P, width) float; mask and pointable (B, P) bool. `pointable`
    leaves out the special pieces. `gold` is set in training, where it may steer the proposals.
    """

    ids: Tensor | None
    vectors: Tensor | None
    mask: Tensor
    pointable: Tensor
    gold: Targets | None = None


class Queries(NamedTuple):
    """Queries before the decoders. Seeds are inclusive (start, end) positions the text proposed.

    Shape: entity (B, Qe, d), relation (B, Qr, d), masks (B, Q) bool, seeds (B, Q, 2) long or None.
    """

    entity: Tensor
    relation: Tensor
    entity_mask: Tensor
    relation_mask: Tensor
    entity_seed: Tensor | None = None
    head_seed: Tensor | None = None
    tail_seed: Tensor | None = None


class Proposals(NamedTuple):
    """Scores of the spans and pairs that may seed queries, and their gold. C copies per candidate.

    Shape: span logits, gold, valid (B, C, P, P); pair logits, gold, valid (B, C, K, K).
    """

    span_logits: Tensor
    span_gold: Tensor
    span_valid: Tensor
    pair_logits: Tensor
    pair_gold: Tensor
    pair_valid: Tensor


class Spans(NamedTuple):
    """Logits of one kind of query. Shape: start, end, inside (B, Q, P); type (B, Q, E + 1)."""

    start: Tensor
    end: Tensor
    type: Tensor
    inside: Tensor | None = None


class Outputs(NamedTuple):
    """All that the supervised layers say, the last one at the end: it alone speaks at prediction.

    Shape: relation (B, Qr, R + 1), has_relation (B, Qe), link (B, Qe, Qr), masks (B, Q) bool.
    `has_relation` and `link` are training signals and None at prediction.
    """

    entity: Spans
    head: Spans
    tail: Spans
    relation: Tensor
    entity_mask: Tensor
    relation_mask: Tensor
    has_relation: Tensor | None = None
    link: Tensor | None = None


def repeated(record: Any, times: int) -> Any:
    """A tensor, or a record of tensors, with its batch so many times one after the other."""
    if record is None or times == 1:
        return record
    if isinstance(record, Tensor):
        return torch.cat([record] * times)
    return type(record)(*(repeated(part, times) for part in record))

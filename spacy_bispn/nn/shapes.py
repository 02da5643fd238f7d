"""The letters of every shape in this package, and the records that carry tensors between its parts.

B batch (in training and behind the shared decoder, all texts once for each supervised layer), P positions
the model points at (wordpieces or tokens), Qe entity queries, Qr relation queries, N gold entities, M gold
relations, d width, E entity types, R relation types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

PROPOSED = -1  # in place of the number of a given entity, where none was given
NULL = 0  # class "nothing here" of every type distribution; labels are counted from 1


class SpanTargets(NamedTuple):
    """Gold spans. Shape: each (B, N) long; positions are inclusive, padding is -1 with type NULL.

    given: the number of the given entity that a gold entity is, `PROPOSED` if it is none; None if none is.
    """

    start: Tensor
    end: Tensor
    type: Tensor
    given: Tensor | None = None


class Targets(NamedTuple):
    """The gold of one batch. `head_entity`, `tail_entity` are indices into the gold entities.

    Shape: entity (B, N); head, tail, relation, head_entity, tail_entity (B, M).
    """

    entity: SpanTargets
    head: SpanTargets
    tail: SpanTargets
    relation: Tensor
    head_entity: Tensor
    tail_entity: Tensor


class Words(NamedTuple):
    """The lexical attributes of the different words of a batch, and which word each position is in.

    begins, ends: whether a position is the first, or the last, of its word.
    Shape: keys (W, attributes, rows of a value) long, see `nn.lexical`; number (B, P) long, any of W where a
    position cannot be pointed at; begins, ends (B, P) bool.
    """

    keys: Tensor
    number: Tensor
    begins: Tensor
    ends: Tensor

    @property
    def norms(self) -> Tensor:
        """A hash of 64 bits of each word's first attribute, its NORM, where the word begins; 0 elsewhere.

        Shape: (B, P) long.
        """
        low, high = self.keys[:, 0, :2].unbind(-1)
        return (low + (high << 32))[self.number] * self.begins


class Inputs(NamedTuple):
    """What the network reads: either piece ids or the token vectors of another component.

    Shape: ids (B, P) long, vectors (B, P, width) float; mask and pointable (B, P) bool. `pointable`
    leaves out the special pieces. `gold` is set in training, where it may steer the proposals. `given` are
    entities that are known beforehand, with type NULL where the network does not know their label; others
    are found beside them if `propose` says so. `words` is None where the network does not look at words.
    """

    ids: Tensor | None
    vectors: Tensor | None
    mask: Tensor
    pointable: Tensor
    gold: Targets | None = None
    given: SpanTargets | None = None
    propose: bool = True
    words: Words | None = None


class Queries(NamedTuple):
    """Queries before the decoders. Seeds are the inclusive positions (start, end) of spans that the text
    proposed, or that were given, and the number of the given entity, `PROPOSED` where there is none.

    Shape: entity (B, Qe, d), relation (B, Qr, d), masks (B, Q) bool, seeds (B, Q, 3) long or None.
    """

    entity: Tensor
    relation: Tensor
    entity_mask: Tensor
    relation_mask: Tensor
    entity_seed: Tensor | None = None
    head_seed: Tensor | None = None
    tail_seed: Tensor | None = None
    has_given: bool = False


class Candidates(NamedTuple):
    """Scores of what may seed a query, which of it is gold, and which is possible. C copies of each.

    Shape: logits (B, C, X, X) float; gold, valid (B, C, X, X) bool.
    """

    logits: Tensor
    gold: Tensor
    valid: Tensor


class Proposals(NamedTuple):
    """Candidates for queries. Shape: spans (B, C, P, P) by start and end, pairs (B, C, K, K) by head and tail
    among the K entity queries.
    """

    spans: Candidates
    pairs: Candidates


class Spans(NamedTuple):
    """Logits of one kind of query, and its seed if entities were given.

    Shape: start, end (B, Q, P), type (B, Q, E + 1), seed (B, Q, 3) long.
    """

    start: Tensor
    end: Tensor
    type: Tensor
    seed: Tensor | None = None


class Outputs(NamedTuple):
    """Outputs of the supervised layers, along the batch, the last one at its end; in prediction only of that.

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


def map_tensors(function: Callable[..., Tensor], *records: Any) -> Any:
    """Apply a function to the corresponding tensors of some records of one kind.

    Returns such a record. A tensor is a record of itself; what is neither, such as None, stays as it is.
    """
    first = records[0]
    if isinstance(first, Tensor):
        return function(*records)
    if not isinstance(first, tuple):
        return first
    return type(first)(*(map_tensors(function, *parts) for parts in zip(*records, strict=True)))


def repeated(record: Any, times: int) -> Any:
    """A record with its batch repeated `times` times. Shape: (B, ...) -> (times * B, ...) of each tensor."""
    return record if times == 1 else map_tensors(lambda tensor: torch.cat([tensor] * times), record)

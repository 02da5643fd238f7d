"""What each query predicts, as numbers: its best span and label, or its relation and two spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from spacy_bispn.nn.shapes import NULL, PROPOSED, Outputs, Spans, map_tensors

if TYPE_CHECKING:
    from spacy_bispn.model.decoding import Decoding

Number = TypeVar("Number", Tensor, float)  # of all queries, or of one
Record = TypeVar("Record", bound=tuple[Any, ...])


class BestSpan(NamedTuple, Generic[Number]):
    """The best span of a query and its best label. Positions are inclusive. Labels count from 0.

    The label is -1 where there is no threshold and null is the likeliest. `given` is the number of the given
    entity that this is, `PROPOSED` where it is none. Shape: each (...,), or a number.
    """

    start: Number
    end: Number
    start_probability: Number
    end_probability: Number
    label: Number
    label_probability: Number
    given: Number


class EntityQuery(NamedTuple, Generic[Number]):
    """What an entity query predicts; `window` is its index in the batch. Shape: each (K,), or a number."""

    window: Number
    span: BestSpan[Number]


class RelationQuery(NamedTuple, Generic[Number]):
    """What a relation query predicts; `window` is its index in the batch. Shape: each (K,), or a number."""

    window: Number
    label: Number
    label_probability: Number
    head: BestSpan[Number]
    tail: BestSpan[Number]


class OpenRelationQuery(NamedTuple):
    """What a relation query predicts, beside the probabilities of all it may mean.

    `relation` has those of no relation and of each relation label, `head` and `tail` of each entity label.
    Shape: (K, R + 1) and (K, E), or a list of numbers for one query.
    """

    first: RelationQuery[Any]
    relation: Any
    head: Any
    tail: Any

    @property
    def window(self) -> Any:
        """Its index in the batch."""
        return self.first.window


def best_spans(spans: Spans, decoding: Decoding) -> BestSpan[Tensor]:
    """The score of a span (eq 7), the best span (eq 8) up to `longest_span`, and the best label (eq 9).

    Printed for the best span is `0 < end - start`, which would rule out entities of one token: here they are
    permitted.
    Shape: spans (..., P) and (..., E + 1) -> (...,) each.
    """
    start, end = spans.start.softmax(-1), spans.end.softmax(-1)
    best_start, first = _best_starts(start, decoding.longest_span)
    score = best_start + end if decoding.span_score == "sum" else best_start * end
    last = score.argmax(-1, keepdim=True)
    label, probability = _best_label(spans.type, decoding.type_threshold)
    found = BestSpan(
        start=first.gather(-1, last)[..., 0],
        end=last[..., 0],
        start_probability=best_start.gather(-1, last)[..., 0],
        end_probability=end.gather(-1, last)[..., 0],
        label=label,
        label_probability=probability,
        given=torch.full_like(label, PROPOSED),
    )
    if spans.seed is None:
        return found
    start, end, number = spans.seed.unbind(-1)
    sure = torch.ones_like(probability)
    known = (start, end, sure, sure, label, probability, number)
    return BestSpan(*(torch.where(number != PROPOSED, x, y) for x, y in zip(known, found, strict=True)))


def _best_starts(start: Tensor, longest: int | None) -> tuple[Tensor, Tensor]:
    """The most probable start for each end, and its position. Shape: (..., P) -> (..., P) each."""
    size = start.shape[-1]
    if longest is None or longest >= size:  # much faster than windows that hold everything
        best, first = start.cummax(-1)
        return best, first
    reach = torch.nn.functional.pad(start, (longest - 1, 0)).unfold(-1, longest, 1)
    best, offset = reach.max(-1)
    first = torch.arange(size, device=start.device) - (longest - 1) + offset
    return best, first.clamp(min=0)  # below 0 where all starts have underflowed to the padding's 0


def _best_label(logits: Tensor, threshold: float | None) -> tuple[Tensor, Tensor]:
    """Best label, from 0, and its probability. Null, -1, may be the best label (eq 9) without a threshold.

    Shape: (..., C) -> (...,) each.
    """
    first = NULL if threshold is None else NULL + 1
    probability, index = logits.softmax(-1)[..., first:].max(-1)
    return (index - 1 if threshold is None else index), probability


def entity_queries(outputs: Outputs, decoding: Decoding) -> EntityQuery[Tensor]:
    """The entity queries in the mask. Shape: (K,) each."""
    mask = outputs.entity_mask
    return EntityQuery(mask.nonzero()[:, 0], best_spans(_masked(outputs.entity, mask), decoding))


def relation_queries(outputs: Outputs, decoding: Decoding) -> RelationQuery[Tensor]:
    """The relation queries in the mask. Shape: (K,) each."""
    mask = outputs.relation_mask
    label, probability = _best_label(outputs.relation[mask], decoding.relation_threshold)
    head, tail = (best_spans(_masked(x, mask), decoding) for x in (outputs.head, outputs.tail))
    return RelationQuery(mask.nonzero()[:, 0], label, probability, head, tail)


def open_relation_queries(outputs: Outputs, decoding: Decoding) -> OpenRelationQuery:
    """The relation queries in the mask, with the probabilities of all labels. Shape: (K, ...) each."""
    mask = outputs.relation_mask
    first = relation_queries(outputs, decoding)
    ends = (_end_types(_masked(spans, mask)) for spans in (outputs.head, outputs.tail))
    return OpenRelationQuery(first, outputs.relation[mask].softmax(-1), *ends)


def _end_types(spans: Spans) -> Tensor:
    """The probabilities of an end's labels, all 0 if it is given and has its own. Shape: (K, E)."""
    types = spans.type[..., NULL + 1 :].softmax(-1)
    if spans.seed is None:
        return types
    return torch.where(spans.seed[..., 2:] == PROPOSED, types, 0.0)


def _masked(spans: Spans, mask: Tensor) -> Spans:
    """What is of the queries in `mask`. Shape: (B, Q, ...), mask (B, Q) -> (K, ...)."""
    masked: Spans = map_tensors(lambda tensor: tensor[mask], spans)
    return masked


def to_rows(tables: Sequence[Record]) -> list[list[Record]]:
    """Each record of tensors (K, ...), nested or not, as K records of numbers or lists of these.

    There is one transfer from the device.
    """
    columns = [column for table in tables for column in _columns(table)]
    # positions are exact in 32 bits up to 2^24
    flat = torch.cat([x.float().flatten() for x in columns]).cpu().split([x.numel() for x in columns])
    numbers = (
        (part if column.dim() == 1 else part.view(column.shape)).tolist()
        for part, column in zip(flat, columns, strict=True)
    )
    return [_fill(table, numbers) for table in tables]


def _columns(record: Record) -> Iterator[Tensor]:
    """All tensors of a record, in order."""
    for part in record:
        yield from _columns(part) if isinstance(part, tuple) else (part,)


def _fill(record: Record, numbers: Iterator[list[Any]]) -> list[Record]:
    """Records like this one, of the next columns of numbers."""
    columns = [_fill(part, numbers) if isinstance(part, tuple) else next(numbers) for part in record]
    return [type(record)(*row) for row in zip(*columns, strict=True)]

"""From query states to spans, with pointers (eq 4-5) and a type (eq 6), and to other classes (eq 13, 19)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spacy_bispn.nn.packing import States, padded, through
from spacy_bispn.nn.pairs import SCORERS
from spacy_bispn.nn.shapes import Spans

START, END = range(2)


class SpanHead(nn.Module):
    """Start and end pointers (eq 4-5) and a type (eq 6) of entity queries, or of head and tail queries.

    mlp: whether the type's classifier is an MLP, or one linear layer.
    """

    def __init__(self, width: int, entity_types: int, pointer: str, seeded: bool, mlp: bool) -> None:
        super().__init__()
        self.pointer = SCORERS[pointer](width, width, width, channels=2)
        self.entity_type = classifier(width, entity_types + 1, mlp)
        self.seed_weight = nn.Parameter(torch.full((2,), 5.0)) if seeded else None

    def forward(self, queries: States, tokens: States, pointable: Tensor, seed: Tensor | None) -> Spans:
        """Shape: queries (B, Q, d) and tokens (B, P, d), padded or packed, pointable (B, P), seed (B, Q, 3)
        or None.

        A seeded query starts from its proposal: the pointers learn what to correct.
        """
        scores = self.pointer(queries, tokens).float()
        start, end = scores[:, START], scores[:, END]
        if self.seed_weight is not None and seed is not None:
            start = start + self.seed_weight[START] * one_hot(seed[..., START], start)
            end = end + self.seed_weight[END] * one_hot(seed[..., END], end)
        return Spans(
            start=mask_positions(start, pointable),
            end=mask_positions(end, pointable),
            type=padded(through(self.entity_type, queries)).float(),
        )


def classifier(width: int, classes: int, mlp: bool) -> nn.Module:
    """From states to the logits of some classes: an MLP (eq 6, 13, 19), or one linear layer.

    Shape: (..., width) -> (..., classes).
    """
    last = nn.Linear(width, classes)
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), last) if mlp else last


def widened(layer: nn.Module, classes: int) -> nn.Module:
    """A classifier with more classes, or an embedding of more. New rows are 0, so that a new type is never
    the likeliest untaught.

    Shape: (..., width) -> (..., classes), or (...,) -> (..., width).
    """
    if isinstance(layer, nn.Sequential):
        *others, last = layer.children()
        return nn.Sequential(*others, widened(last, classes))
    grown: nn.Module
    if isinstance(layer, nn.Linear):
        grown = nn.Linear(layer.in_features, classes)
    elif isinstance(layer, nn.Embedding):
        grown = nn.Embedding(classes, layer.embedding_dim)
    else:
        return layer
    with torch.no_grad():
        for new, old in zip(grown.parameters(), layer.parameters(), strict=True):
            new.zero_()
            new[: len(old)] = old
    return grown.to(layer.weight)


def one_hot(index: Tensor, like: Tensor) -> Tensor:
    """Shape: index (B, Q) -> (B, Q, P), with the type and device of `like`."""
    return torch.zeros_like(like).scatter_(-1, index[..., None], 1.0)


def mask_positions(logits: Tensor, pointable: Tensor) -> Tensor:
    """Rule out positions that cannot be pointed at. Shape: (B, Q, P), (B, P) -> (B, Q, P)."""
    lowest = torch.finfo(logits.dtype).min
    return logits.masked_fill(~pointable[:, None, :], lowest)

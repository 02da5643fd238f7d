"""The head from query states to spans: pointers (eq 4-5) and a type (eq 6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spacy_bispn.nn.pairs import SCORERS
from spacy_bispn.nn.shapes import Spans

START, END, INSIDE = range(3)


class SpanHead(nn.Module):
    """Start and end pointers and a type: one module, used by entity, head and tail queries alike."""

    def __init__(self, width: int, entity_types: int, pointer: str, inside: bool, seeded: bool) -> None:
        super().__init__()
        self.inside = inside
        self.pointer = SCORERS[pointer](width, width, width, channels=3 if inside else 2)
        self.entity_type = nn.Linear(width, entity_types + 1)
        self.seed_weight = nn.Parameter(torch.full((2,), 5.0)) if seeded else None

    def forward(self, queries: Tensor, tokens: Tensor, pointable: Tensor, seed: Tensor | None) -> Spans:
        """Shape: queries (B, Q, d), tokens (B, P, d), pointable (B, P), seed (B, Q, 2) or None.

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
            type=self.entity_type(queries).float(),
            inside=mask_positions(scores[:, INSIDE], pointable) if self.inside else None,
        )


def one_hot(index: Tensor, like: Tensor) -> Tensor:
    """Shape: index (B, Q) -> (B, Q, P), with the type and device of `like`."""
    return torch.zeros_like(like).scatter_(-1, index[..., None], 1.0)


def mask_positions(logits: Tensor, pointable: Tensor) -> Tensor:
    """Rule out positions that cannot be pointed at. Shape: (B, Q, P), (B, P) -> (B, Q, P)."""
    lowest = torch.finfo(logits.dtype).min
    return logits.masked_fill(~pointable[:, None, :], lowest)

"""Spans with the same words: what the query of one of them knows of the others."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from spacy_bispn.nn.packing import Packed
from spacy_bispn.nn.shapes import Words


class MentionPool(nn.Module):
    """Adds to the query of a span what the mean of the spans with the same words in its text says.

    It begins as nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.join = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)
        nn.init.zeros_(self.join.weight)
        nn.init.zeros_(self.join.bias)

    def forward(self, spans: Packed, words: Words, start: Tensor, end: Tensor) -> Packed:
        """Shape: spans (B, Q, d), their inclusive positions start and end (B, Q) -> (B, Q, d)."""
        others = spelt_alike(words, start, end, spans.rows.mask)
        count = others.sum(-1, keepdim=True)
        own = spans.padded
        mean = (others.to(own.dtype) @ own) / count.clamp(min=1)
        own, mean, recurs = (spans.rows.pack(x) for x in (own, mean, count > 0))
        return Packed(self.norm(own + self.join(torch.cat([own, mean], dim=-1)) * recurs), spans.rows)


def spelt_alike(words: Words, start: Tensor, end: Tensor, mask: Tensor) -> Tensor:
    """Which other spans begin elsewhere and have the same words, whatever their case.

    Words are compared by the sum of their hashes, so their order makes no difference.
    Shape: start, end, mask (B, Q) -> (B, Q, Q) bool.
    """
    before = pad(words.norms.cumsum(1), (1, 0))
    spelling = before.gather(1, end + 1) - before.gather(1, start)
    same = spelling[:, :, None] == spelling[:, None, :]
    return same & (start[:, :, None] != start[:, None, :]) & mask[:, None, :]

"""Spans with the same words: what the query of one of them knows of the others."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

from spacy_bispn.nn.shapes import Words


class MentionPool(nn.Module):
    """What the other spans with the same words in a text say, for the query of a span."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.join = nn.Linear(width, width)

    def forward(self, states: Tensor, words: Words, start: Tensor, end: Tensor, mask: Tensor) -> Tensor:
        """The mean state of the others, projected; 0 where there are none.

        Shape: states (B, Q, d), inclusive positions start and end and mask (B, Q) -> (B, Q, d).
        """
        others = spelt_alike(words, start, end, mask)
        count = others.sum(-1, keepdim=True)
        joined: Tensor = self.join(others.to(states.dtype) @ states / count.clamp(min=1))
        return joined * (count > 0)


def spelt_alike(words: Words, start: Tensor, end: Tensor, mask: Tensor) -> Tensor:
    """Which other spans begin elsewhere and have the same words, whatever their case.

    Words are compared by the sum of their hashes, so their order makes no difference.
    Shape: start, end, mask (B, Q) -> (B, Q, Q) bool.
    """
    before = pad(words.norms.cumsum(1), (1, 0))
    spelling = before.gather(1, end + 1) - before.gather(1, start)
    same = spelling[:, :, None] == spelling[:, None, :]
    return same & (start[:, :, None] != start[:, None, :]) & mask[:, None, :]

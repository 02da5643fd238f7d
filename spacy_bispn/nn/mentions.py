"""Spans with the same words: what the query of one of them knows of the others."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

from spacy_bispn.nn.shapes import Words


class MentionPool(nn.Module):
    """What the other spans of a window with the same words say, for the query of a span."""

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
    """Which other spans of whole words have the same words, whatever their case, and begin elsewhere.

    Words are compared by the sum of their hashes, so their order makes no difference. A span that is there
    twice, for two types, counts twice.
    Shape: inclusive positions start and end, mask (B, Q) -> (B, Q, Q) bool.
    """
    before = pad(words.norms.cumsum(1), (1, 0))
    spelling = before.gather(1, end + 1) - before.gather(1, start)
    whole = mask & words.begins.gather(1, start) & words.ends.gather(1, end)
    same = (spelling[:, :, None] == spelling[:, None, :]) & whole[:, :, None] & whole[:, None, :]
    return same & (start[:, :, None] != start[:, None, :])

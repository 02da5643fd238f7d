"""Attention and feed-forward blocks, without any knowledge of entities or relations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Multi-head scaled dot-product attention over the keys that `mask` allows.

    Shape: query (B, Q, d), key and value (B, K, d), mask (B, K) bool -> (B, Q, d).
    A member of the batch without any allowed key attends to all of them, so that nothing is NaN.
    No dropout on the probabilities: it rules out the fused kernel, and states have their own.
    """
    usable = mask | ~mask.any(dim=-1, keepdim=True)
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=usable[:, None, None, :])
    return mixed.transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Projections around `attend`; the keys may come from somewhere else than the queries."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Shape: query (B, Q, d), key and value (B, K, d), mask (B, K) -> (B, Q, d)."""
        return self.mix(self.query(query), self.key(key), self.value(value), mask)

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """As `forward`, for tensors that are projected already."""
        mixed: Tensor = self.output(attend(query, key, value, mask, self.heads))
        return mixed


class OneWayAttention(Attention):
    """Tokens attend to tokens, queries to tokens and queries: no token ever sees a query (eq 1)."""

    def forward(  # type: ignore[override]
        self, tokens: Tensor, queries: Tensor, token_mask: Tensor, query_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Shape: tokens (B, P, d), queries (B, Q, d) -> the same two."""
        key, value = self.key(tokens), self.value(tokens)
        new_tokens = self.mix(self.query(tokens), key, value, token_mask)
        key = torch.cat([key, self.key(queries)], dim=1)
        value = torch.cat([value, self.value(queries)], dim=1)
        mask = torch.cat([token_mask, query_mask], dim=1)
        return new_tokens, self.mix(self.query(queries), key, value, mask)


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between them. Shape: (..., d) -> (..., d)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )


def averaged(states: Tensor, position: Tensor | None) -> Tensor:
    """Content averaged with a positional embedding, where there is one. Shape: (B, Q, d)."""
    return states if position is None else (states + position) / 2

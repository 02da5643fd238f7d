"""Attention and feed-forward blocks, without any knowledge of entities or relations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .dropout import Dropout


@dataclass(frozen=True, eq=False)
class Rows:
    """The members of a padded batch that work on single members is done for.

    Texts differ much in their length and in their number of queries: padding would be a good part of all.
    A GPU computes it in less time than it takes to leave it out.
    Shape: index (R,) long, places in the flattened (B, N); mask (B, N) bool, true for the real ones.
    """

    index: Tensor
    mask: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> Rows:
        """Where `mask` is true, and on a GPU everywhere. Shape: (B, N) bool."""
        if mask.is_cuda:
            return cls(torch.arange(mask.numel(), device=mask.device), mask)
        return cls(mask.flatten().nonzero()[:, 0], mask)

    def repeated(self, times: int) -> Rows:
        """Those of the batch so many times one after the other."""
        return self if times == 1 else Rows.of(self.mask.repeat(times, 1))

    @cached_property
    def allowed(self) -> Tensor:
        """The real members as keys, for `attend`. Shape: (B, 1, 1, N)."""
        return usable(self.mask)

    @property
    def full(self) -> bool:
        """Whether work is done for all, so that nothing need be moved."""
        return len(self.index) == self.mask.numel()

    def pack(self, padded: Tensor) -> Tensor:
        """Shape: (B, N, d) -> (R, d)."""
        flat = padded.flatten(0, 1)
        return flat if self.full else flat.index_select(0, self.index)

    def pad(self, rows: Tensor) -> Tensor:
        """Shape: (R, d) -> (B, N, d), with zeros for the members that were left out."""
        if not self.full:
            rows = rows.new_zeros(self.mask.numel(), rows.shape[-1]).index_copy(0, self.index, rows)
        padded: Tensor = rows.unflatten(0, self.mask.shape)
        return padded


def attend(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor, heads: int) -> Tensor:
    """Multi-head scaled dot-product attention over the keys that are allowed, which `usable` tells.

    Shape: query (B, Q, d), key and value (B, K, d), allowed (B, 1, 1, K) -> (B, Q, d).
    No dropout on the probabilities: it rules out the fused kernel, and states have their own.
    """
    q, k, v = (by_head(x, heads) for x in (query, key, value))
    # of the same numbers: on a processor torch misreads a mask in 32 bits beside queries in 64
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed.to(q.dtype))
    return mixed.transpose(1, 2).flatten(2)


def probabilities(query: Tensor, key: Tensor, allowed: Tensor, heads: int) -> Tensor:
    """The weights by which `attend` mixes the values, for those who look at them: it never makes them itself.

    Shape: query (B, Q, d), key (B, K, d), allowed (B, 1, 1, K) -> (B, heads, Q, K), each row a distribution.
    """
    q, k = (by_head(x, heads).float() for x in (query, key))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights: Tensor = (scores + allowed).softmax(-1)
    return weights


def together(states: Tensor, *layers: nn.Module) -> tuple[Tensor, ...]:
    """What several linear layers of one width make of the same states, in one product.

    Layers in int8 have no weights to lay side by side: each makes its own. Shape: (..., d) -> (..., d) each.
    """
    if not all(isinstance(layer, nn.Linear) for layer in layers):
        return tuple(layer(states) for layer in layers)
    weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
    return F.linear(states, weight, bias).chunk(len(layers), dim=-1)


def usable(mask: Tensor) -> Tensor:
    """What is added to the scores of keys: 0 for those that `mask` allows, minus infinity for others.

    A member of the batch without any key may see all of them, so that nothing is NaN.
    Shape: (B, K) bool -> (B, 1, 1, K).
    """
    keys = (mask | ~mask.any(dim=-1, keepdim=True))[:, None, None, :]
    return torch.zeros(keys.shape, device=mask.device).masked_fill_(~keys, -torch.inf)


def by_head(states: Tensor, heads: int) -> Tensor:
    """Shape: (B, Q, d) -> (B, heads, Q, d / heads)."""
    parts: Tensor = states.unflatten(-1, (heads, -1)).transpose(1, 2)
    return parts


class Attention(nn.Module):
    """Projections around `attend`; the keys may come from somewhere else than the queries."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def over(self, queries: Tensor, rows: Rows, tokens: Tensor, token_rows: Rows) -> Tensor:
        """Queries attend to tokens. Shape: queries (R, d), tokens (T, d) -> (R, d)."""
        key, value = (token_rows.pad(part) for part in together(tokens, self.key, self.value))
        mixed = attend(rows.pad(self.query(queries)), key, value, token_rows.allowed, self.heads)
        out: Tensor = self.output(rows.pack(mixed))
        return out

    def within(self, where: Tensor, value: Tensor, rows: Rows) -> Tensor:
        """Queries attend to each other. Shape: where and value (R, d) -> (R, d)."""
        parts = (self.query(where), self.key(where), self.value(value))
        query, key, seen = (rows.pad(part) for part in parts)
        mixed = attend(query, key, seen, rows.allowed, self.heads)
        out: Tensor = self.output(rows.pack(mixed))
        return out


class OneWayAttention(Attention):
    """Tokens attend to tokens, queries to tokens and queries: no token ever sees a query (eq 1)."""

    def forward(self, states: Tensor, token_rows: Rows, rows: Rows) -> Tensor:
        """Tokens and queries are projected as one. Shape: tokens, then queries, (T + R, d) -> the same."""
        sizes = [len(token_rows.index), len(rows.index)]
        parts = together(states, self.query, self.key, self.value)
        of_tokens, of_queries = zip(*(part.split(sizes) for part in parts), strict=True)
        query, key, value = (token_rows.pad(part) for part in of_tokens)
        seen = attend(query, key, value, token_rows.allowed, self.heads)
        query, *more = (rows.pad(part) for part in of_queries)
        key, value = (torch.cat(both, dim=1) for both in zip((key, value), more, strict=True))
        allowed = usable(torch.cat([token_rows.mask, rows.mask], dim=1))
        mixed = attend(query, key, value, allowed, self.heads)
        out: Tensor = self.output(torch.cat([token_rows.pack(seen), rows.pack(mixed)]))
        return out


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between them. Shape: (..., d) -> (..., d)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(width, hidden), nn.GELU(), Dropout(dropout), nn.Linear(hidden, width)
        )


def averaged(states: Tensor, position: Tensor | None) -> Tensor:
    """Content averaged with a positional embedding, where there is one. Shape: (R, d)."""
    return states if position is None else (states + position) / 2

"""Attention and feed-forward blocks, without any knowledge of entities or relations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spacy_bispn.nn.dropout import Dropout


@dataclass(frozen=True, eq=False)
class PackedRows:
    """The real rows of a padded batch, for layers that work on each row by itself.

    Texts differ much in their length and in their number of queries: much of a batch is padding. A CPU leaves
    it out; a GPU computes it in less time than it takes to leave it out.
    Shape: index (R,) long, indices into the flattened (B, N); mask (B, N) bool, true for the real rows.
    """

    index: Tensor
    mask: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> PackedRows:
        """The rows where `mask` is true, on a GPU all of them. Shape: mask (B, N) bool."""
        if mask.is_cuda:
            return cls(torch.arange(mask.numel(), device=mask.device), mask)
        return cls(mask.flatten().nonzero()[:, 0], mask)

    def repeated(self, times: int) -> PackedRows:
        """The rows of the batch repeated `times` times. Shape: mask (B, N) -> (times * B, N)."""
        return self if times == 1 else PackedRows.of(self.mask.repeat(times, 1))

    @cached_property
    def bias(self) -> Tensor:
        """The attention bias of the rows as keys. Shape: (B, 1, 1, N)."""
        return attention_bias(self.mask)

    @property
    def full(self) -> bool:
        """Whether no row is left out, so that nothing need be moved."""
        return len(self.index) == self.mask.numel()

    def pack(self, padded: Tensor) -> Tensor:
        """Shape: (B, N, d) -> (R, d)."""
        flat = padded.flatten(0, 1)
        return flat if self.full else flat.index_select(0, self.index)

    def pad(self, rows: Tensor) -> Tensor:
        """Shape: (R, d) -> (B, N, d), with zeros for the rows that were left out."""
        if not self.full:
            rows = rows.new_zeros(self.mask.numel(), rows.shape[-1]).index_copy(0, self.index, rows)
        padded: Tensor = rows.unflatten(0, self.mask.shape)
        return padded


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int) -> Tensor:
    """Multi-head scaled dot-product attention, with a bias made by `attention_bias`.

    Shape: query (B, Q, d), key and value (B, K, d), bias (B, 1, 1, K) -> (B, Q, d).
    No dropout on the probabilities: it rules out the fused kernel, and states have their own.
    """
    q, k, v = (by_head(x, heads) for x in (query, key, value))
    # the bias in the dtype of the queries: on a CPU torch misreads a 32-bit mask beside 64-bit queries
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
    return mixed.transpose(1, 2).flatten(2)


def attention_weights(query: Tensor, key: Tensor, bias: Tensor, heads: int) -> Tensor:
    """The weights by which `attend` mixes the values, which its fused kernel does not return.

    Shape: query (B, Q, d), key (B, K, d), bias (B, 1, 1, K) -> (B, heads, Q, K), each row a distribution.
    """
    q, k = (by_head(x, heads).float() for x in (query, key))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights: Tensor = (scores + bias).softmax(-1)
    return weights


def fused_linear(states: Tensor, *layers: nn.Module) -> tuple[Tensor, ...]:
    """Apply several linear layers of one width to the same states, in one product.

    Quantized layers have no weights that could be concatenated: they are applied one by one.
    Shape: (..., d) -> (..., d) each.
    """
    if not all(isinstance(layer, nn.Linear) for layer in layers):
        return tuple(layer(states) for layer in layers)
    weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
    return F.linear(states, weight, bias).chunk(len(layers), dim=-1)


def attention_bias(mask: Tensor) -> Tensor:
    """What is added to the scores of keys: 0 where `mask` is true, minus infinity elsewhere.

    A text without any key attends to all of them, so that nothing is NaN. Shape: (B, K) bool -> (B, 1, 1, K).
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

    def over(self, queries: Tensor, rows: PackedRows, tokens: Tensor, token_rows: PackedRows) -> Tensor:
        """Queries attend to tokens. Shape: queries (R, d), tokens (T, d) -> (R, d)."""
        key, value = (token_rows.pad(part) for part in fused_linear(tokens, self.key, self.value))
        mixed = attend(rows.pad(self.query(queries)), key, value, token_rows.bias, self.heads)
        out: Tensor = self.output(rows.pack(mixed))
        return out

    def within(self, states: Tensor, rows: PackedRows) -> Tensor:
        """Queries attend to each other. Shape: (R, d) -> (R, d)."""
        parts = (self.query(states), self.key(states), self.value(states))
        query, key, value = (rows.pad(part) for part in parts)
        mixed = attend(query, key, value, rows.bias, self.heads)
        out: Tensor = self.output(rows.pack(mixed))
        return out


class OneWayAttention(Attention):
    """Tokens attend to tokens, queries to tokens and queries; no token attends to a query."""

    def forward(self, states: Tensor, token_rows: PackedRows, rows: PackedRows) -> Tensor:
        """Tokens and queries are projected in one product. Shape: both as (T + R, d) -> the same."""
        sizes = [len(token_rows.index), len(rows.index)]
        parts = fused_linear(states, self.query, self.key, self.value)
        of_tokens, of_queries = zip(*(part.split(sizes) for part in parts), strict=True)
        query, key, value = (token_rows.pad(part) for part in of_tokens)
        tokens = attend(query, key, value, token_rows.bias, self.heads)
        query, *more = (rows.pad(part) for part in of_queries)
        key, value = (torch.cat(both, dim=1) for both in zip((key, value), more, strict=True))
        bias = attention_bias(torch.cat([token_rows.mask, rows.mask], dim=1))
        queries = attend(query, key, value, bias, self.heads)
        out: Tensor = self.output(torch.cat([token_rows.pack(tokens), rows.pack(queries)]))
        return out


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between them. Shape: (..., d) -> (..., d)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), Dropout(dropout), nn.Linear(hidden, width))

"""Attention and feed-forward blocks, without any knowledge of entities or relations."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spacy_bispn.nn.dropout import Dropout
from spacy_bispn.nn.packing import PackedRows


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


def project(states: Tensor, rows: PackedRows, *layers: nn.Module) -> tuple[Tensor, ...]:
    """Apply several linear layers of one width to the same states, on a GPU in one product.

    Laying their weights side by side takes longer on a CPU than it saves; quantized layers have none.
    Shape: (R, d) -> (B, N, d) each.
    """
    if not states.is_cuda:
        return tuple(rows.pad(layer(states)) for layer in layers)
    weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
    return rows.pad(F.linear(states, weight, bias)).chunk(len(layers), dim=-1)


def by_head(states: Tensor, heads: int) -> Tensor:
    """Shape: (B, Q, d) -> (B, heads, Q, d / heads)."""
    parts: Tensor = states.unflatten(-1, (heads, -1)).transpose(1, 2)
    return parts


class Keys(NamedTuple):
    """What can be attended to. Shape: key, value (B, K, d), bias (B, 1, 1, K)."""

    key: Tensor
    value: Tensor
    bias: Tensor


class Attention(nn.Module):
    """Projections around `attend`; the keys may come from somewhere else than the queries."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def keys(self, states: Tensor, rows: PackedRows) -> Keys:
        """States to be attended to. Shape: states (R, d)."""
        rows = rows.aligned
        key, value = project(states, rows, self.key, self.value)
        return Keys(key, value, rows.bias)

    def over(self, queries: Tensor, rows: PackedRows, keys: Keys) -> Tensor:
        """Queries attend to keys. Shape: queries (R, d) -> (R, d)."""
        mixed = attend(rows.pad(self.query(queries)), *keys, self.heads)
        out: Tensor = self.output(rows.pack(mixed))
        return out

    def within(self, states: Tensor, rows: PackedRows) -> Tensor:
        """Queries attend to each other. Shape: (R, d) -> (R, d)."""
        return self.over(states, rows, self.keys(states, rows))


class OneWayRows(NamedTuple):
    """Rows of tokens, of queries, and of both, tokens first."""

    tokens: PackedRows
    queries: PackedRows
    both: PackedRows

    @classmethod
    def of(cls, tokens: PackedRows, queries: PackedRows) -> OneWayRows:
        """Both as attention wants them."""
        tokens, queries = tokens.aligned, queries.aligned
        return cls(tokens, queries, PackedRows.joined(tokens, queries))


class OneWayAttention(Attention):
    """Tokens attend to tokens, queries to tokens and queries; no token attends to a query."""

    def forward(self, states: Tensor, rows: OneWayRows) -> Tensor:
        """Tokens and queries are projected in one product. Shape: both as (T + R, d) -> the same."""
        count = rows.tokens.mask.shape[1]
        query, key, value = project(states, rows.both, self.query, self.key, self.value)
        tokens = attend(query[:, :count], key[:, :count], value[:, :count], rows.tokens.bias, self.heads)
        queries = attend(query[:, count:], key, value, rows.both.bias, self.heads)
        out: Tensor = self.output(rows.both.pack(torch.cat([tokens, queries], dim=1)))
        return out


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between them. Shape: (..., d) -> (..., d)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), Dropout(dropout), nn.Linear(hidden, width))

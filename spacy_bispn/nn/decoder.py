"""The decoders behind the encoder: shared (3.2.2), entity decoder (eq 3), relation decoder (eq 12)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from spacy_bispn.nn.attention import Attention, FeedForward, Keys, OneWayAttention, OneWayRows
from spacy_bispn.nn.dropout import Dropout
from spacy_bispn.nn.packing import Packed, PackedRows, through


class SharedBlock(nn.Module):
    """One-way attention over all, then full attention among the queries, each with feed-forward.

    Layers are normalised before, not after, each sublayer, so that a fresh decoder starts close to
    the identity and does not spoil what the pretrained encoder knows.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.one_way = OneWayAttention(width, heads)
        self.one_way_norm = nn.LayerNorm(width)
        self.feed = FeedForward(width, hidden, dropout)
        self.feed_norm = nn.LayerNorm(width)
        self.among = Attention(width, heads)
        self.among_norm = nn.LayerNorm(width)
        self.query_feed = FeedForward(width, hidden, dropout)
        self.query_feed_norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, queries: Tensor, rows: OneWayRows) -> tuple[Tensor, Tensor]:
        """Shape: tokens (T, d), queries (R, d) -> tokens, queries."""
        states = torch.cat([tokens, queries])
        states = states + self.dropout(self.one_way(self.one_way_norm(states), rows))
        states = states + self.dropout(self.feed(self.feed_norm(states)))
        tokens, queries = states.split([len(tokens), len(queries)])
        queries = queries + self.dropout(self.among.within(self.among_norm(queries), rows.queries))
        queries = queries + self.dropout(self.query_feed(self.query_feed_norm(queries)))
        return tokens, queries


class QueryBlock(nn.Module):
    """Queries attend to a view of the tokens and to each other, then feed-forward: a block of the
    entity decoder (eq 3) or of the relation decoder (eq 12).
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.cross = Attention(width, heads)
        self.cross_norm = nn.LayerNorm(width)
        self.among = Attention(width, heads)
        self.among_norm = nn.LayerNorm(width)
        self.feed = FeedForward(width, hidden, dropout)
        self.feed_norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, queries: Tensor, rows: PackedRows, view: Packed) -> Tensor:
        """Shape: queries (R, d) -> (R, d)."""
        queries = self.read(queries, rows, view)
        return self.confer(queries, rows, self.keys(queries, rows))

    def read(self, queries: Tensor, rows: PackedRows, view: Packed) -> Tensor:
        """Queries attend to the view. Shape: (R, d) -> (R, d)."""
        keys = self.cross.keys(*view)
        read: Tensor = queries + self.dropout(self.cross.over(self.cross_norm(queries), rows, keys))
        return read

    def keys(self, queries: Tensor, rows: PackedRows) -> Keys:
        """What queries are to each other. Shape: (R, d)."""
        return self.among.keys(self.among_norm(queries), rows)

    def confer(self, queries: Tensor, rows: PackedRows, others: Keys) -> Tensor:
        """Some queries attend to all of them, then feed-forward. Shape: (R, d) -> (R, d)."""
        queries = queries + self.dropout(self.among.over(self.among_norm(queries), rows, others))
        fed: Tensor = queries + self.dropout(self.feed(self.feed_norm(queries)))
        return fed


class Begun(NamedTuple):
    """Queries that have read, but not yet conferred in the last block of their decoder.

    others: what all of them are to each other, None without any block.
    """

    queries: Packed
    others: Keys | None


class SetDecoder(nn.Module):
    """The view of the tokens for entities (eq 2) or the view for relations (eq 11), and a few blocks over
    it; without blocks, only the norm.

    It works in two steps, so that prediction can leave out what it does not need of the last block.
    """

    def __init__(self, blocks: list[QueryBlock], width: int) -> None:
        super().__init__()
        self.view = nn.Linear(width, width)
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)

    def begin(self, queries: Packed, view: Packed) -> Begun:
        """All queries, up to where they confer in the last block."""
        if not self.blocks:
            return Begun(queries, None)
        states, rows = queries
        *before, last = cast(Iterable[QueryBlock], self.blocks)
        for block in before:
            states = block(states, rows, view)
        states = last.read(states, rows, view)
        return Begun(Packed(states, rows), last.keys(states, rows))

    def finish(self, queries: Packed, others: Keys | None) -> Packed:
        """Some or all queries of `begin`, behind the last block."""
        states, rows = queries
        if others is not None:
            states = cast(QueryBlock, self.blocks[-1]).confer(states, rows, others)
        return Packed(self.norm(states), rows)


class Split(nn.Module):
    """A relation query becomes three: the relation itself, its head and its tail (eq 10)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, width)
        self.tail = nn.Linear(width, width)

    def forward(self, queries: Packed) -> Packed:
        """Shape: (B, Qr, d) -> (B, 3 Qr, d), relations first, then heads, then tails."""
        return Packed.joined(queries, *(through(layer, queries) for layer in (self.head, self.tail)))

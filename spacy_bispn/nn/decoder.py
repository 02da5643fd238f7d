"""The decoders behind the encoder: shared (3.2.2), entity decoder (eq 3), relation decoder (eq 12)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spacy_bispn.nn.attention import Attention, FeedForward, OneWayAttention, PackedRows
from spacy_bispn.nn.dropout import Dropout


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

    def forward(
        self, tokens: Tensor, token_rows: PackedRows, queries: Tensor, rows: PackedRows
    ) -> tuple[Tensor, Tensor]:
        """Shape: tokens (T, d), queries (R, d) -> tokens, queries."""
        states = torch.cat([tokens, queries])
        states = states + self.dropout(self.one_way(self.one_way_norm(states), token_rows, rows))
        states = states + self.dropout(self.feed(self.feed_norm(states)))
        tokens, queries = states.split([len(tokens), len(queries)])
        queries = queries + self.dropout(self.among.within(self.among_norm(queries), rows))
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

    def forward(self, queries: Tensor, rows: PackedRows, view: Tensor, token_rows: PackedRows) -> Tensor:
        """Shape: queries (R, d), view (T, d) -> (R, d)."""
        queries = queries + self.dropout(self.cross.over(self.cross_norm(queries), rows, view, token_rows))
        queries = queries + self.dropout(self.among.within(self.among_norm(queries), rows))
        fed: Tensor = queries + self.dropout(self.feed(self.feed_norm(queries)))
        return fed


class SetDecoder(nn.Module):
    """The view of the tokens for entities (eq 2) or the view for relations (eq 11), and a few blocks over
    it; without blocks, only the norm.
    """

    def __init__(self, blocks: list[QueryBlock], width: int) -> None:
        super().__init__()
        self.view = nn.Linear(width, width)
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, queries: Tensor, rows: PackedRows, tokens: Tensor, token_rows: PackedRows
    ) -> tuple[Tensor, Tensor]:
        """Shape: queries (B, Q, d), tokens (T, d) -> queries (B, Q, d), view (B, P, d)."""
        view = self.view(tokens)
        states = rows.pack(queries)
        for block in self.blocks:
            states = block(states, rows, view, token_rows)
        return rows.pad(self.norm(states)), token_rows.pad(view)


class Split(nn.Module):
    """A relation query becomes three: the relation itself, its head and its tail (eq 10)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, width)
        self.tail = nn.Linear(width, width)

    def forward(self, queries: Tensor) -> Tensor:
        """Shape: (B, Qr, d) -> (B, 3 Qr, d), relations first, then heads, then tails."""
        return torch.cat([queries, self.head(queries), self.tail(queries)], dim=1)

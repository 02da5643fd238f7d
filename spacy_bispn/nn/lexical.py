"""What words look like: embeddings of their lexical attributes, for encoders that see little of that."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spacy_bispn.nn.dropout import Dropout

ROWS = 4096  # of each table
WIDTH = 64  # of each table


class LexicalEmbedding(nn.Module):
    """Hashed ("Bloom") embeddings: each value of an attribute has the sum of several rows of one table, so
    that few values share all of theirs, and there are rows for words that no training text has.

    attributes: how many there are.
    """

    def __init__(self, attributes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(ROWS, WIDTH) for _ in range(attributes))
        self.mix = nn.Sequential(
            nn.Linear(attributes * WIDTH, width), nn.GELU(), Dropout(dropout), nn.Linear(width, width)
        )

    def forward(self, keys: Tensor) -> Tensor:
        """Shape: keys (W, attributes, rows of a value) long, of any size -> (W, width)."""
        by_attribute = zip(self.tables, keys.unbind(1), strict=True)
        values: Tensor = self.mix(
            torch.cat([table(key % ROWS).sum(1) for table, key in by_attribute], dim=-1)
        )
        return values

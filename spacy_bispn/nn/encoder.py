"""The shared encoder (eq 1): a pretrained BERT-like model whose layers also serve the queries.

Because attention is one-way, the tokens run first, exactly as in the untouched model; the queries
then pass through the same layers and attend to the keys and values the tokens left behind.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spacy_bispn.nn.attention import PackedRows, attend, attention_bias, fused_linear
from spacy_bispn.nn.dropout import replace_dropout
from spacy_bispn.settings import SettingError


class TokenPass(NamedTuple):
    """Tokens behind the encoder: final states, and keys and values of the layers that queries pass.

    Shape: states (T, d), the real rows of (B, P); keys[i], values[i] (B, P, d).
    """

    states: Tensor
    rows: PackedRows
    keys: dict[int, Tensor]
    values: dict[int, Tensor]


class OneWayEncoder(nn.Module):
    """Wraps any model with BERT's layer layout (BERT, RoBERTa, XLM-R, ELECTRA).

    `query_layer` is the layer at which queries enter: 0 is the paper, -1 means that they enter at
    the shared decoder only. Raises SettingError for a layer that the model does not have, and ValueError for
    a model whose positions are not absolute.
    """

    def __init__(self, model: nn.Module, query_layer: int) -> None:
        super().__init__()
        self.model = replace_dropout(model)
        config: Any = model.config
        if getattr(config, "position_embedding_type", "absolute") != "absolute":
            raise ValueError(
                f"the encoder has {config.position_embedding_type!r} positions, expected 'absolute': "
                f"choose a model whose config.json says so."
            )
        self.width: int = config.hidden_size
        self.heads: int = config.num_attention_heads
        self.depth: int = config.num_hidden_layers
        if not -1 <= query_layer < self.depth:
            raise SettingError(
                "query_layer", query_layer, f"-1 to {self.depth - 1} with an encoder of {self.depth} layers",
                "give 0 as in the paper, or -1 for queries that enter at the shared decoder",
            )  # fmt: skip
        self.query_layer = self.depth if query_layer == -1 else query_layer

    def frozen(self) -> bool:
        """Whether no weight of the encoder is to learn."""
        return not any(weight.requires_grad for weight in self.model.parameters())

    def forward(self, ids: Tensor, mask: Tensor) -> TokenPass:
        """Run the tokens alone. Shape: ids (B, P) long, mask (B, P) bool."""
        rows = PackedRows.of(mask)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen()):
            model: Any = self.model
            states = model.embeddings(input_ids=ids)
            if hasattr(model, "embeddings_project"):  # ELECTRA with narrow embeddings
                states = model.embeddings_project(states)
            states = rows.pack(states)
            keys, values = {}, {}
            for index, layer in enumerate(model.encoder.layer):
                attention = layer.attention.self
                parts = fused_linear(states, attention.query, attention.key, attention.value)
                query, key, value = (rows.pad(part) for part in parts)
                if index >= self.query_layer:
                    keys[index], values[index] = key, value
                states = self._run_layer(layer, states, rows, query, key, value, rows.bias)
        return TokenPass(states, rows, keys, values)

    def pass_queries(self, queries: Tensor, rows: PackedRows, tokens: TokenPass) -> Tensor:
        """Run the queries over the tokens' keys and values. Shape: (R, d) -> (R, d)."""
        model: Any = self.model
        bias = attention_bias(torch.cat([tokens.rows.mask, rows.mask], dim=1))
        for index in range(self.query_layer, self.depth):
            layer = model.encoder.layer[index]
            attention = layer.attention.self
            parts = fused_linear(queries, attention.query, attention.key, attention.value)
            query, key, value = (rows.pad(part) for part in parts)
            key = torch.cat([tokens.keys[index], key], dim=1)
            value = torch.cat([tokens.values[index], value], dim=1)
            queries = self._run_layer(layer, queries, rows, query, key, value, bias)
        return queries

    def _run_layer(
        self, layer: Any, states: Tensor, rows: PackedRows,
        query: Tensor, key: Tensor, value: Tensor, bias: Tensor,
    ) -> Tensor:  # fmt: skip
        """Shape: states (R, d), query (B, Q, d), key and value (B, K, d), bias (B, 1, 1, K) -> (R, d)."""
        mixed = attend(query, key, value, bias, self.heads)
        attended = layer.attention.output(rows.pack(mixed), states)
        out: Tensor = layer.output(layer.intermediate(attended), attended)
        return out

"""The shared encoder (eq 1): any model for the tokens; the layers of BERT-like models also serve the queries.

Because attention is one-way, the tokens run first, exactly as in the untouched model; the queries
then pass through the same layers and attend to the keys and values the tokens left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spacy_bispn.nn.attention import Keys, OneWayRows, attend, project
from spacy_bispn.nn.dropout import replace_dropout
from spacy_bispn.nn.packing import Packed, PackedRows
from spacy_bispn.settings import SettingError

COST_OF_CALL = 16  # pieces of padding; see `TokenEncoder.read`


class TokenPass(NamedTuple):
    """Tokens behind the encoder: final states of (B, P, d), and the keys of the layers that queries pass."""

    tokens: Packed
    keys: dict[int, Keys]


class TokenEncoder(nn.Module):
    """Any encoder of text. Its last states are all that is needed if queries enter behind it.

    masks_padding: whether the model leaves padding out of the states of a text. One that does not reads
    texts of one length at a time.
    """

    def __init__(self, model: nn.Module, masks_padding: bool = True) -> None:
        super().__init__()
        self.model = replace_dropout(model)
        self.masks_padding = masks_padding
        config: Any = model.config
        self.width: int = config.hidden_size

    def frozen(self) -> bool:
        """Whether no weight of the encoder is to learn."""
        return not any(weight.requires_grad for weight in self.model.parameters())

    @contextmanager
    def learning(self) -> Iterator[None]:
        """A context without gradients where no weight is to learn."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen()):
            yield

    def forward(self, ids: Tensor, mask: Tensor) -> TokenPass:
        """Run the tokens alone, on a CPU in groups of similar length: padding costs more than another call.

        Shape: ids (B, P) long, mask (B, P) bool.
        """
        rows = PackedRows.of(mask)
        with self.learning():
            states = self.read(ids, mask, inf if mask.is_cuda else COST_OF_CALL)
        return TokenPass(Packed(rows.pack(states), rows), {})

    def read(self, ids: Tensor, mask: Tensor, cost_of_call: float = inf) -> Tensor:
        """The last states of the untouched model. Shape: ids (B, P) long, mask (B, P) bool -> (B, P, d).

        cost_of_call: how many pieces of padding one more call of the model is worth; infinity for one call.
        """
        groups = group_by_length(mask.sum(1).tolist(), cost_of_call if self.masks_padding else 0)
        if len(groups) == 1 and self.masks_padding:
            return self._call(ids, mask)
        states = []
        for length, texts in groups:
            found = self._call(ids[texts, :length], mask[texts, :length])
            states.append(F.pad(found, (0, 0, 0, ids.shape[1] - length)))
        order = torch.tensor([text for _, texts in groups for text in texts], device=ids.device)
        return torch.cat(states)[order.argsort()]

    def _call(self, ids: Tensor, mask: Tensor) -> Tensor:
        masks = {"attention_mask": mask.long()} if self.masks_padding else {}
        states: Tensor = self.model(input_ids=ids, **masks).last_hidden_state
        return states


def group_by_length(lengths: Sequence[int], cost_of_group: float) -> list[tuple[int, list[int]]]:
    """Texts in groups that are padded to their longest, with the least padding and the fewest groups.

    cost_of_group: how many pieces of padding a group is worth; 0 for groups without padding.
    Returns the longest and the indices of each group, the longest group first.
    """
    order = sorted(range(len(lengths)), key=lambda text: -lengths[text])
    # where a group may end: behind the last text of a length
    ends = [
        0,
        *(end for end in range(1, len(order)) if lengths[order[end]] < lengths[order[end - 1]]),
        len(order),
    ]
    best: list[tuple[float, int]] = [
        (0.0, 0)
    ]  # for each end, the cost so far and the end of the group before
    for number, end in enumerate(ends[1:], 1):
        costs = (
            (best[before][0] + (end - start) * lengths[order[start]] + cost_of_group, before)
            for before, start in enumerate(ends[:number])
        )
        best.append(min(costs))
    groups: list[tuple[int, list[int]]] = []
    last = len(ends) - 1
    while last:
        before = best[last][1]
        texts = order[ends[before] : ends[last]]
        groups.append((lengths[texts[0]], texts))
        last = before
    return groups[::-1]


class OneWayEncoder(TokenEncoder):
    """An encoder with BERT's layers (BERT, RoBERTa, XLM-R, CamemBERT, ELECTRA) and absolute positions.

    The layers are called one by one, so that padding is left out of them and queries can pass through them.
    `query_layer` is the layer at which queries enter: 0 is the paper, -1 means that they enter at
    the shared decoder only. Raises SettingError for a layer that the model does not have.
    """

    def __init__(self, model: nn.Module, query_layer: int) -> None:
        super().__init__(model)
        config: Any = model.config
        self.heads: int = config.num_attention_heads
        self.depth: int = config.num_hidden_layers
        if not -1 <= query_layer < self.depth:
            raise SettingError(
                "query_layer", query_layer, f"-1 to {self.depth - 1} with an encoder of {self.depth} layers",
                "give 0 as in the paper, or -1 for queries that enter at the shared decoder",
            )  # fmt: skip
        self.query_layer = self.depth if query_layer == -1 else query_layer

    def forward(self, ids: Tensor, mask: Tensor) -> TokenPass:
        """Run the tokens alone. Shape: ids (B, P) long, mask (B, P) bool."""
        rows = PackedRows.of(mask)
        with self.learning():
            model: Any = self.model
            states = model.embeddings(input_ids=ids)
            if hasattr(model, "embeddings_project"):  # ELECTRA with narrow embeddings
                states = model.embeddings_project(states)
            states = rows.pack(states)
            keys = {}
            for index, layer in enumerate(model.encoder.layer):
                attention = layer.attention.self
                parts = project(states, rows.aligned, attention.query, attention.key, attention.value)
                query, key, value = parts
                own = Keys(key, value, rows.aligned.bias)
                if index >= self.query_layer:
                    keys[index] = own
                states = self._run_layer(layer, states, rows.aligned, query, own)
        return TokenPass(Packed(states, rows), keys)

    def pass_queries(self, queries: Packed, passed: TokenPass) -> Packed:
        """Run the queries over the tokens' keys. Shape: queries (B, Q, d)."""
        model: Any = self.model
        rows, states = queries.rows.aligned, queries.states
        bias = OneWayRows.of(passed.tokens.rows, rows).both.bias
        for index in range(self.query_layer, self.depth):
            layer = model.encoder.layer[index]
            attention = layer.attention.self
            query, *own = project(states, rows, attention.query, attention.key, attention.value)
            key, value = (torch.cat(x, dim=1) for x in zip(passed.keys[index][:2], own, strict=True))
            states = self._run_layer(layer, states, rows, query, Keys(key, value, bias))
        return queries._replace(states=states)

    def _run_layer(self, layer: Any, states: Tensor, rows: PackedRows, query: Tensor, keys: Keys) -> Tensor:
        """Shape: states (R, d), query (B, Q, d) -> (R, d)."""
        mixed = attend(query, *keys, self.heads)
        attended = layer.attention.output(rows.pack(mixed), states)
        out: Tensor = layer.output(layer.intermediate(attended), attended)
        return out

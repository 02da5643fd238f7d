"""The attention between entity and relation queries, to be looked at (figure 3 of the paper)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from spacy_bispn.nn.attention import attention_weights
from spacy_bispn.nn.decoder import SharedBlock
from spacy_bispn.nn.network import Network, packed
from spacy_bispn.nn.packing import PackedRows
from spacy_bispn.nn.shapes import Inputs, Outputs, Queries


@torch.inference_mode()
def bipartite_attention(network: Network, inputs: Inputs) -> tuple[Outputs, Tensor]:
    """The outputs of all queries of one text, and the last attention between its entity and relation queries.

    That is the attention among the queries of the last shared block, as a mean over its heads and over the
    two directions. It is computed once more from the block's projections; hooks capture them, so that
    prediction itself has nothing to do for it.

    Shape: inputs (1, P) -> outputs (1, Q, ...), weights (Qe, Qr).
    Raises ValueError for a batch of several texts.
    """
    if len(inputs.mask) != 1:
        raise ValueError(f"the batch has {len(inputs.mask)} texts, expected 1: look at one window at a time.")
    among = cast(SharedBlock, network.shared[-1]).among
    with capture_outputs(queries=network.queries, query=among.query, key=among.key) as captured:
        outputs = network.forward_pruned(inputs, 0.0, 0.0)
    queries: Queries = captured["queries"][0]
    entities = int(queries.entity_mask.sum())
    mask = torch.cat([queries.entity_mask, queries.relation_mask], dim=1)
    rows = PackedRows.joined(*(kind.rows for kind in packed(queries)))
    query, key = (rows.pad(captured[name]) for name in ("query", "key"))
    weights = attention_weights(query, key, rows.bias, among.heads).mean(1)[0]
    weights = weights[mask[0]][:, mask[0]]
    return outputs, (weights[:entities, entities:] + weights[entities:, :entities].T) / 2


@contextmanager
def capture_outputs(**modules: nn.Module) -> Iterator[dict[str, Any]]:
    """The latest output of each module, by name, while the context is open."""
    captured: dict[str, Any] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            captured[name] = output

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield captured
    finally:
        for hook in hooks:
            hook.remove()

"""What entity and relation queries see of each other, for those who look (figure 3 of the paper)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .attention import Rows, probabilities, usable
from .decoder import SharedBlock
from .network import Network
from .shapes import Inputs, Outputs, Queries


@torch.inference_mode()
def bipartite_attention(network: Network, inputs: Inputs) -> tuple[Outputs, Tensor]:
    """What all queries of one text say, and the last attention between its entity and relation queries.

    That is the attention among the queries of the last shared block, as a mean over its heads and over the
    two directions. It is computed once more from the projections that the block makes; hooks catch them,
    so that nothing is added to the usual path. Of relation queries that were split before the block, what
    is paid to the three parts is added up, and what they pay is averaged.

    Shape: inputs (1, P) -> outputs (1, Q, ...), weights (Qe, Qr).
    Raises ValueError for a batch of several texts.
    """
    if len(inputs.mask) != 1:
        raise ValueError(
            f"the batch has {len(inputs.mask)} texts, expected 1: look at one window at a time."
        )
    last = network.shared[-1]
    assert isinstance(last, SharedBlock)
    among = last.among
    with caught(queries=network.queries, query=among.query, key=among.key) as seen:
        outputs = network.predict(inputs, 0.0, 0.0)
    queries: Queries = seen["queries"][0]
    entities, relations = int(queries.entity_mask.sum()), int(queries.relation_mask.sum())
    parts = (3 if network.split_before else 1, relations)
    there = torch.cat([queries.entity_mask, queries.relation_mask.repeat(1, parts[0])], dim=1)
    rows = Rows.of(there)
    query, key = (rows.pad(seen[name]) for name in ("query", "key"))
    weights = probabilities(query, key, usable(there), among.heads).mean(1)[0]
    weights = weights[there[0]][:, there[0]]
    to_relations = weights[:entities, entities:].unflatten(1, parts).sum(1)
    to_entities = weights[entities:, :entities].unflatten(0, parts).mean(0)
    return outputs, (to_relations + to_entities.T) / 2


@contextmanager
def caught(**modules: nn.Module) -> Iterator[dict[str, Any]]:
    """The latest result of each module, by name, of all that runs inside."""
    seen: dict[str, Any] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: Any, result: Any) -> None:
            seen[name] = result

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()

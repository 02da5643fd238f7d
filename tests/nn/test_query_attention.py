"""What is shown of the attention between entity and relation queries is what the network used."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from builders import make_inputs, make_network
from torch import Tensor

from spacy_bispn.nn.attention import Attention
from spacy_bispn.nn.network import Network
from spacy_bispn.nn.packing import PackedRows
from spacy_bispn.nn.query_attention import bipartite_attention

# without a floor every proposal becomes a query
NETWORKS: dict[str, dict[str, Any]] = {
    "learned": {"queries": "learned"},
    "proposed": {"queries": "proposed", "proposal_floor": 0.001},
    "behind the encoder": {"queries": "proposed", "proposal_floor": 0.001, "query_layer": -1},
    "over vectors": {"queries": "learned", "encoder": False},
}
each_network = pytest.mark.parametrize("name", NETWORKS)
ENTITIES, RELATIONS = 5, 4


@pytest.fixture
def network(name: str) -> Network:
    torch.manual_seed(3)
    return make_network(**NETWORKS[name])


def look(network: Network) -> tuple[Any, Tensor, list[tuple[Tensor, Tensor]]]:
    """The map of a text, and what the last block's attention among queries was given and gave."""
    among = network.shared[-1].among
    calls = []

    def within(states: Tensor, rows: PackedRows) -> Tensor:
        result = Attention.within(among, states, rows)
        calls.append((states, result))
        return result

    among.within = within
    torch.manual_seed(4)
    outputs, weights = bipartite_attention(network, make_inputs([9], None if network.encoder else 15))
    del among.within
    return outputs, weights, calls


def slow_probabilities(among: Attention, where: Tensor) -> list[list[list[float]]]:
    """The softmax of scaled products, one head, one query and one key after the other."""
    query, key = among.query(where), among.key(where)
    width = query.shape[-1] // among.heads
    heads = []
    for head in range(among.heads):
        part = slice(head * width, (head + 1) * width)
        scores = [[float(q[part] @ k[part]) / math.sqrt(width) for k in key] for q in query]
        totals = [sum(math.exp(score) for score in row) for row in scores]
        heads.append([[math.exp(x) / total for x in row] for row, total in zip(scores, totals, strict=True)])
    return heads


@each_network
@torch.inference_mode()
def test_the_map_is_the_mean_over_heads_and_directions(network: Network) -> None:
    _, weights, [(states, result)] = look(network)
    among = network.shared[-1].among
    heads = slow_probabilities(among, states)
    assert weights.shape == (ENTITIES, RELATIONS) and len(states) == ENTITIES + RELATIONS
    for entity in range(ENTITIES):
        for relation in range(RELATIONS):
            there = sum(head[entity][ENTITIES + relation] for head in heads)
            back = sum(head[ENTITIES + relation][entity] for head in heads)
            expected = (there + back) / 2 / len(heads)
            assert float(weights[entity, relation]) == pytest.approx(expected, abs=1e-6)
    # these weights, and no others, give what the block went on with
    values = among.value(states).unflatten(-1, (among.heads, -1)).transpose(0, 1)
    mixed = (torch.tensor(heads) @ values).transpose(0, 1).flatten(1)
    assert torch.allclose(among.output(mixed), result, atol=1e-5)


@each_network
def test_no_row_or_column_has_more_than_one_direction_can_give(network: Network) -> None:
    _, weights, _ = look(network)
    assert (weights >= 0).all()
    assert weights.sum(1).max() <= (1 + RELATIONS) / 2 and weights.sum(0).max() <= (1 + ENTITIES) / 2


@each_network
def test_all_queries_answer_in_their_order_and_nothing_stays_behind(network: Network) -> None:
    outputs, weights, _ = look(network)
    assert outputs.entity.type.shape[1] == weights.shape[0] and outputs.relation.shape[1] == weights.shape[1]
    torch.manual_seed(4)
    inputs = make_inputs([9], None if network.encoder else 15)
    layer, _ = network(inputs)
    assert torch.allclose(outputs.entity.type, layer.entity.type, atol=1e-5)
    assert torch.allclose(outputs.relation, layer.relation, atol=1e-5)
    assert not any(module._forward_hooks for module in network.modules())


def test_one_text_at_a_time() -> None:
    network = make_network(queries="learned")
    with pytest.raises(ValueError, match=r"the batch has 2 texts, expected 1: look at one window"):
        bipartite_attention(network, make_inputs([9, 5]))

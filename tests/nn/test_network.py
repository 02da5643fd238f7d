"""The whole network: batches, permutations, gradients, and prediction beside training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import RELATION_TYPES, make_inputs, make_network, make_targets, member
from torch import Tensor

from spacy_bispn.nn.network import Network, likely
from spacy_bispn.nn.objective import Objective
from spacy_bispn.nn.packing import PackedRows
from spacy_bispn.nn.shapes import NULL, Inputs, Outputs, Queries, Spans

LENGTHS = (9, 3, 6)  # the special pieces at both ends included
NETWORKS: dict[str, dict[str, Any]] = {
    "learned": {"queries": "learned"},
    "proposed": {"queries": "proposed"},
    "additive": {"queries": "proposed", "pointer": "additive"},
    "separate predictors": {"queries": "proposed", "predictors": "separate"},
    "paper": {"queries": "learned", "pointer": "additive", "predictors": "separate"},
    "looks of words": {"queries": "proposed", "lexical": True},
    "looks of words, over vectors": {"queries": "proposed", "encoder": False, "lexical": True},
    "pooled mentions": {"queries": "proposed", "pool_mentions": True},
    "pooled mentions, over vectors": {"queries": "proposed", "encoder": False, "pool_mentions": True},
    "behind the encoder": {"queries": "proposed", "query_layer": -1},
    "over vectors": {"queries": "proposed", "encoder": False},
    "learned, over vectors": {"queries": "learned", "encoder": False},
}
each_network = pytest.mark.parametrize("name", NETWORKS)


def make(name: str, **settings: Any) -> Network:
    """A network with opinions: larger weights than fresh ones, and even odds for every proposal."""
    torch.manual_seed(10)
    network = make_network(**{"proposal_floor": 0.5} | NETWORKS[name] | settings)
    with torch.no_grad():
        for weight_name, weight in network.named_parameters():
            if weight_name in ("queries.span_bias", "queries.pair_bias"):
                weight.zero_()
            elif weight.dim() > 1 and not weight_name.startswith("encoder"):
                weight *= 1.5
    return network


def inputs_of(network: Network) -> Inputs:
    torch.manual_seed(11)
    return make_inputs(LENGTHS, None if network.encoder else 15)


def gold() -> Any:
    """At least one item of everything in texts of the lengths above."""
    entities = [[(1, 1, 1), (3, 5, 2), (2, 3, 3)], [(1, 1, 3)], [(2, 2, 1), (4, 4, 2)]]
    return make_targets(entities, [[(0, 1, 1), (1, 2, 2)], [(0, 0, 1)], [(1, 0, 2), (0, 1, 1)]])


def said(out: Outputs, text: int, length: int) -> dict[str, Tensor]:
    """All that a text's own queries say about its own positions."""
    entity, relation = out.entity_mask[text], out.relation_mask[text]
    found = {"relation": out.relation[text][relation]}
    kinds = ("entity", out.entity, entity), ("head", out.head, relation), ("tail", out.tail, relation)
    for name, spans, mask in kinds:
        found[f"{name}_type"] = spans.type[text][mask]
        for side in ("start", "end"):
            found[f"{name}_{side}"] = getattr(spans, side)[text][mask][:, 1 : length - 1]
    if out.link is not None:
        found["link"] = out.link[text][entity][:, relation]
        found["has_relation"] = out.has_relation[text][entity]
    return found


def assert_alike(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].shape == other[name].shape, name
        assert torch.allclose(one[name], other[name], rtol=1e-5, atol=1e-5), name


def compute_padding(patch: pytest.MonkeyPatch) -> None:
    """What a GPU does: padding is not left out."""
    patch.setattr(PackedRows, "of", PackedRows.everywhere)


@each_network
@pytest.mark.parametrize("predicting", [False, True])
@pytest.mark.parametrize("padding", ["left out", "computed"])
def test_a_padded_batch_says_what_its_texts_say_alone(
    name: str, predicting: bool, padding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make(name)
    if padding == "computed":
        compute_padding(monkeypatch)

    def run(inputs: Inputs) -> Outputs:
        return network.forward_pruned(inputs, 0.25, 0.3) if predicting else network(inputs)[0]

    inputs = inputs_of(network)
    together = run(inputs)
    for text, length in enumerate(LENGTHS):
        assert_alike(said(together, text, length), said(run(member(inputs, text)), 0, length))
    assert together.entity_mask.any() and together.relation_mask.any()


@each_network
def test_nothing_is_learnt_from_padding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = make(name)

    def learn() -> dict[str, Tensor]:
        network.zero_grad()
        Objective()(*network(inputs_of(network)._replace(gold=gold())), gold()).total.backward()
        return {key: x.grad.clone() for key, x in network.named_parameters() if x.grad is not None}

    left_out = learn()
    compute_padding(monkeypatch)
    computed = learn()
    assert left_out.keys() == computed.keys()
    for key, gradient in left_out.items():
        torch.testing.assert_close(computed[key], gradient, rtol=1e-4, atol=1e-5, msg=key)


@each_network
def test_heads_and_tails_are_pointed_at_in_one_call_as_in_two(name: str) -> None:
    network = make(name)
    inputs = inputs_of(network)
    tokens, queries, _ = network.encode(inputs)
    decoded = network.decode(network.share(tokens, queries))
    out = network.point(decoded, queries, inputs.pointable)
    arguments = network.relation_decoder.finish(decoded.arguments, decoded.others).padded
    head, tail = arguments.chunk(2, dim=1)
    for states, seed, found in ((head, queries.head_seed, out.head), (tail, queries.tail_seed, out.tail)):
        alone = network.argument_head(states, decoded.relation_view, inputs.pointable, seed)
        for one, other in zip(alone, found, strict=True):
            assert (one is None) == (other is None)
            assert one is None or torch.allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["proposed", "over vectors"])
def test_texts_of_a_batch_propose_different_numbers_of_queries(name: str) -> None:
    """Without this the test above would not see any masked query."""
    network = make(name)
    out = network(inputs_of(network))[0]
    assert len(set(out.entity_mask.sum(1).tolist())) > 1
    assert len(set(out.relation_mask.sum(1).tolist())) > 1


def halfway(values: Tensor) -> float:
    """A threshold that about half of some values reach, and that none of them is close to."""
    ordered = values.detach().sort().values
    middle = ordered[len(ordered) // 4 : -(len(ordered) // 4)]
    place = int(middle.diff().argmax())
    return float(middle[place : place + 2].mean())


@each_network
def test_prediction_keeps_the_likely_queries_and_their_numbers(name: str) -> None:
    network = make(name)
    inputs = inputs_of(network)
    everything, proposals = network(inputs)
    logits = everything.entity.type, everything.relation
    sides = list(zip(logits, (everything.entity_mask, everything.relation_mask), strict=True))
    best = [logits.softmax(-1)[..., NULL + 1 :].amax(-1) for logits, _ in sides]
    thresholds = [halfway(values[mask]) for values, (_, mask) in zip(best, sides, strict=True)]
    kept = network.forward_pruned(inputs, *thresholds)
    assert proposals is None and kept.link is None and kept.has_relation is None
    wanted = [
        (values >= threshold) & mask
        for values, threshold, (_, mask) in zip(best, thresholds, sides, strict=True)
    ]
    assert [mask.sum(1).tolist() for mask in wanted] == [x.sum(1).tolist() for x in kept[4:6]]
    assert all(mask.sum() > 0 for mask in wanted)
    assert (wanted[0] != everything.entity_mask).any() and (wanted[1] != everything.relation_mask).any()
    chosen = everything._replace(entity_mask=wanted[0], relation_mask=wanted[1], link=None)
    for text, length in enumerate(LENGTHS):
        assert_alike(said(chosen, text, length), said(kept, text, length))


@each_network
def test_prediction_may_keep_nothing(name: str) -> None:
    network = make(name)
    found = network.forward_pruned(inputs_of(network), 1.0, 1.0)
    assert found.entity.start.shape == (3, 0, 9) and found.relation.shape == (3, 0, RELATION_TYPES + 1)
    assert found.entity_mask.shape == found.relation_mask.shape == (3, 0)


def test_likely_moves_the_likely_queries_to_the_front() -> None:
    logits = torch.tensor([[[9.0, 0.0], [0.0, 9.0], [0.0, 9.0]], [[9.0, 0.0], [9.0, 0.0], [0.0, 9.0]]])
    index, mask = likely(logits, torch.ones(2, 3).bool(), 0.5)
    assert index[0].tolist() == [1, 2] and index[1, 0] == 2
    assert mask.tolist() == [[True, True], [True, False]]
    index, mask = likely(logits, torch.zeros(2, 3).bool(), 0.5)
    assert index.shape == mask.shape == (2, 0)


def test_without_a_threshold_a_label_must_be_likelier_than_null() -> None:
    # label 1 with 0.4 beside null with 0.3; label 2 with 0.4 beside null with 0.5; a masked query
    logits = torch.tensor([[[0.3, 0.4, 0.3], [0.5, 0.1, 0.4], [0.0, 1.0, 0.0]]]).log()
    index, mask = likely(logits, torch.tensor([[True, True, False]]), None)
    assert (index.tolist(), mask.tolist()) == ([[0]], [[True]])


@pytest.mark.parametrize("threshold", [0.0, None])
def test_without_labels_nothing_is_likely(threshold: float | None) -> None:
    index, mask = likely(torch.randn(2, 3, 1), torch.ones(2, 3).bool(), threshold)
    assert index.shape == mask.shape == (2, 0)


@pytest.mark.parametrize("name", [name for name in NETWORKS if NETWORKS[name]["queries"] == "learned"])
def test_permuting_the_queries_permutes_what_they_say(name: str) -> None:
    network = make(name)
    inputs = inputs_of(network)
    before, _ = network(inputs)
    entity, relation = torch.tensor([3, 0, 4, 2, 1]), torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        network.queries.entity.copy_(network.queries.entity[entity])
        network.queries.relation.copy_(network.queries.relation[relation])
    after, _ = network(inputs)

    def permuted(spans: Spans, order: Tensor) -> Spans:
        return Spans(*(x[:, order] for x in spans[:3]))

    expected = before._replace(
        entity=permuted(before.entity, entity),
        head=permuted(before.head, relation),
        tail=permuted(before.tail, relation),
        relation=before.relation[:, relation],
        has_relation=before.has_relation[:, entity],
        link=before.link[:, entity][:, :, relation],
    )
    for text, length in enumerate(LENGTHS):
        assert_alike(said(after, text, length), said(expected, text, length))
    assert not torch.allclose(before.entity.type, after.entity.type, atol=1e-4)
    assert not torch.allclose(before.relation, after.relation, atol=1e-4)


def test_links_are_scored_between_states_of_the_shared_decoder() -> None:
    network = make("learned")
    states: list[Tensor] = []
    network.shared[-1].register_forward_hook(
        lambda module, given, out: states.append(given[2].queries.pad(out[1]))
    )
    out, _ = network(inputs_of(network))
    torch.testing.assert_close(out.link, network.link(states[0][:, :5], states[0][:, 5:9])[:, 0])


def test_texts_without_any_query_do_not_enter_the_decoders() -> None:
    network = make("proposed")
    inputs = inputs_of(network)
    nothing = inputs._replace(pointable=inputs.pointable & torch.tensor([[True], [False], [True]]))
    entered: list[int] = []
    network.shared[0].register_forward_hook(lambda module, given, out: entered.append(len(given[0])))
    out, _ = network(inputs)
    some, _ = network(nothing)
    assert entered == [sum(LENGTHS), sum(LENGTHS) - LENGTHS[1]]
    for text in (0, 2):
        assert_alike(said(some, text, LENGTHS[text]), said(out, text, LENGTHS[text]))
    assert out.entity_mask[1].any() and not some.entity_mask[1].any()
    found, _ = network(inputs._replace(pointable=torch.zeros_like(inputs.pointable)))
    assert not found.entity_mask.any() and found.entity.type.isfinite().all()


@each_network
def test_no_query_changes_a_token(name: str) -> None:
    """The pointers' view of the text is the same, whatever the queries are."""
    network = make(name)
    seen: list[Tensor] = []
    network.entity_decoder.view.register_forward_hook(lambda module, given, result: seen.append(result))
    inputs = inputs_of(network)
    network(inputs)

    def change(module: object, given: object, result: tuple[Queries, None]) -> tuple[Queries, None]:
        queries = result[0]
        return queries._replace(entity=queries.entity + 1, relation=queries.relation - 1), None

    network.queries.register_forward_hook(change)
    network(inputs)
    assert torch.equal(seen[0], seen[1])


PAPER = {
    "queries": "learned", "query_layer": 0, "pointer": "additive", "predictors": "separate",
}  # fmt: skip
# A softmax over keys or positions does not change when the same number is added to all of them.
WITHOUT_EFFECT = ("key.bias", "pointer.right.bias", "pointer.bias")


@pytest.mark.parametrize(
    ("settings", "objective"),
    [
        (PAPER, Objective(related_entities="hard", argument_queries="all", reduction="mean")),
        ({}, Objective()),
        ({"query_layer": 0}, Objective()),
        ({"encoder": False}, Objective()),
    ],
    ids=["paper", "default", "default, from layer 0", "default, over vectors"],
)
def test_every_parameter_learns_from_one_update(settings: dict[str, Any], objective: Objective) -> None:
    torch.manual_seed(12)
    network = make_network(**settings).train()
    out, proposals = network(inputs_of(network)._replace(gold=gold()))
    result = objective(out, proposals, gold())
    result.total.backward()
    assert result.surplus == 0
    idle = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not (weight.grad.any() or name.endswith(WITHOUT_EFFECT))
    ]
    assert idle == []


def test_a_frozen_encoder_rests_while_the_rest_learns() -> None:
    network = make("learned").train()
    network.encoder.model.requires_grad_(False)
    out, proposals = network(inputs_of(network))
    Objective()(out, proposals, gold()).total.backward()
    learning = {name.split(".")[0] for name, weight in network.named_parameters() if weight.grad is not None}
    assert learning == {name.split(".")[0] for name, _ in network.named_parameters()} - {"encoder"}


def test_vectors_from_elsewhere_get_a_gradient() -> None:
    network = make("over vectors").train()
    inputs = inputs_of(network)._replace(gold=gold())
    vectors = inputs.vectors.clone().requires_grad_()
    out, proposals = network(inputs._replace(vectors=vectors))
    Objective()(out, proposals, gold()).total.backward()
    assert vectors.grad[inputs.mask].any() and not vectors.grad[~inputs.mask].any()


@pytest.mark.parametrize("supervised", [1, 2, 3])
def test_supervised_layers_deliver_outputs_in_training_and_one_at_prediction(supervised: int) -> None:
    network = make("learned", shared_layers=3, supervised_layers=supervised)
    inputs = inputs_of(network)
    last, _ = network(inputs)
    network.train()
    network.encoder.eval()  # the only part with dropout
    layers, _ = network(inputs)
    texts = len(LENGTHS)
    assert len(layers.relation) == supervised * texts
    for text, length in enumerate(LENGTHS):
        assert_alike(said(layers, (supervised - 1) * texts + text, length), said(last, text, length))
    for earlier in layers.entity.type.split(texts)[:-1]:
        assert not torch.allclose(earlier, last.entity.type, atol=1e-4)


def test_gold_finds_its_seeded_queries() -> None:
    """In training a proposed query is there for every gold item, and starts by pointing at it."""
    torch.manual_seed(13)
    network = make_network(queries="proposed", proposal_floor=0.9).train()
    out, _ = network(inputs_of(network)._replace(gold=gold()))

    def pointed(spans: Spans, mask: Tensor, text: int) -> list[tuple[int, ...]]:
        pointers = (x[text][mask[text]].argmax(-1).tolist() for x in (spans.start, spans.end))
        return list(zip(*pointers, strict=True))

    one, two, three, four, five = (1, 1), (3, 5), (2, 3), (2, 2), (4, 4)
    entities = [{one, two, three}, {one}, {four, five}]
    relations = [{(one, two), (two, three)}, {(one, one)}, {(five, four), (four, five)}]
    for text in range(3):
        assert set(pointed(out.entity, out.entity_mask, text)) == entities[text]
        ends = (pointed(spans, out.relation_mask, text) for spans in (out.head, out.tail))
        assert set(zip(*ends, strict=True)) == relations[text]

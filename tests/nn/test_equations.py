"""The paper's form against its equations, as printed: loops over lists of numbers, under the printed numbers.

Nothing here knows of the network's or the losses' code but their weights and the states of the decoders.
"""

from __future__ import annotations

from itertools import permutations
from math import exp, log
from typing import NamedTuple

import pytest
import torch
from builders import make_inputs, make_network, make_targets
from torch import Tensor, nn

from spacy_bispn.nn.heads import SpanHead
from spacy_bispn.nn.network import Network, Shared
from spacy_bispn.nn.objective import Objective
from spacy_bispn.nn.packing import Packed
from spacy_bispn.nn.shapes import Outputs

FORM = {"queries": "learned", "query_layer": 0, "pointer": "additive", "predictors": "separate"}
OBJECTIVE = Objective(alpha=1.0, beta=1.0, related_entities="hard", argument_queries="all", reduction="mean")
LENGTHS = (9, 5)  # with a special piece at both ends
GOLD = [[(1, 1, 1), (3, 5, 2), (2, 3, 3)], [(2, 3, 1)]]  # start, end, type
TRIPLES = [[(0, 1, 1), (2, 1, 2)], []]  # head, tail, type
NULL = 0
Vector, Matrix = list[float], list[list[float]]


class Query(NamedTuple):
    """Distributions of one entity, head or tail query."""

    start: Vector
    end: Vector
    type: Vector


class Text(NamedTuple):
    """What the equations make of one text."""

    entities: list[Query]
    heads: list[Query]
    tails: list[Query]
    relation: Matrix
    has_relation: Vector
    link: Matrix


def linear(layer: nn.Module, x: Vector) -> Vector:
    return affine(layer.weight.tolist(), layer.bias.tolist(), x)


def affine(weight: Matrix, bias: Vector, x: Vector) -> Vector:
    return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def relu(x: Vector) -> Vector:
    return [max(0.0, v) for v in x]


def mlp(layer: nn.Module, x: Vector) -> Vector:
    first, _, last = layer
    return linear(last, relu(linear(first, x)))


def softmax(x: Vector) -> Vector:
    raised = [exp(v - max(x)) for v in x]
    return [v / sum(raised) for v in raised]


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def pointer(head: SpanHead, delta: int, query: Vector, tokens: Matrix) -> Vector:
    """Eq 4, the scores of start (0) or end (1): each has layers of its own, side by side."""
    d = len(query)
    rows = slice(delta * d, (delta + 1) * d)
    parts = [
        affine(layer.weight.tolist()[rows], layer.bias.tolist()[rows], x)
        for layer, x in [(head.pointer.left, query), *((head.pointer.right, token) for token in tokens)]
    ]
    scores = []
    for token in parts[1:]:
        hidden = relu([a + b for a, b in zip(parts[0], token, strict=True)])
        outer = head.pointer.weight.tolist()[delta]
        scores.append(
            sum(w * v for w, v in zip(outer, hidden, strict=True)) + head.pointer.bias.tolist()[delta]
        )
    return scores


def predict(head: SpanHead, query: Vector, tokens: Matrix) -> Query:
    """Starts and ends (eq 4-5) and the type (eq 6) of an entity, and likewise of a head or tail (3.2.4)."""
    start, end = (softmax(pointer(head, delta, query, tokens)) for delta in (0, 1))
    return Query(start, end, softmax(mlp(head.entity_type, query)))


def biaffine(network: Network, entity: Vector, relation: Vector) -> float:
    """The projections (eq 23-24) and the linking score (eq 25); its matrix is a multiple of the identity."""
    one, other = linear(network.link.left, entity), linear(network.link.right, relation)
    return sum(a * b for a, b in zip(one, other, strict=True)) / len(one) ** 0.5


def by_equations(network: Network, shared: Shared, text: int) -> Text:
    decoded = network.decode(shared)
    places = slice(1, LENGTHS[text] - 1)

    def states(of: Packed) -> list[Vector]:
        vectors: list[Vector] = of.padded[text].tolist()
        return vectors

    over_entities, over_relations = states(decoded.entity_view)[places], states(decoded.relation_view)[places]
    arguments = states(network.relation_decoder.finish(decoded.arguments, decoded.others))
    count = len(arguments) // 2
    entities, relations = states(decoded.entity), states(decoded.relation)
    return Text(
        entities=[predict(network.spans, h, over_entities) for h in entities],
        heads=[predict(network.arguments, h, over_relations) for h in arguments[:count]],
        tails=[predict(network.arguments, h, over_relations) for h in arguments[count:]],
        relation=[softmax(mlp(network.relation_type, h)) for h in relations],  # eq 13, the relation type
        has_relation=[sigmoid(mlp(network.has_relation, h)[0]) for h in entities],  # eq 19, has-relation
        link=[  # eq 26, the probability of a link
            [sigmoid(biaffine(network, e, r)) for r in states(shared.relation)] for e in states(shared.entity)
        ],
    )


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(21)
    network = make_network(**FORM)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1 and not name.startswith("encoder"):
                weight *= 2.0  # opinions
    return network


@pytest.fixture(scope="module")
def shared(network: Network) -> Shared:
    torch.manual_seed(22)
    tokens, queries, _ = network.encode(make_inputs(LENGTHS))
    return network.share(tokens, queries)


@pytest.fixture(scope="module")
def out(network: Network) -> Outputs:
    torch.manual_seed(22)
    with torch.no_grad():
        return network(make_inputs(LENGTHS))[0]


@pytest.fixture(scope="module")
def texts(network: Network, shared: Shared) -> list[Text]:
    return [by_equations(network, shared, text) for text in range(len(LENGTHS))]


def close(found: Tensor, expected: list) -> bool:
    return torch.allclose(found.double(), torch.tensor(expected, dtype=torch.double), atol=1e-5)


def test_pointers_and_types_of_entities_heads_and_tails(out: Outputs, texts: list[Text]) -> None:
    """Eq 4-6, pointers and types, over the entity view; by another predictor over the relation view."""
    for number, text in enumerate(texts):
        places = slice(1, LENGTHS[number] - 1)
        for spans, queries in ((out.entity, text.entities), (out.head, text.heads), (out.tail, text.tails)):
            assert close(spans.start[number].softmax(-1)[:, places], [x.start for x in queries])
            assert close(spans.end[number].softmax(-1)[:, places], [x.end for x in queries])
            assert close(spans.type[number].softmax(-1), [x.type for x in queries])
    first = texts[0].entities[0]
    assert max(abs(a - b) for a, b in zip(first.start, first.end, strict=True)) > 0.01


def test_relation_types_has_relation_and_links(out: Outputs, texts: list[Text]) -> None:
    """Eq 13, relation types; eq 19, has-relation; eq 23-26, links."""
    for number, text in enumerate(texts):
        assert close(out.relation[number].softmax(-1), text.relation)
        assert close(out.has_relation[number].sigmoid(), text.has_relation)
        assert close(out.link[number].sigmoid(), text.link)


def test_views_and_the_split(network: Network, shared: Shared) -> None:
    """Eq 2 and 11, the views of the tokens; eq 10, heads and tails."""
    decoded = network.decode(shared)
    hidden = shared.tokens.padded
    for text, length in enumerate(LENGTHS):
        for view, layer in (
            (decoded.entity_view, network.entity_decoder.view),
            (decoded.relation_view, network.relation_decoder.view),
        ):
            expected = [linear(layer, x) for x in hidden[text, :length].tolist()]
            assert close(view.padded[text, :length], expected)
    split = network.split(shared.relation).padded[0].tolist()
    together = [
        [*linear(network.split.head, x), *linear(network.split.tail, x)]
        for x in shared.relation.padded[0].tolist()
    ]
    count, d = len(together), len(together[0]) // 2
    assert close(torch.tensor(split[count : 2 * count]), [x[:d] for x in together])
    assert close(torch.tensor(split[2 * count :]), [x[d:] for x in together])


# 3.3: the assignment and the prediction losses


def agreement(query: Query, gold: tuple[int, int, int]) -> float:
    """The probabilities of a gold entity; position 0 of a text is behind its first special piece."""
    start, end, kind = gold
    return query.start[start - 1] + query.end[end - 1] + query.type[kind]


def assigned(score: Matrix, queries: int) -> dict[int, int]:
    """The best one of all assignments, from queries to gold items. Shape: score (gold, queries)."""
    gold = range(len(score))
    best = max(permutations(range(queries), len(score)), key=lambda p: sum(score[g][p[g]] for g in gold))
    return {query: item for item, query in enumerate(best)}


def ends_of(text: int) -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    return [(GOLD[text][head], GOLD[text][tail]) for head, tail, _ in TRIPLES[text]]


def phi(number: int, text: Text) -> dict[int, int]:
    score = [[agreement(query, gold) for query in text.entities] for gold in GOLD[number]]
    return assigned(score, len(text.entities))


def sigma(number: int, text: Text) -> dict[int, int]:
    queries = list(zip(text.heads, text.tails, text.relation, strict=True))
    score = [
        [agreement(h, head) + agreement(t, tail) + r[kind] for h, t, r in queries]
        for (head, tail), (_, _, kind) in zip(ends_of(number), TRIPLES[number], strict=True)
    ]
    return assigned(score, len(queries))


def span_terms(query: Query, gold: tuple[int, int, int] | None) -> float:
    """A summand of the loss of entities (eq 14) and of that of heads and tails (eq 15). Where no gold item
    is assigned there is no start and no end, and the type is null.
    """
    if gold is None:
        return log(query.type[NULL])
    start, end, kind = gold
    return log(query.start[start - 1]) + log(query.end[end - 1]) + log(query.type[kind])


def entity_loss(number: int, text: Text) -> float:
    """Eq 14, the loss of entities."""
    answers, total = phi(number, text), 0.0
    for i in range(len(text.entities)):
        total += span_terms(text.entities[i], GOLD[number][answers[i]] if i in answers else None)
    return -total


def argument_loss(number: int, text: Text) -> float:
    """Eq 15, the loss of heads and of tails."""
    answers, total = sigma(number, text), 0.0
    for j in range(len(text.heads)):
        head, tail = ends_of(number)[answers[j]] if j in answers else (None, None)
        total += span_terms(text.heads[j], head) + span_terms(text.tails[j], tail)
    return -total


def relation_loss(number: int, text: Text) -> float:
    """Eq 16, the loss of relations, in which that of heads and tails is included."""
    answers, total = sigma(number, text), 0.0
    for j in range(len(text.relation)):
        total += log(text.relation[j][TRIPLES[number][answers[j]][2] if j in answers else NULL])
    return argument_loss(number, text) - total


# 3.4: consistency


def divergence(p: Vector, q: Vector) -> float:
    return sum(a * (log(a) - log(b)) for a, b in zip(p, q, strict=True) if a)


def sim(e: Query, argument: Query) -> float:
    return sum(-divergence(p, q) for p, q in zip(e, argument, strict=True))


def relation_to_entity(text: Text) -> float:
    """Eq 18, from relations to entities."""
    total = 0.0
    for i in range(len(text.relation)):
        total += max(sim(e, text.heads[i]) for e in text.entities)
        total += max(sim(e, text.tails[i]) for e in text.entities)
    return -total


def has_relation_loss(number: int, text: Text) -> float:
    """Eq 20, the loss of has-relation."""
    answers, total = phi(number, text), 0.0
    taking = {end for head, tail, _ in TRIPLES[number] for end in (head, tail)}
    for i in range(len(text.entities)):
        y = 1.0 if answers.get(i) in taking else 0.0
        total += y * log(text.has_relation[i]) + (1 - y) * log(1 - text.has_relation[i])
    return -total / len(text.entities)


def entity_to_relation(text: Text) -> float:
    """Eq 21, from entities to relations; eq 22, the set of those that have one."""
    omega = [i for i in range(len(text.entities)) if text.has_relation[i] >= 0.5]
    total = 0.0
    for i in omega:
        total += max(
            sum(-divergence(p, q) for p, q in zip(argument, text.entities[i], strict=True))
            for j in range(len(text.relation))
            for argument in (text.heads[j], text.tails[j])
        )
    return -total


def linking_loss(number: int, text: Text) -> float:
    """Eq 27, the loss of links."""
    entities, relations, total = phi(number, text), sigma(number, text), 0.0
    for i in range(len(text.entities)):
        for j in range(len(text.relation)):
            ends = TRIPLES[number][relations[j]][:2] if j in relations else ()
            y = 1.0 if i in entities and entities[i] in ends else 0.0
            total += y * log(text.link[i][j]) + (1 - y) * log(1 - text.link[i][j])
    return -total / (len(text.entities) * len(text.relation))


def summed(loss: object, texts: list[Text]) -> float:
    return sum(loss(number, text) for number, text in enumerate(texts))  # type: ignore[operator]


def test_prediction_losses(out: Outputs, texts: list[Text]) -> None:
    """Eq 14, the loss of entities; eq 15, of heads and tails; eq 16, of relations; eq 17, their sum."""
    parts = {name: float(x) for name, x in OBJECTIVE(out, None, make_targets(GOLD, TRIPLES)).parts.items()}
    entities, arguments = (summed(loss, texts) for loss in (entity_loss, argument_loss))
    relations = summed(relation_loss, texts)
    assert parts["entity_type"] + parts["entity_boundary"] == pytest.approx(entities, rel=1e-4)
    found = parts["argument_type"] + parts["argument_boundary"]
    assert found == pytest.approx(arguments, rel=1e-4)
    assert found + parts["relation_type"] == pytest.approx(relations, rel=1e-4)
    prediction = sum(parts[name] for name in parts.keys() - {"consistency", "linking"})
    assert prediction == pytest.approx(entities + relations, rel=1e-4)


def test_consistency(out: Outputs, texts: list[Text]) -> None:
    """Eq 18, from relations to entities; eq 20, has-relation; eq 21, from entities to relations."""
    found = OBJECTIVE(out, None, make_targets(GOLD, TRIPLES)).parts["consistency"]
    expected = summed(has_relation_loss, texts)
    expected += sum(relation_to_entity(text) + entity_to_relation(text) for text in texts)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    members = [sum(p >= 0.5 for p in text.has_relation) for text in texts]
    assert 0 < sum(members) < sum(len(text.entities) for text in texts), (
        "some are in the set and some are not"
    )


def test_linking(out: Outputs, texts: list[Text]) -> None:
    """Eq 27, linking."""
    found = OBJECTIVE(out, None, make_targets(GOLD, TRIPLES)).parts["linking"]
    assert float(found) == pytest.approx(summed(linking_loss, texts), rel=1e-4)


def test_the_reference_is_not_detached(out: Outputs) -> None:
    """Eq 18, from relations to entities, moves the entity as well as the head or tail."""
    leaves = [x.detach().clone().requires_grad_() for x in (out.entity.type, out.head.type)]
    entity, head = out.entity._replace(type=leaves[0]), out.head._replace(type=leaves[1])
    alone = out._replace(entity=entity, head=head, has_relation=torch.full_like(out.has_relation, -1.0))
    OBJECTIVE(alone, None, make_targets(GOLD, TRIPLES)).parts["consistency"].backward()  # the set is empty
    assert all(leaf.grad.any() for leaf in leaves)

"""Each loss against loops written from the paper's equations, one text, query and position at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from builders import make_match, make_targets, random_outputs
from torch import Tensor
from torch.nn.functional import pad

from spacy_bispn.nn import losses
from spacy_bispn.nn.matching import Match
from spacy_bispn.nn.shapes import NULL, Candidates, Outputs, Spans, SpanTargets, Targets


class Case(NamedTuple):
    """All that the losses of one supervised layer read; `candidates` are proposals' logits, gold, valid."""

    out: Outputs
    gold: Targets
    entity: Match
    relation: Match
    candidates: Candidates


NULL_WEIGHT = 0.25
ENTITIES = [[(0, 0, 2), (1, 3, 1)], [], [(0, 2, 3), (2, 2, 1), (0, 2, 1)]]
RELATIONS = [[(1, 0, 2)], [], [(0, 1, 1), (2, 2, 2)]]


def some_gold() -> Case:
    torch.manual_seed(1)
    entity_mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]]).bool()
    relation_mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 1, 1]]).bool()
    pointable = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
    return Case(
        random_outputs(entity_mask, relation_mask, pointable),
        make_targets(ENTITIES, RELATIONS),
        make_match((0, 2, 0), (0, 0, 1), (2, 3, 0), (2, 1, 2), (2, 0, 1)),
        make_match((0, 1, 0), (2, 0, 1), (2, 2, 0)),
        random_candidates(3),
    )


def no_gold() -> Case:
    """No text has a gold item: the gold tensors have no columns at all."""
    case = some_gold()
    nothing: list[list[tuple[int, int, int]]] = [[], [], []]
    return case._replace(gold=make_targets(nothing, nothing), entity=make_match(), relation=make_match())


def no_queries() -> Case:
    """One text has entity but no relation queries, another has neither."""
    case = some_gold()
    out = case.out._replace(
        entity_mask=torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool(),
        relation_mask=torch.tensor([[1, 1, 0], [0, 0, 0], [0, 0, 0]]).bool(),
    )
    return case._replace(out=out, entity=make_match((0, 2, 0), (0, 0, 1)), relation=make_match((0, 1, 0)))


def random_candidates(batch: int) -> Candidates:
    logits = torch.randn(batch, 2, 3, 3, dtype=torch.double)
    return Candidates(logits, torch.rand_like(logits) < 0.3, torch.rand_like(logits) < 0.7)


CASES = [some_gold, no_gold, no_queries]
each_case = pytest.mark.parametrize("case", [make() for make in CASES], ids=[make.__name__ for make in CASES])


# The equations, on lists of numbers.


def log_softmax(logits: Tensor) -> list[float]:
    values = logits.tolist()
    top = max(values)
    total = sum(math.exp(value - top) for value in values)
    return [value - top - math.log(total) for value in values]


def softmax(logits: Tensor) -> list[float]:
    return [math.exp(value) for value in log_softmax(logits)]


def cross_entropy_of_yes_or_no(logit: float, target: float) -> float:
    yes = 1 / (1 + math.exp(-logit))
    return -(target * math.log(yes) + (1 - target) * math.log(1 - yes))


def kl(left: Spans, right: Spans, i: tuple[int, int], j: tuple[int, int]) -> float:
    """D_KL of the start, end and type distributions at two places, each a text and a query."""
    total = 0.0
    for p_logits, q_logits in zip(left[:3], right[:3], strict=True):
        for log_p, log_q in zip(log_softmax(p_logits[i]), log_softmax(q_logits[j]), strict=True):
            total += math.exp(log_p) * (log_p - log_q) if math.exp(log_p) else 0.0
    return total


def pairs_of(found: Match) -> list[tuple[int, int, int]]:
    return list(zip(found.text.tolist(), found.query.tolist(), found.gold.tolist(), strict=True))


def present(mask: Tensor, text: int) -> list[int]:
    return [query for query, there in enumerate(mask[text].tolist()) if there]


def slow_types(logits: Tensor, mask: Tensor, found: Match, gold: Tensor) -> float:
    answers = {(text, query): int(gold[text, item]) for text, query, item in pairs_of(found)}
    total = 0.0
    for text in range(len(mask)):
        for query in present(mask, text):
            kind = answers.get((text, query), NULL)
            weight = NULL_WEIGHT if kind == NULL else 1.0
            total -= weight * log_softmax(logits[text, query])[kind]
    return total


def slow_boundary(spans: Spans, found: Match, gold: SpanTargets) -> float:
    total = 0.0
    for text, query, item in pairs_of(found):
        for logits, place in ((spans.start, gold.start), (spans.end, gold.end)):
            total -= log_softmax(logits[text, query])[int(place[text, item])]
    return total


def slow_relation_to_entity(out: Outputs) -> float:
    total = 0.0
    for text in range(len(out.entity_mask)):
        entities = present(out.entity_mask, text)
        for query in present(out.relation_mask, text) if entities else ():
            for argument in (out.head, out.tail):
                total += min(kl(out.entity, argument, (text, j), (text, query)) for j in entities)
    return total


def slow_entity_to_relation(out: Outputs, hard: bool) -> float:
    assert out.has_relation is not None
    total = 0.0
    for text in range(len(out.entity_mask)):
        relations = present(out.relation_mask, text)
        for query in present(out.entity_mask, text) if relations else ():
            here, there = (text, query), [(text, j) for j in relations]
            closest = min(
                kl(argument, out.entity, j, here) for argument in (out.head, out.tail) for j in there
            )
            share = 1 / (1 + math.exp(-float(out.has_relation[text, query])))
            total += closest * (float(share >= 0.5) if hard else share)
    return total


def slow_has_relation(out: Outputs, target: Tensor, mean: bool) -> float:
    assert out.has_relation is not None
    total = 0.0
    for text in range(len(target)):
        queries = present(out.entity_mask, text)
        for i in queries:
            each = cross_entropy_of_yes_or_no(float(out.has_relation[text, i]), float(target[text, i]))
            total += each / len(queries) if mean else each
    return total


def slow_linking(out: Outputs, target: Tensor, mean: bool) -> float:
    assert out.link is not None
    total = 0.0
    for text in range(len(target)):
        entities, relations = (present(mask, text) for mask in (out.entity_mask, out.relation_mask))
        for i in entities:
            for j in relations:
                each = cross_entropy_of_yes_or_no(float(out.link[text, i, j]), float(target[text, i, j]))
                total += each / (len(entities) * len(relations)) if mean else each
    return total


def slow_proposals(logits: Tensor, gold: Tensor, valid: Tensor) -> float:
    cells = zip(logits.flatten().tolist(), gold.flatten().tolist(), valid.flatten().tolist(), strict=True)
    return sum(cross_entropy_of_yes_or_no(logit, target) for logit, target, counts in cells if counts)


def every_third(like: Tensor) -> Tensor:
    """A made-up yes or no for each query, the same wherever padding ends."""
    places = [torch.arange(n).view(-1, *[1] * (like.dim() - 2 - i)) for i, n in enumerate(like.shape[1:])]
    target: Tensor = (sum(places) % 3 == 0).expand(like.shape)
    return target


def compared(out: Outputs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What consistency compares: entities, then heads and tails together, and which of them are real."""
    entity, head, tail = (losses.distributions(spans) for spans in out[:3])
    return entity, torch.cat([head, tail], dim=1), out.entity_mask, out.relation_mask.repeat(1, 2)


Fast, Slow = Callable[[Case], Tensor], Callable[[Case], float]
LOSSES: dict[str, tuple[Fast, Slow]] = {
    "entity types (eq 14)": (
        lambda c: losses.type_loss(
            c.out.entity.type, c.out.entity_mask, c.entity, c.gold.entity.type, NULL_WEIGHT
        ),
        lambda c: slow_types(c.out.entity.type, c.out.entity_mask, c.entity, c.gold.entity.type),
    ),
    "relation types (eq 16)": (
        lambda c: losses.type_loss(
            c.out.relation, c.out.relation_mask, c.relation, c.gold.relation, NULL_WEIGHT
        ),
        lambda c: slow_types(c.out.relation, c.out.relation_mask, c.relation, c.gold.relation),
    ),
    "boundaries of heads and tails (eq 15)": (
        lambda c: losses.boundary_loss(c.out.tail, c.relation, c.gold.tail),
        lambda c: slow_boundary(c.out.tail, c.relation, c.gold.tail),
    ),
    "relation to entity (eq 18)": (
        lambda c: losses.relation_to_entity_loss(*compared(c.out)),
        lambda c: slow_relation_to_entity(c.out),
    ),
    **{
        f"entity to relation, hard={hard} (eq 21)": (
            lambda c, hard=hard: losses.entity_to_relation_loss(
                *compared(c.out), losses.related_entities(c.out.has_relation, hard)
            ),
            lambda c, hard=hard: slow_entity_to_relation(c.out, hard),
        )
        for hard in (False, True)
    },
    **{
        f"has-relation, mean={mean} (eq 20)": (
            lambda c, mean=mean: losses.has_relation_loss(
                c.out.has_relation, c.out.entity_mask, every_third(c.out.has_relation), mean
            ),
            lambda c, mean=mean: slow_has_relation(c.out, every_third(c.out.has_relation), mean),
        )
        for mean in (False, True)
    },
    **{
        f"linking, mean={mean} (eq 27)": (
            lambda c, mean=mean: losses.linking_loss(
                c.out.link, c.out.entity_mask, c.out.relation_mask, every_third(c.out.link), mean
            ),
            lambda c, mean=mean: slow_linking(c.out, every_third(c.out.link), mean),
        )
        for mean in (False, True)
    },
    "proposals": (
        lambda c: losses.proposal_loss(c.candidates),
        lambda c: slow_proposals(*c.candidates),
    ),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


@each_loss
@each_case
def test_a_loss_is_what_its_equation_says(name: str, case: Case) -> None:
    fast, slow = LOSSES[name]
    assert fast(case).item() == pytest.approx(slow(case), rel=1e-9, abs=1e-9)


@each_loss
def test_the_case_with_gold_gives_every_loss_something_to_say(name: str) -> None:
    assert LOSSES[name][1](some_gold()) > 0.1


@each_loss
@each_case
def test_gradients_are_those_of_finite_differences(name: str, case: Case) -> None:
    out, candidates = case.out, case.candidates.logits
    leaves = [*out.entity[:3], *out.head[:3], *out.tail[:3], out.relation, out.link, candidates]
    if not name.startswith("entity to relation"):  # there has-relation is a weight without a gradient
        leaves.append(out.has_relation)

    def loss(*x: Tensor) -> Tensor:
        spans = {"entity": Spans(*x[0:3]), "head": Spans(*x[3:6]), "tail": Spans(*x[6:9])}
        moved = out._replace(**spans, relation=x[9], link=x[10])
        moved = moved._replace(has_relation=x[12]) if len(x) > 12 else moved
        return LOSSES[name][0](case._replace(out=moved, candidates=case.candidates._replace(logits=x[11])))

    assert torch.autograd.gradcheck(loss, [x.clone().requires_grad_() for x in leaves], fast_mode=True)


def padded(case: Case) -> Case:
    """More positions (which cannot be pointed at), more queries (masked), more gold (empty)."""
    torch.manual_seed(2)
    lowest = torch.finfo(torch.double).min

    def pad_spans(spans: Spans) -> Spans:
        start, end, kind = (pad(x, (0, 0, 0, 2), value=7.0) for x in spans[:3])
        start, end = (pad(x, (0, 3), value=lowest) for x in (start, end))
        return Spans(start, end, kind)

    def pad_gold(spans: SpanTargets) -> SpanTargets:
        return SpanTargets(*(pad(x, (0, 2), value=v) for x, v in zip(spans[:3], (-1, -1, NULL), strict=True)))

    out, gold = case.out, case.gold
    return case._replace(
        out=Outputs(
            *(pad_spans(spans) for spans in out[:3]), pad(out.relation, (0, 0, 0, 2), value=-5.0),
            *(pad(mask, (0, 2), value=False) for mask in (out.entity_mask, out.relation_mask)),
            pad(out.has_relation, (0, 2), value=9.0), pad(out.link, (0, 2, 0, 2), value=9.0),
        ),
        gold=Targets(
            *(pad_gold(spans) for spans in gold[:3]), pad(gold.relation, (0, 2), value=NULL),
            *(pad(x, (0, 2), value=-1) for x in gold[4:]),
        ),
        candidates=Candidates(
            logits=pad(case.candidates.logits, (0, 2, 0, 2), value=9.0),
            gold=pad(case.candidates.gold, (0, 2, 0, 2), value=False),
            valid=pad(case.candidates.valid, (0, 2, 0, 2), value=False),
        ),
    )  # fmt: skip


@each_loss
@each_case
def test_padding_does_not_move_a_loss(name: str, case: Case) -> None:
    fast, _ = LOSSES[name]
    assert fast(padded(case)).item() == pytest.approx(fast(case).item(), rel=1e-12)


def on_another_device(x: object) -> object:
    """The same record without its numbers: such tensors cannot be mixed with those of the CPU."""
    if isinstance(x, Tensor):
        return x.to("meta")
    if not isinstance(x, tuple):
        return x
    return type(x)(*map(on_another_device, x)) if hasattr(x, "_fields") else tuple(map(on_another_device, x))


@each_loss
@each_case
def test_a_loss_stays_on_the_device_of_its_outputs(name: str, case: Case) -> None:
    fast, _ = LOSSES[name]
    assert fast(on_another_device(case)).device.type == "meta"


def text_of(case: Case, text: int) -> Case:
    def cut(x: object) -> object:
        if isinstance(x, Match):
            mine = x.text == text
            return Match(x.text[mine] * 0, x.query[mine], x.gold[mine], 0)
        if x is None or isinstance(x, Tensor):
            return x if x is None else x[text : text + 1]
        return type(x)(*map(cut, x)) if hasattr(x, "_fields") else tuple(map(cut, x))

    return cut(case)


@each_loss
@each_case
def test_the_loss_of_a_batch_is_the_sum_of_its_texts_losses(name: str, case: Case) -> None:
    fast, _ = LOSSES[name]
    alone = sum(fast(text_of(case, text)).item() for text in range(3))
    assert fast(case).item() == pytest.approx(alone, rel=1e-12)


def test_costs_are_minus_the_gold_items_probabilities() -> None:
    """For every pair of a query and a gold item."""
    case = some_gold()
    out, gold = case.out, case.gold
    entity = losses.span_cost(out.entity, gold.entity)
    relation = losses.relation_cost(out.relation, out.head, out.tail, gold.relation, gold.head, gold.tail)

    def slow(spans: Spans, target: SpanTargets, text: int, query: int, item: int) -> float:
        logits, wanted = (spans.type, spans.start, spans.end), (target.type, target.start, target.end)
        each = zip(logits, wanted, strict=True)
        return -sum(softmax(x[text, query])[int(index[text, item])] for x, index in each)

    for text in range(3):
        for query in range(4):
            for item in range(len(ENTITIES[text])):
                expected = slow(out.entity, gold.entity, text, query, item)
                assert entity[text, query, item].item() == pytest.approx(expected)
        for query in range(3):
            for item, (_, _, kind) in enumerate(RELATIONS[text]):
                expected = -softmax(out.relation[text, query])[kind]
                expected += slow(out.head, gold.head, text, query, item)
                expected += slow(out.tail, gold.tail, text, query, item)
                assert relation[text, query, item].item() == pytest.approx(expected)
    assert entity.shape == (3, 4, 3) and relation.shape == (3, 3, 2)


def test_costs_without_gold_have_no_columns() -> None:
    out, gold, *_ = no_gold()
    assert losses.span_cost(out.entity, gold.entity).shape == (3, 4, 0)
    relation = losses.relation_cost(out.relation, out.head, out.tail, gold.relation, gold.head, gold.tail)
    assert relation.shape == (3, 3, 0)


def test_divergence_is_a_sum_over_start_end_and_type() -> None:
    out = some_gold().out
    found = losses.divergence(losses.distributions(out.entity), losses.distributions(out.head))
    expected = [
        [[kl(out.entity, out.head, (text, i), (text, j)) for j in range(3)] for i in range(4)]
        for text in range(3)
    ]
    assert torch.allclose(found, torch.tensor(expected, dtype=torch.double))


def test_divergence_is_zero_between_equals_and_positive_otherwise() -> None:
    spans = losses.distributions(some_gold().out.entity)
    found = losses.divergence(spans, spans)
    assert found.diagonal(dim1=1, dim2=2).abs().max() < 1e-12
    assert (found + torch.eye(4) > 0.1).all()


def test_divergence_of_certain_distributions_is_finite_in_single_precision() -> None:
    logits = 1e4 * torch.eye(3)[None].repeat(1, 1, 1)
    spans = Spans(logits.clone().requires_grad_(), logits, logits)
    found = losses.divergence(losses.distributions(spans), losses.distributions(spans))
    found.sum().backward()
    assert found.isfinite().all() and spans.start.grad is not None and spans.start.grad.isfinite().all()


@pytest.mark.parametrize("hard", [False, True])
def test_an_entity_cannot_talk_itself_out_of_the_consistency_loss(hard: bool) -> None:
    out = some_gold().out
    has_relation = out.has_relation.clone().requires_grad_()
    entity = Spans(*(x.clone().requires_grad_() for x in out.entity[:3]))
    related = losses.related_entities(has_relation, hard)
    losses.entity_to_relation_loss(*compared(out._replace(entity=entity)), related).backward()
    assert has_relation.grad is None and entity.type.grad is not None and entity.type.grad.any()


def test_even_odds_are_enough_to_have_a_relation() -> None:
    assert losses.related_entities(torch.tensor([-1e-9, 0.0, 1e-9]), hard=True).tolist() == [0, 1, 1]

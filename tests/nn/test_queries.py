"""Queries: learned slots, and spans and pairs that the text proposes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import make_targets
from torch import Tensor
from torch.nn.functional import pad

from spacy_bispn.nn.losses import proposal_loss
from spacy_bispn.nn.queries import LearnedQueries, ProposedQueries
from spacy_bispn.nn.shapes import PROPOSED, Inputs, Queries, SpanTargets, Targets

WIDTH = 8
POINTABLE = torch.tensor([[0, 1, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0]]).bool()


def tokens() -> Tensor:
    return torch.randn(*POINTABLE.shape, WIDTH, generator=torch.Generator().manual_seed(5))


def inputs(gold: Targets | None = None, **given: Any) -> Inputs:
    return Inputs(None, None, POINTABLE, POINTABLE, gold, **given)


def proposer(
    entities: int = 9, relations: int = 9, floor: float = 0.01, given_classes: int = 0
) -> ProposedQueries:
    torch.manual_seed(6)
    return ProposedQueries(entities, relations, WIDTH, 6, floor, given_classes)


def propose(module: ProposedQueries, gold: Targets | None = None, **given: Any) -> Queries:
    queries, _ = module(tokens(), inputs(gold, **given))
    return queries


def spans(queries: Queries, text: int) -> list[tuple[int, int]]:
    """The spans behind a text's entity queries."""
    return [tuple(seed[:2]) for seed in queries.entity_seed[text][queries.entity_mask[text]].tolist()]


def pairs(queries: Queries, text: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The pairs of spans behind a text's relation queries."""
    there = queries.relation_mask[text]
    ends = (queries.head_seed[text][there].tolist(), queries.tail_seed[text][there].tolist())
    return [(tuple(head[:2]), tuple(tail[:2])) for head, tail in zip(*ends, strict=True)]


NOTHING_PROPOSED = 0.999  # a floor that no candidate of a fresh module reaches


# Learned


def test_learned_queries_are_the_same_for_every_text() -> None:
    module = LearnedQueries(4, 3, WIDTH)
    queries, proposals = module(tokens(), inputs(None))
    assert queries.entity.shape == (2, 4, WIDTH) and queries.relation.shape == (2, 3, WIDTH)
    assert torch.equal(queries.entity[0], queries.entity[1])
    assert queries.entity_mask.shape == (2, 4) and queries.relation_mask.shape == (2, 3)
    assert queries.entity_mask.all() and queries.relation_mask.all()
    assert queries.entity_mask.dtype == queries.relation_mask.dtype == torch.bool
    assert proposals is None and queries.entity_seed is queries.head_seed is queries.tail_seed is None


# Proposed


def test_gold_spans_and_pairs_are_always_chosen_in_training() -> None:
    gold = make_targets([[(1, 1, 1), (2, 4, 2)], [(1, 2, 3)]], [[(0, 1, 1), (1, 0, 2)], []])
    queries = propose(proposer(floor=NOTHING_PROPOSED), gold)
    assert sorted(spans(queries, 0)) == [(1, 1), (2, 4)] and spans(queries, 1) == [(1, 2)]
    assert sorted(pairs(queries, 0)) == [((1, 1), (2, 4)), ((2, 4), (1, 1))] and pairs(queries, 1) == []


def test_gold_comes_first_where_the_text_proposes_more_than_the_limit() -> None:
    gold = make_targets([[(1, 1, 1), (2, 4, 2)], []], [[(1, 0, 1)], []])
    queries = propose(proposer(entities=4, relations=2, floor=1e-6), gold)
    assert {(1, 1), (2, 4)} < set(spans(queries, 0)) and len(spans(queries, 0)) == 4
    assert ((2, 4), (1, 1)) in pairs(queries, 0) and len(pairs(queries, 0)) == 2


def test_gold_beyond_the_limit_is_cut() -> None:
    gold = make_targets([[(1, 1, 1), (2, 4, 2), (3, 3, 1)], []], [[(0, 1, 1), (1, 0, 1), (2, 2, 2)], []])
    queries = propose(proposer(entities=2, relations=1, floor=1e-6), gold)
    assert len(spans(queries, 0)) == 2 and set(spans(queries, 0)) < {(1, 1), (2, 4), (3, 3)}
    assert len(pairs(queries, 0)) == 1


def test_proposals_are_pointable_spans_that_end_where_they_start_or_later() -> None:
    queries = propose(proposer(entities=40, floor=1e-9))
    assert set(spans(queries, 0)) == {(i, j) for i in range(1, 5) for j in range(i, 5)}
    assert set(spans(queries, 1)) == {(1, 1), (1, 2), (2, 2)}
    assert len(spans(queries, 1)) == 2 * 3  # each candidate has two places


def test_a_text_gets_its_likeliest_spans() -> None:
    module = proposer(entities=3, floor=1e-9)
    _, found = module(tokens(), inputs(make_targets([[], []], [[], []])))
    scores = found.spans.logits.masked_fill(~found.spans.valid, -torch.inf)
    best = scores.flatten(1).topk(3).values
    queries = propose(module)
    for text in (0, 1):
        for seed, score in zip(spans(queries, text), best[text], strict=True):
            assert score in scores[text, :, seed[0], seed[1]]


def test_the_same_span_with_two_types_gives_two_entity_queries() -> None:
    gold = make_targets([[(2, 3, 1), (2, 3, 2)], []], [[(0, 1, 1)], []])
    queries = propose(proposer(floor=NOTHING_PROPOSED), gold)
    assert spans(queries, 0) == [(2, 3), (2, 3)]
    first, second = queries.entity[0, :2]
    assert not torch.allclose(first, second)
    assert pairs(queries, 0) == [((2, 3), (2, 3))]


def test_several_labels_on_one_pair_give_two_relation_queries() -> None:
    gold = make_targets([[(1, 1, 1), (3, 4, 2)], []], [[(0, 1, 1), (0, 1, 2)], []])
    queries = propose(proposer(floor=NOTHING_PROPOSED), gold)
    assert pairs(queries, 0) == [((1, 1), (3, 4))] * 2
    first, second = queries.relation[0, :2]
    assert not torch.allclose(first, second)


def test_an_entity_may_be_related_to_itself() -> None:
    gold = make_targets([[(1, 1, 1), (3, 4, 2)], []], [[(1, 1, 1)], []])
    assert pairs(propose(proposer(floor=NOTHING_PROPOSED), gold), 0) == [((3, 4), (3, 4))]


def test_pairs_are_of_chosen_spans() -> None:
    queries = propose(proposer(entities=40, relations=300, floor=1e-9))
    for text in (0, 1):
        chosen = set(spans(queries, text))
        assert set(pairs(queries, text)) == {(head, tail) for head in chosen for tail in chosen}


def test_a_span_chosen_for_its_second_place_only_takes_part_in_pairs() -> None:
    module = proposer(entities=40, relations=300, floor=0.5)
    with torch.no_grad():
        module.span_bias.copy_(torch.tensor([[-30.0], [30.0]]).expand_as(module.span_bias))
        module.pair_bias.fill_(30.0)
    queries = propose(module)
    assert set(spans(queries, 1)) == {(1, 1), (1, 2), (2, 2)}
    assert len(set(pairs(queries, 1))) == 9


def test_queries_and_scores_are_what_a_loop_over_spans_and_pairs_gives() -> None:
    module, states = proposer(entities=40, relations=300, floor=1e-9), tokens()
    queries, found = module(states, inputs(make_targets([[], []], [[], []])))

    def mean(text: int, first: int, last: int) -> Tensor:
        inside = states[text, first:last]
        return inside.mean(0) if len(inside) else torch.zeros(WIDTH)

    def between(text: int, one: tuple[int, int], other: tuple[int, int]) -> Tensor:
        return mean(text, min(one[1], other[1]) + 1, max(one[0], other[0]))

    for text in (0, 1):
        entities = list(zip(spans(queries, text), queries.entity[text], strict=False))
        for (start, end), state in entities:
            parts = [states[text, start], states[text, end], mean(text, start, end + 1)]
            seed = module.span_seed(torch.cat(parts)) + module.width.weight[end - start]
            copies = [module.span_norm(seed + copy) for copy in module.span_copy.weight]
            assert min((state - one).abs().max() for one in copies) < 1e-5
        there = queries.relation_mask[text]
        for (head, tail), state in zip(pairs(queries, text), queries.relation[text][there], strict=True):
            seeds = [
                module.pair_seed(torch.cat([one, other, between(text, head, tail)])) + copy
                for span, one in entities if span == head
                for span, other in entities if span == tail
                for copy in module.pair_copy.weight
            ]  # fmt: skip
            assert min((state - module.pair_norm(seed)).abs().max() for seed in seeds) < 1e-5
        for row, (head, one) in enumerate(entities):
            for column, (tail, other) in enumerate(entities):
                score = module.pair(module.head(one)[None, None], module.tail(other)[None, None])[0, :, 0, 0]
                score = score + module.pair_bias + module.between_score(between(text, head, tail))
                scored = found.pairs.logits[text, :, row, column]
                torch.testing.assert_close(scored, score, atol=1e-5, rtol=1e-4)


def test_a_text_that_proposes_nothing_has_masked_queries_only() -> None:
    queries = propose(proposer(floor=NOTHING_PROPOSED))
    assert not queries.entity_mask.any() and not queries.relation_mask.any()
    assert queries.entity.shape == queries.relation.shape == (2, 1, WIDTH)  # attention needs one place
    assert queries.entity.isfinite().all() and queries.relation.isfinite().all()


def test_masked_queries_hold_finite_numbers() -> None:
    """Attention weighs them with 0, which does not help against NaN."""
    every_span = make_targets([[(i, j, 1) for i in range(1, 5) for j in range(i, 5)], []], [[], []])
    for floor, gold in ((0.01, None), (NOTHING_PROPOSED, every_span)):
        queries = propose(proposer(entities=40, relations=300, floor=floor), gold)
        assert not queries.entity_mask.all()
        assert queries.entity.isfinite().all() and queries.relation.isfinite().all()


@pytest.mark.parametrize("floor", [0.01, NOTHING_PROPOSED])
@pytest.mark.parametrize("training", [False, True])
def test_padding_and_the_rest_of_the_batch_change_nothing(floor: float, training: bool) -> None:
    module = proposer(floor=floor)
    entities, relations = [[(2, 4, 2)], [(1, 2, 3)]], [[(0, 0, 1)], [(0, 0, 2)]]
    together = propose(module, make_targets(entities, relations) if training else None)
    for text in (0, 1):
        gold = make_targets(entities[text : text + 1], relations[text : text + 1]) if training else None
        mask = pad(POINTABLE[text : text + 1], (0, 3))
        alone, _ = module(pad(tokens()[text : text + 1], (0, 0, 0, 3)), Inputs(None, None, mask, mask, gold))
        assert spans(alone, 0) == spans(together, text) and pairs(alone, 0) == pairs(together, text)
        for kind in ("entity", "relation"):
            one, many = (
                getattr(x, kind)[place][getattr(x, f"{kind}_mask")[place]]
                for x, place in ((alone, 0), (together, text))
            )
            assert torch.allclose(one, many, atol=1e-6)


def test_proposals_carry_their_gold_in_training_and_are_absent_at_prediction() -> None:
    gold = make_targets([[(1, 1, 1), (2, 4, 2), (2, 4, 3)], []], [[(0, 0, 1)], []])
    queries, proposals = proposer()(tokens(), inputs(gold))
    assert proposals.spans.gold.nonzero().tolist() == [[0, 0, 1, 1], [0, 0, 2, 4], [0, 1, 2, 4]]
    assert (proposals.spans.valid | ~proposals.spans.gold).all()
    [(text, copy, head, tail)] = proposals.pairs.gold.nonzero().tolist()
    assert (text, copy) == (0, 0) and head == tail
    assert queries.entity_seed[0, head].tolist() == [1, 1, PROPOSED]
    _, nothing = proposer()(tokens(), inputs())
    assert nothing is None


def test_a_fresh_module_deems_every_candidate_unlikely() -> None:
    gold = make_targets([[], []], [[], []])
    _, found = proposer()(tokens(), inputs(gold))
    assert found.spans.logits.sigmoid()[found.spans.valid].mean() < 0.05


def test_gold_teaches_the_scores_to_rise() -> None:
    module = proposer()
    gold = make_targets([[(1, 1, 1)], []], [[(0, 0, 1)], []])
    _, found = module(tokens(), inputs(gold))
    logits = found.spans.logits.detach().requires_grad_()
    proposal_loss(found.spans._replace(logits=logits)).backward()
    assert logits.grad[0, 0, 1, 1] < -0.5 and logits.grad[0, 0, 1, 2] > 0
    assert not logits.grad[~found.spans.valid].any()


# Given


def given(*texts: list[tuple[int, int, int]]) -> SpanTargets:
    """Given entities of each text, as (start, end, type)."""
    return make_targets(list(texts), [[] for _ in texts]).entity


def numbered(gold: Targets) -> Targets:
    """Gold all of whose entities are given, in their order."""
    places = torch.arange(gold.entity.start.shape[1]).expand_as(gold.entity.start)
    ends = {"head": gold.head_entity, "tail": gold.tail_entity}
    moved = {name: getattr(gold, name)._replace(given=number) for name, number in ends.items()}
    return gold._replace(entity=gold.entity._replace(given=places), **moved)


def seeds(queries: Queries, text: int) -> list[list[int]]:
    return queries.entity_seed[text][queries.entity_mask[text]].tolist()


def test_given_entities_are_the_queries_in_their_order_however_many_and_unlikely() -> None:
    module = proposer(entities=2, floor=NOTHING_PROPOSED)
    nested = [(2, 4, 2), (1, 1, 1), (2, 3, 2), (2, 4, 1), (1, 4, 0)]
    queries = propose(module, given=given(nested, []), propose=False)
    expected = [[start, end, number] for number, (start, end, _) in enumerate(nested)]
    assert seeds(queries, 0) == expected and seeds(queries, 1) == []
    assert queries.has_given and not propose(module).has_given


def test_others_are_proposed_beside_what_was_given_but_not_the_same_spans() -> None:
    module = proposer(entities=40, floor=1e-9)
    queries = propose(module, given=given([(2, 4, 2)], [(1, 2, 1), (1, 2, 3)]))
    assert seeds(queries, 0)[0] == [2, 4, 0] and seeds(queries, 1)[:2] == [[1, 2, 0], [1, 2, 1]]
    assert [2, 4, PROPOSED] not in seeds(queries, 0) and [1, 2, PROPOSED] not in seeds(queries, 1)
    assert {tuple(x[:2]) for x in seeds(queries, 1)} == {(1, 1), (1, 2), (2, 2)}


def test_pairs_of_given_entities_at_one_place_are_told_apart() -> None:
    entities = [(2, 4, 2), (2, 4, 2), (1, 1, 1)]
    gold = numbered(make_targets([entities, []], [[(0, 2, 1), (2, 1, 2)], []]))
    module = proposer(floor=NOTHING_PROPOSED, given_classes=4)
    queries, found = module(tokens(), inputs(gold, given=given(entities, []), propose=False))
    assert found.pairs.gold.nonzero().tolist() == [[0, 0, 0, 2], [0, 0, 2, 1]]
    ends = zip(queries.head_seed[0].tolist(), queries.tail_seed[0].tolist(), strict=True)
    assert sorted(ends) == [([1, 1, 2], [2, 4, 1]), ([2, 4, 0], [1, 1, 2])]
    assert not found.spans.valid.any() and proposal_loss(found.spans) == 0


def test_a_network_may_know_the_types_of_what_was_given() -> None:
    plain, typed = proposer(floor=1e-6), proposer(floor=1e-6, given_classes=4)
    typed.load_state_dict(plain.state_dict(), strict=False)
    both = given([(2, 4, 2), (2, 4, 1)], [])
    one, other = (propose(x, given=both, propose=False).entity[0] for x in (plain, typed))
    assert torch.equal(one[0], one[1]) and not torch.allclose(other[0], other[1])
    # what was proposed has no type
    one, other = (propose(x, given=both) for x in (plain, typed))
    there = one.entity_mask[1]
    assert there.any() and torch.allclose(one.entity[1, there], other.entity[1, there], atol=1e-6)


def test_new_types_of_given_entities_have_room() -> None:
    module = proposer(given_classes=3)
    before = propose(module, given=given([(2, 4, 2)], []), propose=False).entity[0]
    module.grow(5)
    assert torch.equal(propose(module, given=given([(2, 4, 2)], []), propose=False).entity[0], before)
    assert propose(module, given=given([(2, 4, 4)], []), propose=False).entity.isfinite().all()

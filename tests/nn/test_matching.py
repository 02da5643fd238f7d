"""Matching: the cheapest assignment of gold items to queries, text by text."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bispn.nn.matching import Match, match


def solve(cost: list, queries: list | None = None, gold: list | None = None) -> Match:
    table = torch.tensor(cost, dtype=torch.float)
    every = [torch.ones(table.shape[0], n, dtype=torch.bool) for n in table.shape[1:]]
    pairs = zip(every, (queries, gold), strict=True)
    masks = [mask if chosen is None else torch.tensor(chosen).bool() for mask, chosen in pairs]
    (found,) = match([table], masks[:1], masks[1:])
    return found


def triples(found: Match) -> set[tuple[int, int, int]]:
    return set(zip(found.text.tolist(), found.query.tolist(), found.gold.tolist(), strict=True))


def cheapest(cost: np.ndarray) -> float:
    """The least total cost of any assignment, by trying all."""
    few, many = sorted(cost.shape)
    cost = cost if cost.shape[0] <= cost.shape[1] else cost.T
    orders = permutations(range(many), few)
    return min(sum(cost[i, j] for i, j in zip(range(few), order, strict=True)) for order in orders)


masks = st.lists(st.booleans(), min_size=0, max_size=4)


@settings(max_examples=150)
@given(queries=masks, gold=masks, seed=st.integers(0, 10_000))
def test_no_assignment_is_cheaper(queries: list[bool], gold: list[bool], seed: int) -> None:
    cost = torch.tensor(np.random.default_rng(seed).integers(-9, 10, (1, len(queries), len(gold)))).float()
    (found,) = match([cost], [torch.tensor([queries]).bool()], [torch.tensor([gold]).bool()])
    rows, items = np.flatnonzero(queries), np.flatnonzero(gold)

    assert set(found.query.tolist()) <= set(rows) and set(found.gold.tolist()) <= set(items)
    assert len(set(found.query.tolist())) == len(set(found.gold.tolist())) == min(len(rows), len(items))
    assert found.surplus == max(len(items) - len(rows), 0)
    assert cost[0, found.query, found.gold].sum() == cheapest(cost[0].numpy()[np.ix_(rows, items)])


def test_texts_of_a_batch_are_matched_by_themselves() -> None:
    found = solve([[[0, 1], [1, 0]], [[1, 0], [0, 1]]])
    assert triples(found) == {(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)}


def test_masked_queries_and_gold_are_left_out_however_cheap() -> None:
    cost = [[[-9, -9, -9], [-9, 1, 2], [-9, 3, 1]]]
    assert triples(solve(cost, queries=[[0, 1, 1]], gold=[[0, 1, 1]])) == {(0, 1, 1), (0, 2, 2)}


def test_gold_that_finds_no_query_is_surplus() -> None:
    found = solve([[[5, 1, 3]], [[2, 2, 2]]], gold=[[1, 1, 1], [1, 1, 0]])
    assert (0, 0, 1) in triples(found) and len(found.query) == 2
    assert found.surplus == 2 + 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_cost_that_is_no_number_is_the_last_choice(bad: float) -> None:
    assert triples(solve([[[bad, 1.0], [1.0, 2.0]]])) == {(0, 0, 1), (0, 1, 0)}
    assert len(solve([[[bad, bad], [bad, bad]]]).query) == 2


def test_minus_infinity_is_the_first_choice() -> None:
    assert triples(solve([[[float("-inf"), -5.0], [-5.0, 3.0]]])) == {(0, 0, 0), (0, 1, 1)}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_query_without_numbers_leaves_the_best_choices_to_the_others(bad: float, row: int) -> None:
    cost = [[7.0, -6.0, -8.0], [-8.0, -4.0, 0.0]]
    cost.insert(row, [bad] * 3)
    others = [query for query in range(3) if query != row]
    expected = {(0, others[0], 2), (0, others[1], 0), (0, row, 1)}
    assert triples(solve([cost])) == expected


@pytest.mark.parametrize("shape", [(2, 0, 3), (2, 3, 0), (0, 3, 3), (2, 0, 0)])
def test_nothing_to_match(shape: tuple[int, int, int]) -> None:
    batch, queries, gold = shape
    masks = torch.ones(batch, queries).bool(), torch.ones(batch, gold).bool()
    (found,) = match([torch.zeros(shape)], [masks[0]], [masks[1]])
    assert [x.tolist() for x in found[:3]] == [[], [], []] and found.text.dtype == torch.long
    assert found.surplus == batch * gold * (queries == 0)


def test_several_problems_of_different_sizes_keep_their_order() -> None:
    costs = [torch.rand(2, 3, 2), torch.rand(2, 1, 4), torch.rand(2, 2, 2)]
    masks = [[torch.ones(2, cost.shape[axis]).bool() for cost in costs] for axis in (1, 2)]
    together = match(costs, *masks)
    for index, cost in enumerate(costs):
        (alone,) = match([cost], [masks[0][index]], [masks[1][index]])
        assert triples(together[index]) == triples(alone) and together[index].surplus == alone.surplus


def test_a_problem_without_its_mask_is_an_error() -> None:
    cost, mask = torch.rand(1, 2, 2), torch.ones(1, 2).bool()
    with pytest.raises(ValueError, match="shorter"):
        match([cost, cost], [mask, mask], [mask])


def test_matching_needs_no_gradient() -> None:
    cost = torch.rand(1, 2, 2, requires_grad=True)
    (found,) = match([cost], [torch.ones(1, 2).bool()], [torch.ones(1, 2).bool()])
    assert len(found.query) == 2

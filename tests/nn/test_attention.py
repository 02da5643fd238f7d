"""Attention: who sees whom."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from spacy_bispn.nn.attention import Attention, FeedForward, OneWayAttention, attend, averaged

MASK = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0]]).bool()


def slow_attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int) -> Tensor:
    out = torch.zeros_like(query)
    width = query.shape[-1] // heads
    for text in range(len(query)):
        allowed = [k for k in range(key.shape[1]) if mask[text, k]]
        for row in range(query.shape[1]):
            for head in range(heads):
                part = slice(head * width, (head + 1) * width)
                scale = query[text, row, part] / math.sqrt(width)
                scores = [float(scale @ key[text, k, part]) for k in allowed]
                total = sum(math.exp(score) for score in scores)
                for k, score in zip(allowed, scores, strict=True):
                    out[text, row, part] += math.exp(score) / total * value[text, k, part]
    return out


@pytest.mark.parametrize("heads", [1, 2])
def test_attend_is_a_softmax_over_the_keys_that_are_allowed(heads: int) -> None:
    query, key, value = torch.randn(2, 3, 6), torch.randn(2, 4, 6), torch.randn(2, 4, 6)
    expected = slow_attend(query, key, value, MASK, heads)
    assert torch.allclose(attend(query, key, value, MASK, heads), expected, atol=1e-6)


def test_a_text_without_any_key_gets_finite_states_and_gradients() -> None:
    query, key, value = (torch.randn(2, 4, 6, requires_grad=True) for _ in range(3))
    found = attend(query, key, value, MASK & torch.tensor([[True], [False]]), heads=2)
    found.sum().backward()
    assert found.isfinite().all() and all(x.grad.isfinite().all() for x in (query, key, value))
    assert torch.allclose(found[0], attend(query, key, value, MASK, heads=2)[0], atol=1e-6)


def test_one_way_attention_lets_no_token_see_a_query() -> None:
    module = OneWayAttention(6, 2)
    tokens, queries = torch.randn(2, 4, 6), torch.randn(2, 3, 6)
    there = torch.ones(2, 3).bool()
    seen, answered = module(tokens, queries, MASK, there)
    changed = queries.clone()
    changed[:, 1] += 1
    seen_then, answered_then = module(tokens, changed, MASK, there)
    assert torch.equal(seen, seen_then)
    assert (answered - answered_then).abs().amin(dim=(0, 2)).min() > 0  # every query sees every query


def test_one_way_attention_is_attention_under_a_mask_of_two_halves() -> None:
    module = OneWayAttention(6, 2)
    tokens, queries = torch.randn(2, 4, 6), torch.randn(2, 3, 6)
    query_mask = torch.tensor([[1, 1, 0], [1, 1, 1]]).bool()
    seen, answered = module(tokens, queries, MASK, query_mask)
    everything = torch.cat([tokens, queries], dim=1)
    mask = torch.cat([MASK, query_mask], dim=1)
    whole = Attention.forward(module, everything, everything, everything, mask)
    assert torch.allclose(answered, whole[:, 4:], atol=1e-6)
    assert torch.allclose(seen, Attention.forward(module, tokens, tokens, tokens, MASK), atol=1e-6)


def test_masked_tokens_and_queries_are_seen_by_nobody() -> None:
    module = OneWayAttention(6, 2)
    tokens, queries = torch.randn(2, 4, 6), torch.randn(2, 3, 6)
    query_mask = torch.tensor([[1, 1, 0], [1, 0, 1]]).bool()
    seen, answered = module(tokens, queries, MASK, query_mask)
    noise = torch.where(MASK[..., None], tokens, 99.0), torch.where(query_mask[..., None], queries, -99.0)
    seen_then, answered_then = module(*noise, MASK, query_mask)
    assert torch.allclose(seen[MASK], seen_then[MASK], atol=1e-6)
    assert torch.allclose(answered[query_mask], answered_then[query_mask], atol=1e-6)


def test_feed_forward_keeps_the_width() -> None:
    assert FeedForward(6, 10, 0.0)(torch.randn(2, 3, 6)).shape == (2, 3, 6)


def test_content_is_averaged_with_a_position_where_there_is_one() -> None:
    states = torch.tensor([[[1.0, 2.0]]])
    assert averaged(states, None) is states
    assert averaged(states, torch.tensor([[[3.0, 0.0]]])).tolist() == [[[2.0, 1.0]]]

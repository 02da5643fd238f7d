"""Attention: who sees whom."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from spacy_bispn.nn.attention import (
    Attention,
    FeedForward,
    OneWayAttention,
    OneWayRows,
    attend,
    attention_weights,
    by_head,
    project,
)
from spacy_bispn.nn.packing import PackedRows, attention_bias

MASK = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0]]).bool()
QUERIES = torch.tensor([[1, 1, 0], [1, 0, 1]]).bool()
ROWS = PackedRows.of(QUERIES)
TOKENS = PackedRows.of(MASK)


def slow_attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int) -> Tensor:
    out = torch.zeros_like(query)
    width = query.shape[-1] // heads
    for text in range(len(query)):
        keys = [k for k in range(key.shape[1]) if mask[text, k]]
        for row in range(query.shape[1]):
            for head in range(heads):
                part = slice(head * width, (head + 1) * width)
                scale = query[text, row, part] / math.sqrt(width)
                scores = [float(scale @ key[text, k, part]) for k in keys]
                total = sum(math.exp(score) for score in scores)
                for k, score in zip(keys, scores, strict=True):
                    out[text, row, part] += math.exp(score) / total * value[text, k, part]
    return out


@pytest.mark.parametrize("heads", [1, 2])
def test_attend_is_a_softmax_over_the_keys_in_the_mask(heads: int) -> None:
    query, key, value = torch.randn(2, 3, 6), torch.randn(2, 4, 6), torch.randn(2, 4, 6)
    expected = slow_attend(query, key, value, MASK, heads)
    assert torch.allclose(attend(query, key, value, attention_bias(MASK), heads), expected, atol=1e-6)


def test_attend_computes_in_64_bits_too() -> None:
    """A kernel takes many keys at once, and there it goes wrong about a mask of other numbers."""
    query, key, value = (torch.randn(2, count, 6, dtype=torch.float64) for count in (3, 40, 40))
    mask = torch.arange(40) < torch.tensor([[40], [21]])
    expected = slow_attend(query, key, value, mask, 2)
    assert torch.allclose(attend(query, key, value, attention_bias(mask), 2), expected, atol=1e-9)


def test_a_text_without_any_key_gets_finite_states_and_gradients() -> None:
    query, key, value = (torch.randn(2, 4, 6, requires_grad=True) for _ in range(3))
    found = attend(query, key, value, attention_bias(MASK & torch.tensor([[True], [False]])), heads=2)
    found.sum().backward()
    assert found.isfinite().all() and all(x.grad.isfinite().all() for x in (query, key, value))
    assert torch.allclose(found[0], attend(query, key, value, attention_bias(MASK), heads=2)[0], atol=1e-6)


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_weights_are_those_by_which_attend_mixes_the_values(heads: int) -> None:
    query, key, value = torch.randn(2, 3, 6), torch.randn(2, 4, 6), torch.randn(2, 4, 6)
    weights = attention_weights(query, key, attention_bias(MASK), heads)
    mixed = (weights @ by_head(value, heads)).transpose(1, 2).flatten(2)
    assert torch.allclose(mixed, attend(query, key, value, attention_bias(MASK), heads), atol=1e-6)
    assert torch.allclose(weights.sum(-1), torch.ones(2, heads, 3)) and (weights >= 0).all()
    assert not weights[~MASK[:, None, None].expand_as(weights)].any()


def test_attention_weights_of_a_text_without_any_key_are_spread_over_all() -> None:
    query, key = torch.randn(1, 3, 6), torch.randn(1, 4, 6)
    nothing, everything = attention_bias(torch.zeros(1, 4).bool()), attention_bias(torch.ones(1, 4).bool())
    spread = (attention_weights(query, key, bias, 2) for bias in (nothing, everything))
    assert torch.equal(*spread)


def test_projections_are_those_of_each_layer_padded() -> None:
    layers, states = [torch.nn.Linear(6, 6) for _ in range(3)], torch.randn(len(TOKENS), 6)
    for found, layer in zip(project(states, TOKENS, *layers), layers, strict=True):
        assert torch.allclose(TOKENS.pack(found), layer(states), atol=1e-6)


def plain(module: Attention, query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
    """Plain attention with a module's projections, on padded tensors."""
    parts = module.query(query), module.key(key), module.value(key)
    return module.output(attend(*parts, attention_bias(mask), module.heads))


def test_queries_attend_to_tokens_and_to_each_other() -> None:
    module = Attention(6, 2)
    tokens, queries = torch.randn(2, 4, 6), torch.randn(2, 3, 6)
    packed = ROWS.pack(queries)
    keys = module.keys(TOKENS.pack(tokens), TOKENS)
    over, among = module.over(packed, ROWS, keys), module.within(packed, ROWS)
    assert torch.allclose(over, plain(module, queries, tokens, MASK)[QUERIES], atol=1e-6)
    assert torch.allclose(among, plain(module, queries, queries, QUERIES)[QUERIES], atol=1e-6)


def one_way(
    module: OneWayAttention, tokens: Tensor, queries: Tensor, rows: PackedRows = ROWS
) -> tuple[Tensor, Tensor]:
    """What real tokens and real queries of padded tensors see."""
    states = torch.cat([TOKENS.pack(tokens), rows.pack(queries)])
    seen, answered = module(states, OneWayRows.of(TOKENS, rows)).split([len(TOKENS), len(rows)])
    return seen, answered


def test_one_way_attention_lets_no_token_see_a_query() -> None:
    module = OneWayAttention(6, 2)
    tokens, queries = torch.randn(2, 4, 6), torch.randn(2, 3, 6)
    rows = PackedRows.of(torch.ones(2, 3).bool())
    seen, answered = one_way(module, tokens, queries, rows)
    changed = queries.clone()
    changed[:, 1] += 1
    seen_then, answered_then = one_way(module, tokens, changed, rows)
    assert torch.equal(seen, seen_then)
    assert (answered - answered_then).abs().amax(dim=1).min() > 0  # every query sees every query


def test_one_way_attention_is_attention_under_a_mask_of_two_halves() -> None:
    module = OneWayAttention(6, 2)
    tokens, queries = torch.randn(2, 4, 6), torch.randn(2, 3, 6)
    seen, answered = one_way(module, tokens, queries)
    whole = plain(module, queries, torch.cat([tokens, queries], dim=1), torch.cat([MASK, QUERIES], dim=1))
    assert torch.allclose(answered, whole[QUERIES], atol=1e-6)
    assert torch.allclose(seen, plain(module, tokens, tokens, MASK)[MASK], atol=1e-6)


def test_feed_forward_keeps_the_width() -> None:
    assert FeedForward(6, 10, 0.0)(torch.randn(2, 3, 6)).shape == (2, 3, 6)

"""The span head: what pointers rule out, and where a seeded query starts."""

from __future__ import annotations

import pytest
import torch

from spacy_bispn.nn.heads import SpanHead, classifier, mask_positions, one_hot, widened

POINTABLE = torch.tensor([[0, 1, 1, 0], [0, 1, 0, 0]]).bool()


def test_blank_leaves_pointable_positions_alone_and_no_probability_elsewhere() -> None:
    logits = torch.randn(2, 3, 4)
    found = mask_positions(logits, POINTABLE)
    there = POINTABLE[:, None].expand_as(logits)
    assert torch.equal(found[there], logits[there])
    probability = found.softmax(-1)
    assert not probability[~there].any() and probability[there].all() and found.isfinite().all()


def test_one_hot_is_one_at_each_querys_index() -> None:
    index = torch.tensor([[2, 0], [3, 3]])
    found = one_hot(index, torch.randn(2, 2, 4, dtype=torch.double))
    assert found.dtype == torch.double and torch.equal(found.argmax(-1), index)
    assert found.sum() == 4 and found.max() == 1
    assert one_hot(torch.zeros(2, 0).long(), torch.randn(2, 0, 4)).shape == (2, 0, 4)


@pytest.mark.parametrize("pointer", ["biaffine", "additive"])
@pytest.mark.parametrize("mlp", [False, True])
def test_a_span_head_points_and_names(pointer: str, mlp: bool) -> None:
    module = SpanHead(6, 3, pointer, seeded=False, mlp=mlp)
    found = module(torch.randn(2, 5, 6), torch.randn(2, 4, 6), POINTABLE, None)
    assert found.start.shape == found.end.shape == (2, 5, 4) and found.type.shape == (2, 5, 4)
    for logits in (found.start, found.end):
        assert not logits.softmax(-1)[~POINTABLE[:, None].expand_as(logits)].any()
    assert not torch.allclose(found.start, found.end)


def test_a_seeded_query_starts_from_its_proposal() -> None:
    module = SpanHead(6, 3, "biaffine", seeded=True, mlp=False)
    queries, tokens = torch.randn(2, 2, 6), torch.randn(2, 4, 6)
    seed = torch.tensor([[[1, 2], [2, 2]], [[1, 1], [1, 1]]])
    without, found = (module(queries, tokens, POINTABLE, x) for x in (None, seed))
    for moved, side, logits in ((found.start, 0, without.start), (found.end, 1, without.end)):
        raised = (moved - logits)[POINTABLE[:, None].expand_as(logits)]
        expected = module.seed_weight[side] * one_hot(seed[..., side], logits)
        assert torch.allclose(raised, expected[POINTABLE[:, None].expand_as(logits)], atol=1e-5)
        assert (raised > 1).sum() == 4
    assert torch.equal(found.type, without.type)


@pytest.mark.parametrize("mlp", [False, True])
def test_more_classes_keep_the_logits_of_those_that_are_there(mlp: bool) -> None:
    states, before = torch.randn(2, 5, 6), classifier(6, 3, mlp)
    after = widened(before, 5)
    torch.testing.assert_close(after(states)[..., :3], before(states))
    assert not after(states)[..., 3:].any()
    assert torch.equal(widened(before, 3)(states), before(states))

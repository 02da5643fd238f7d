"""Scores of pairs, against loops over the pairs and against what torch makes of the formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from spacy_bispn.nn import pairs
from spacy_bispn.nn.pairs import Additive, Biaffine, TanhOfSum


def by_formula(module: Biaffine | Additive, left: Tensor, right: Tensor) -> Tensor:
    """The scores of one pair: a scaled product of projections, or a perceptron over their sum (eq 4)."""
    a, b = module.left(left), module.right(right)
    if isinstance(module, Additive):
        return module.score.weight @ torch.tanh(a + b)
    return torch.stack([x @ y / math.sqrt(6) for x, y in zip(a.split(6), b.split(6), strict=True)])


@pytest.mark.parametrize("kind", [Biaffine, Additive])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_pair_is_scored_by_the_formula(kind: type[Biaffine] | type[Additive], channels: int) -> None:
    module = kind(4, 5, 6, channels)
    left, right = torch.randn(2, 3, 4), torch.randn(2, 2, 5)
    found = module(left, right)
    assert found.shape == (2, channels, 3, 2)
    for text in range(2):
        for i in range(3):
            for j in range(2):
                expected = by_formula(module, left[text, i], right[text, j])
                assert torch.allclose(found[text, :, i, j], expected, atol=1e-5)


def slow(module: TanhOfSum, left: Tensor, right: Tensor) -> Tensor:
    return (torch.tanh(left[:, :, None] + right[:, None]) @ module.weight.T).movedim(-1, 1)


@pytest.mark.parametrize(
    "at_once", [1, 120, 300, 10**6], ids=["a row", "3 rows, then 1", "2 texts, then 1", "all"]
)
def test_a_few_pairs_at_a_time_give_the_scores_and_gradients_of_all(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pairs.AT_ONCE, "cpu", at_once)
    torch.manual_seed(0)
    module = TanhOfSum(5, 2).double()
    left, right = (torch.randn(3, n, 5, dtype=torch.double, requires_grad=True) for n in (4, 7))
    upstream = torch.randn(3, 2, 4, 7, dtype=torch.double)
    found = []
    for scores in (module(left, right), slow(module, left, right)):
        gradients = torch.autograd.grad(scores, (left, right, module.weight), upstream)
        found.append((scores, *gradients))
    for fast, reference in zip(*found, strict=True):
        assert torch.allclose(fast, reference, atol=1e-12)


def test_sums_far_from_zero_are_one_and_have_no_slope() -> None:
    module = TanhOfSum(1, 1)
    far = torch.tensor([[[500.0], [-500.0], [torch.inf]]], requires_grad=True)
    scores = module(far, torch.zeros(1, 1, 1))
    scores.sum().backward()
    assert torch.allclose(scores.flatten(), module.weight.flatten() * torch.tensor([1.0, -1.0, 1.0]))
    assert far.grad.abs().max() < 1e-30


@pytest.mark.parametrize("far", [0.0, 19.0, 30.0, 1000.0])
def test_parts_that_cancel_are_told_apart_however_large_they_are(far: float) -> None:
    module = TanhOfSum(1, 1)
    left = torch.tensor([[[far]]])
    right = torch.tensor([[[-far], [1 - far], [-1 - far]]], requires_grad=True)
    scores = module(left, right)
    scores.sum().backward()
    expected = torch.tensor([0.0, 1.0, -1.0]).tanh()
    weight = module.weight.item()
    assert torch.allclose(scores.flatten(), weight * expected, atol=1e-5)
    assert torch.allclose(right.grad.flatten(), weight * (1 - expected**2), atol=1e-5)


def test_what_is_no_number_gives_none() -> None:
    module = TanhOfSum(1, 1)
    left, right = torch.tensor([[[torch.nan], [torch.inf]]]), torch.tensor([[[-torch.inf]]])
    assert module(left, right).isnan().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_network_of_other_precision_scores_too(dtype: torch.dtype) -> None:
    module = Additive(4, 5, 6, 2).to(dtype)
    left, right = torch.randn(2, 3, 4).to(dtype), torch.randn(2, 2, 5).to(dtype)
    found, parts = module(left, right), (module.left(left), module.right(right))
    expected = slow(module.score.float(), *(part.float() for part in parts))
    assert torch.allclose(found.float(), expected, atol=1e-6)


def test_half_precision_is_widened() -> None:
    module = TanhOfSum(4, 2)
    left, right = torch.randn(1, 3, 4).bfloat16(), torch.randn(1, 2, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = module(left, right)
    assert found.dtype == torch.float32
    assert torch.allclose(found, slow(module, left.float(), right.float()), atol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0)])
def test_where_there_are_no_pairs_there_are_no_scores(rows: int, columns: int) -> None:
    module = TanhOfSum(4, 2)
    left, right = torch.randn(2, rows, 4, requires_grad=True), torch.randn(2, columns, 4, requires_grad=True)
    scores = module(left, right)
    scores.sum().backward()
    assert scores.shape == (2, 2, rows, columns)
    assert not left.grad.any() and not right.grad.any() and not module.weight.grad.any()

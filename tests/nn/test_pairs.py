"""Scores of pairs, against loops over the pairs and against what torch makes of the formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from spacy_bispn.nn import pairs
from spacy_bispn.nn.pairs import Additive, Biaffine


def by_formula(module: Biaffine | Additive, left: Tensor, right: Tensor) -> Tensor:
    """The scores of one pair: a scaled product of projections, or a perceptron over their sum (eq 4)."""
    a, b = (x.unflatten(-1, (-1, 6)) for x in (module.left(left), module.right(right)))
    if isinstance(module, Additive):
        return torch.stack(
            [w @ torch.relu(x + y) + c for w, c, x, y in zip(module.weight, module.bias, a, b, strict=True)]
        )
    return torch.stack([x @ y / math.sqrt(6) for x, y in zip(a, b, strict=True)])


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


def slow(module: Additive, left: Tensor, right: Tensor) -> Tensor:
    """All sums at once, by torch's own operations."""
    a, b = (
        x.unflatten(-1, (len(module.weight), -1)).transpose(1, 2)
        for x in (module.left(left), module.right(right))
    )
    sums = (a[:, :, :, None] + b[:, :, None]).relu()
    return (sums * module.weight[:, None, None]).sum(-1) + module.bias[:, None, None]


@pytest.mark.parametrize("at_once", [1, 120, 300, 10**6], ids=["a row", "3 rows, then 1", "2 groups", "all"])
def test_a_few_pairs_at_a_time_give_the_scores_and_gradients_of_all(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pairs.AT_ONCE, "cpu", at_once)
    torch.manual_seed(0)
    module = Additive(4, 3, 5, 2).double()
    left, right = (torch.randn(3, *n, dtype=torch.double, requires_grad=True) for n in ((4, 4), (7, 3)))
    upstream = torch.randn(3, 2, 4, 7, dtype=torch.double)
    found = []
    for scores in (module(left, right), slow(module, left, right)):
        found.append((scores, *torch.autograd.grad(scores, (left, right, *module.parameters()), upstream)))
    for fast, reference in zip(*found, strict=True):
        assert torch.allclose(fast, reference, atol=1e-12)


@pytest.mark.parametrize("at_once", [1, 2**18])
def test_gradients_are_those_of_finite_differences(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pairs.AT_ONCE, "cpu", at_once)
    torch.manual_seed(0)
    module = Additive(3, 2, 4, 2).double()
    left, right = (torch.randn(2, *n, dtype=torch.double, requires_grad=True) for n in ((2, 3), (3, 2)))
    parameters = dict(module.named_parameters())

    def scores(left: Tensor, right: Tensor, *values: Tensor) -> Tensor:
        given = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(module, given, (left, right))

    assert torch.autograd.gradcheck(scores, (left, right, *parameters.values()))


def test_a_few_pairs_at_a_time_keep_no_sum() -> None:
    kept: list[int] = []
    module, left, right = Additive(4, 4, 64, 2), torch.randn(2, 30, 4), torch.randn(2, 40, 4)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        module(left, right)
    assert max(kept) <= 2 * 2 * 40 * 64


def test_what_is_no_number_gives_none() -> None:
    module = Additive(1, 1, 1)
    left, right = torch.tensor([[[torch.nan], [1.0]]]), torch.tensor([[[2.0]]])
    assert module(left, right).isnan().flatten().tolist() == [True, False]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_network_of_other_precision_scores_too(dtype: torch.dtype) -> None:
    module = Additive(4, 5, 6, 2).to(dtype)
    left, right = (torch.randn(2, *n).to(dtype).requires_grad_() for n in ((3, 4), (2, 5)))
    found, expected = module(left, right), slow(module, left, right)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.allclose(found.double(), expected.double(), atol=1e-5 if dtype == torch.float64 else 0.03)
    found.sum().backward()
    assert left.grad is not None and left.grad.dtype == dtype and left.grad.any()


def test_half_precision_is_widened_before_sums() -> None:
    module = Additive(4, 4, 4, 2)
    left, right = torch.randn(1, 3, 4), torch.randn(1, 2, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = module(left, right)
        a, b = module.left(left), module.right(right)
    assert a.dtype == torch.bfloat16 and found.dtype == torch.float32
    module.left, module.right = torch.nn.Identity(), torch.nn.Identity()
    assert torch.allclose(found, slow(module, a.float(), b.float()), atol=1e-6)
    found.sum().backward()
    assert module.weight.grad.any()


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0)])
def test_where_there_are_no_pairs_there_are_no_scores(rows: int, columns: int) -> None:
    module = Additive(4, 4, 4, 2)
    left, right = torch.randn(2, rows, 4, requires_grad=True), torch.randn(2, columns, 4, requires_grad=True)
    scores = module(left, right)
    scores.sum().backward()
    assert scores.shape == (2, 2, rows, columns)
    assert not left.grad.any() and not right.grad.any() and not module.weight.grad.any()

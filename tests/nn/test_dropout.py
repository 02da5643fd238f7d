"""Dropout: what it says of each state, and that a whole encoder has no other."""

import pytest
import torch
from torch import nn

from spacy_bispn.nn.dropout import Dropout, draw, replace_dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_states_are_dropped_by_the_share_and_the_others_scaled_so_that_the_mean_stays(share: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(share)(torch.ones(1000, 1000))
    assert (dropped == 0).float().mean().item() == pytest.approx(share, abs=0.003)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert len(dropped.unique()) == 2


def test_neighbours_are_dropped_independently() -> None:
    """Eight states share one random number: none of its bytes may tell of another."""
    torch.manual_seed(0)
    parts = (Dropout(0.5)(torch.ones(800_000)) == 0).view(-1, 8).float()
    together = torch.corrcoef(parts.T) - torch.eye(8)
    assert together.abs().max().item() < 0.02


def test_random_numbers_reach_from_the_least_to_the_greatest() -> None:
    torch.manual_seed(0)
    numbers = draw(torch.empty(2_000_003)).int()
    counts = torch.bincount(numbers + 128, minlength=256)
    assert len(counts) == 256 and counts.float().std().item() < 3 * (2_000_003 / 256) ** 0.5


def test_the_gradient_is_that_of_the_states_that_were_kept() -> None:
    states = torch.randn(3, 5, 7, requires_grad=True)
    dropped = Dropout(0.25)(states)
    dropped.sum().backward()
    assert torch.allclose(dropped, states * states.grad)
    assert sorted(states.grad.unique().tolist()) == pytest.approx([0, 4 / 3])


def test_one_seed_drops_the_same_states() -> None:
    def one() -> torch.Tensor:
        torch.manual_seed(3)
        return Dropout(0.3)(torch.ones(5, 9))

    assert torch.equal(one(), one())


@pytest.mark.parametrize("share", [0.0, 1e-7])
def test_a_share_of_nothing_drops_nothing(share: float) -> None:
    states = torch.randn(100)
    assert torch.allclose(Dropout(share)(states), states)


def test_prediction_drops_nothing() -> None:
    states = torch.randn(4, 4)
    assert Dropout(0.9).eval()(states) is states


@pytest.mark.parametrize("shape", [(0,), (0, 4), ()])
def test_few_states_or_none_are_no_trouble(shape: tuple[int, ...]) -> None:
    assert Dropout(0.5)(torch.ones(shape)).shape == shape


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_states_of_other_precision_and_layout_keep_both(dtype: torch.dtype) -> None:
    states = torch.ones(40, 30, dtype=dtype).T
    dropped = Dropout(0.5)(states)
    assert dropped.dtype == dtype and dropped.shape == states.shape
    assert sorted(dropped.unique().tolist()) == [0, 2]


def test_numbers_are_drawn_where_the_states_are() -> None:
    """Not on torch's default device, which is somebody else's setting."""
    states = torch.ones(64)
    with torch.device("meta"):
        assert Dropout(0.5)(states).device == states.device


def test_a_model_at_rest_stays_so() -> None:
    model = replace_dropout(nn.Sequential(nn.Dropout(0.5)).eval())
    assert torch.equal(model(torch.ones(100)), torch.ones(100))


def test_every_dropout_of_a_model_is_replaced_with_its_share() -> None:
    inner = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.2))
    model = replace_dropout(nn.Sequential(inner, nn.Dropout(0.4)))
    assert [type(layer) for layer in (inner[1], model[1])] == [Dropout, Dropout]
    assert (inner[1].p, model[1].p) == (0.2, 0.4)
    assert list(model.state_dict()) == ["0.0.weight", "0.0.bias"]

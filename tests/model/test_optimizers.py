"""The optimizer against torch's own, step by step; its schedule; its saved state; its place in spaCy."""

from __future__ import annotations

import copy
import statistics
import time
import warnings
from typing import Any

import numpy
import pytest
import spacy
import torch
from thinc.api import Config
from thinc.api import Optimizer as ThincOptimizer

from spacy_bispn.model.optimizers import AdamW, create_adamw
from spacy_bispn.settings import SettingError

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")),
]
RATES = {"encoder_rate": 0.01, "decoder_rate": 0.04}
RATES_OF_GROUPS = {"encoder": 0.01, "decoder": 0.04}


class Net(torch.nn.Module):
    """An encoder and a decoder, each with a matrix, a bias and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.LayerNorm(6))
        self.decoder = torch.nn.Sequential(torch.nn.Linear(6, 3), torch.nn.LayerNorm(3))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.decoder(torch.tanh(self.encoder(inputs)))


def make_net(seed: int = 0, device: str = "cpu") -> Net:
    torch.manual_seed(seed)
    return Net().to(device)


def backward(net: Net, step: int = 0, scale: float = 30.0) -> None:
    """Give `net` gradients that depend on nothing but its weights and `step`."""
    device = next(net.parameters()).device
    inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(step)).to(device)
    (scale * (net(inputs) - torch.arange(3.0, device=device)) ** 2).mean().backward()


def train(optimizer: AdamW, net: Net, steps: range, key: str | int = 1, frozen: int = 0) -> None:
    """Ten steps an epoch; the encoder is frozen in the first `frozen` epochs."""
    for step in steps:
        net.encoder.requires_grad_(step >= 10 * frozen)
        backward(net, step)
        optimizer.step_module(key, net, step / 10)


def weights(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: param.detach().clone() for name, param in net.named_parameters()}


def assert_same(left: torch.nn.Module, right: torch.nn.Module, **tolerance: float) -> None:
    for (name, one), (_, other) in zip(left.named_parameters(), right.named_parameters(), strict=True):
        torch.testing.assert_close(one, other, **(tolerance or {"rtol": 0.0, "atol": 0.0}), msg=name)


@pytest.mark.parametrize("device", DEVICES)
def test_equals_torch_with_groups_made_by_hand(device: str) -> None:
    ours, theirs = make_net(device=device), make_net(device=device)
    optimizer = create_adamw(**RATES, weight_decay=0.1, max_norm=0.5)
    enc, dec = theirs.encoder, theirs.decoder
    reference = torch.optim.AdamW(
        [
            {"params": [enc[0].weight], "lr": 0.01, "weight_decay": 0.1},
            {"params": [enc[0].bias, *enc[1].parameters()], "lr": 0.01, "weight_decay": 0.0},
            {"params": [dec[0].weight], "lr": 0.04, "weight_decay": 0.1},
            {"params": [dec[0].bias, *dec[1].parameters()], "lr": 0.04, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.999),
        eps=1e-8,
    )
    for step in range(12):
        backward(ours, step)
        optimizer.step_module(7, ours, step / 4)
        backward(theirs, step)
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        reference.step()
        reference.zero_grad()
    assert_same(ours, theirs, rtol=1e-5, atol=1e-6)
    assert all(param.grad is None for param in ours.parameters())


def test_biases_and_norms_do_not_decay() -> None:
    net = make_net()
    before = weights(net)
    for param in net.parameters():
        param.grad = torch.zeros_like(param)
    create_adamw(**RATES, weight_decay=0.5).step_module(1, net, 0.0)
    rate = {"encoder": 0.01, "decoder": 0.04}
    for name, param in net.named_parameters():
        kept = 1 - 0.5 * rate[name.split(".")[0]] if param.ndim > 1 else 1.0
        torch.testing.assert_close(param.detach(), before[name] * kept, msg=name)


@pytest.mark.parametrize("max_norm", [0.5, 0.0])
def test_clips_the_norm_of_all_gradients_together(max_norm: float) -> None:
    net, probe = make_net(), make_net()
    optimizer = create_adamw(**RATES, max_norm=max_norm)
    backward(probe)
    norm = torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in probe.parameters()]))
    assert norm > 1
    backward(net)
    optimizer.step_module(1, net, 0.0)
    # After one step the first moment is a tenth of the gradient that was used.
    moments = optimizer._learners[1].moments()
    for name, param in probe.named_parameters():
        used = 10 * moments[name]["exp_avg"]
        torch.testing.assert_close(used, param.grad * (max_norm / norm if max_norm else 1.0), msg=name)


def test_a_frozen_encoder_is_untouched_and_warms_up_when_it_thaws() -> None:
    net = make_net()
    optimizer = create_adamw(**RATES, epochs=10, warmup=0.2)
    before = weights(net)
    train(optimizer, net, range(30), frozen=3)
    changed = {name: not torch.equal(before[name], now) for name, now in weights(net).items()}
    assert changed == {name: name.startswith("decoder.") for name in before}
    assert optimizer._learners[1].unfrozen is None

    train(optimizer, net, range(30, 41), frozen=3)
    assert optimizer._learners[1].unfrozen == 3.0
    used = {group["role"]: group["lr"] for group in optimizer._learners[1].adam.param_groups}
    assert used == optimizer.rates(4.0, unfrozen=3.0)
    assert used == pytest.approx({"encoder": 0.005, "decoder": 0.03})
    assert not torch.equal(before["encoder.0.weight"], net.encoder[0].weight)


def test_an_encoder_without_gradients_does_not_even_decay() -> None:
    net = make_net()
    before = weights(net)
    train(create_adamw(**RATES, weight_decay=0.5), net, range(3), frozen=9)
    assert torch.equal(before["encoder.0.weight"], net.encoder[0].weight)


@pytest.mark.parametrize(
    ("epoch", "unfrozen", "encoder", "decoder"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.5, 0.0, 0.005, 0.02),
        (1.0, 0.0, 0.01, 0.04),
        (5.5, 0.0, 0.005, 0.02),
        (9.1, 0.0, 0.001, 0.004),
        (10.0, 0.0, 0.0, 0.0),
        (12.0, 0.0, 0.0, 0.0),
        (4.0, 4.0, 0.0, 0.04 * 6 / 9),
        (4.5, 4.0, 0.005, 0.04 * 5.5 / 9),
        (5.0, 4.0, 0.01, 0.04 * 5 / 9),
        (7.5, 4.0, 0.005, 0.04 * 2.5 / 9),
        (9.5, 9.5, 0.0, 0.04 * 0.5 / 9),
        (10.0, 9.5, 0.0, 0.0),
    ],
)
def test_rates_over_ten_epochs(epoch: float, unfrozen: float, encoder: float, decoder: float) -> None:
    rates = create_adamw(**RATES, epochs=10, warmup=0.1).rates(epoch, unfrozen=unfrozen)
    assert rates == pytest.approx({"encoder": encoder, "decoder": decoder})


def test_rates_without_an_end_are_constant_and_without_warmup_start_full() -> None:
    endless = create_adamw(**RATES)
    assert endless.rates(0.0) == endless.rates(1000.0) == RATES_OF_GROUPS
    assert create_adamw(**RATES, epochs=10, warmup=0).rates(0.0) == RATES_OF_GROUPS


@pytest.mark.parametrize("way", ["bytes", "disk", "bytes twice"])
@pytest.mark.parametrize("stop", [5, 25])
def test_resuming_equals_never_stopping(way: str, stop: int, tmp_path: Any) -> None:
    settings: dict[str, Any] = dict(**RATES, epochs=6, warmup=0.2)
    straight, resumed = make_net(), make_net()
    unbroken = create_adamw(**settings)
    train(unbroken, straight, range(50), frozen=1)

    first = create_adamw(**settings)
    train(first, resumed, range(stop), key=3, frozen=1)
    second = create_adamw(**settings)
    if way == "disk":
        first.to_disk(tmp_path / "state")
        second.from_disk(tmp_path / "state")
    else:
        state = first.to_bytes()
        second.from_bytes(state)
        if way == "bytes twice":  # saved again before any module has claimed its state
            second.from_bytes(second.to_bytes())
        assert second.to_bytes() == state
    train(second, copy.deepcopy(resumed), range(0), key=44)
    train(second, resumed, range(stop, 50), key=44, frozen=1)
    assert_same(straight, resumed)
    assert unbroken.averages and second.averages
    for name, average in unbroken.averages[1].items():
        assert torch.equal(second.averages[44][name], average), name


def decoder_rates(optimizer: AdamW, net: Net, epochs: list[float], since: float) -> list[float]:
    """The decoder's rate at some steps."""
    used = []
    for epoch in epochs:
        backward(net)
        optimizer.step_module(1, net, epoch, since)
        used.append(optimizer._learners[1].adam.param_groups[-1]["lr"])
    return used


def test_a_trained_module_goes_on_at_lower_rates_after_a_short_warm_up() -> None:
    optimizer = create_adamw(**RATES, epochs=10, continued_rate=0.5, continued_warmup=3)
    used = decoder_rates(optimizer, make_net(), [10.1, 10.2, 10.3, 10.4, 500.0], since=10.0)
    assert used == pytest.approx([0.005, 0.01, 0.015, 0.02, 0.02])
    assert optimizer.continued_rates(4) == {"encoder": 0.005, "decoder": 0.02}
    assert optimizer.continued_rates(4, new_labels=True) == RATES_OF_GROUPS
    falling = create_adamw(**RATES, continued_rate=0.5, continued_warmup=0, continued_steps=4)
    found = [falling.continued_rates(step)["decoder"] for step in (1, 2, 3, 4, 5, 9)]
    assert found == pytest.approx([0.02, 0.015, 0.01, 0.005, 0, 0])
    assert create_adamw(**RATES, continued_warmup=0, continued_rate=1).continued_rates(1) == RATES_OF_GROUPS


@pytest.mark.parametrize("since", [0.0, 2.0])
def test_a_resumed_training_keeps_its_rates(since: float) -> None:
    settings: dict[str, Any] = dict(**RATES, epochs=10, continued_warmup=5)
    straight = decoder_rates(create_adamw(**settings), make_net(), [2.5, 3.0, 3.5, 4.0], since)
    first = create_adamw(**settings)
    assert decoder_rates(first, make_net(), [2.5, 3.0], since) == straight[:2]
    second = create_adamw(**settings).from_bytes(first.to_bytes())
    # the weights were saved, and loaded, at epoch 3
    assert decoder_rates(second, make_net(), [3.5, 4.0], since=3.0) == straight[2:]


def test_modules_claim_their_state_by_name_or_in_order() -> None:
    first = create_adamw(**RATES, epochs=9)
    for key, seed in ((5, 1), ("named", 2), (9, 3)):
        train(first, make_net(seed), range(seed), key=key)
    second = create_adamw(**RATES, epochs=9).from_bytes(first.to_bytes())
    steps = {}
    for key in (9, 12, "named", "unknown", 13):
        net = make_net()
        backward(net)
        second.step_module(key, net, 1.0)
        steps[key] = int(second._learners[key].moments()["decoder.0.bias"]["step"])
    assert steps == {9: 2, 12: 4, "named": 3, "unknown": 1, 13: 1}


def test_the_state_of_another_model_is_refused() -> None:
    first = create_adamw(**RATES)
    train(first, make_net(), range(2))
    narrow, headless = make_net(), make_net()
    narrow.decoder = torch.nn.Sequential(torch.nn.Linear(6, 2))
    headless.decoder = torch.nn.Sequential()
    cases = ((narrow, r"decoder\.0\.bias .*\(3,\), .*\(2,\)"), (headless, "no parameter of that name"))
    for net, found in cases:
        with pytest.raises(ValueError, match=f"{found}: expected the model.*; load that one"):
            create_adamw().from_bytes(first.to_bytes()).step_module(1, net, 0.0)


def test_parameters_may_appear_vanish_and_change_shape() -> None:
    net = make_net()
    optimizer = create_adamw(**RATES)
    train(optimizer, net, range(3))
    net.decoder = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.LayerNorm(5), torch.nn.Linear(5, 3))
    before = weights(net)
    train(optimizer, net, range(3, 4))
    steps = {name: int(state["step"]) for name, state in optimizer._learners[1].moments().items()}
    assert steps.keys() == before.keys()
    assert {steps[name] for name in steps if name.startswith("encoder.")} == {4}
    assert steps["decoder.0.weight"] == steps["decoder.2.bias"] == 1
    assert all(not torch.equal(before[name], now) for name, now in weights(net).items())


def test_parameters_replaced_by_others_of_the_same_name_go_on_with_their_moments() -> None:
    straight, replaced = make_net(), make_net()
    optimizer = create_adamw(**RATES)
    train(optimizer, straight, range(5), key="straight")
    train(optimizer, replaced, range(3), key="replaced")
    replaced.decoder = copy.deepcopy(replaced.decoder)
    train(optimizer, replaced, range(3, 5), key="replaced")
    assert_same(straight, replaced)


def test_a_module_without_parameters_or_gradients_is_left_alone() -> None:
    optimizer = create_adamw(**RATES)
    optimizer.step_module(1, torch.nn.Tanh(), 0.0)
    net = make_net()
    before = weights(net)
    optimizer.step_module(2, net, 0.0)
    assert all(torch.equal(before[name], now) for name, now in weights(net).items())
    assert create_adamw().from_bytes(optimizer.to_bytes()).to_bytes() == optimizer.to_bytes()


def test_bfloat16_and_transposed_weights_keep_their_layout() -> None:
    net = make_net().to(torch.bfloat16)
    net.decoder[0].weight = torch.nn.Parameter(net.decoder[0].weight.detach().t().contiguous().t())
    optimizer = create_adamw(**RATES)
    for step in range(3):
        sum(p.float().pow(2).sum() for p in net.parameters()).backward()
        optimizer.step_module(1, net, step)
        optimizer.from_bytes(optimizer.to_bytes())
    assert net.decoder[0].weight.dtype == torch.bfloat16
    assert not net.decoder[0].weight.is_contiguous()


@pytest.mark.parametrize("device", DEVICES)
def test_averages_are_polynomial_decay_averages(device: str) -> None:
    """Shamir and Zhang (2013), section 4: the last weights have the share (eta + 1) / (t + eta)."""
    net, optimizer = make_net(device=device), create_adamw(**RATES)
    expected = {name: torch.zeros_like(x) for name, x in weights(net).items()}
    for step in range(1, 21):
        train(optimizer, net, range(step - 1, step))
        share = (8 + 1) / (step + 8)
        expected = {name: (1 - share) * expected[name] + share * x for name, x in weights(net).items()}
    assert optimizer.averages is not None and optimizer.averages.keys() == {1}
    assert optimizer.averages[1].keys() == expected.keys()
    for name, average in optimizer.averages[1].items():
        torch.testing.assert_close(average, expected[name], msg=name)
        assert not torch.equal(average, weights(net)[name])


def test_averages_change_nothing_in_the_training_and_can_be_left_out() -> None:
    nets = [make_net() for _ in range(3)]
    optimizers = [create_adamw(**RATES), create_adamw(**RATES, use_averages=False), create_adamw(**RATES)]
    for net, optimizer in zip(nets, optimizers, strict=True):
        for step in range(5):
            backward(net, step)
            optimizer.step_module(1, net, step / 10, averaged=optimizer is not optimizers[2])
        assert_same(net, nets[0])
    assert optimizers[0].averages and optimizers[1].averages is None and optimizers[2].averages == {}


def test_an_average_begins_with_the_first_step_of_its_weight() -> None:
    net, optimizer = make_net(), create_adamw(**RATES)
    averages = optimizer.averages
    assert averages is not None
    train(optimizer, net, range(30), frozen=3)
    assert all(name.startswith("decoder.") for name in averages[1])
    train(optimizer, net, range(30, 31), frozen=3)
    assert averages[1].keys() == weights(net).keys()
    assert torch.equal(averages[1]["encoder.0.weight"], net.encoder[0].weight)
    kept, old = averages[1]["decoder.0.weight"].clone(), net.decoder[0].bias
    net.decoder[0].bias = torch.nn.Parameter(torch.zeros(1))  # another shape, as for more labels
    train(optimizer, net, range(31, 32), frozen=3)
    assert torch.equal(averages[1]["decoder.0.bias"], net.decoder[0].bias) and old.shape == (3,)
    share = 9 / (32 + 8)
    torch.testing.assert_close(
        averages[1]["decoder.0.weight"], (1 - share) * kept + share * net.decoder[0].weight
    )


def test_the_averages_of_another_network_are_forgotten() -> None:
    net, optimizer = make_net(), create_adamw(**RATES)
    train(optimizer, net, range(9))
    loaded = make_net(seed=1)
    train(optimizer, loaded, range(9, 10))
    assert optimizer.averages is not None
    for name, average in optimizer.averages[1].items():
        assert torch.equal(average, weights(loaded)[name]), name
    optimizer.from_bytes(optimizer.to_bytes())
    assert optimizer.averages == {}, "until the next step"


WEIGHT = (3, "W")
INSIDE = (4, "layer.0.weight")  # of a torch module that thinc holds, such as a shared transformer


def change(optimizer: ThincOptimizer, key: tuple[int, str], gradient: float = 1.0, ndim: int = 2) -> float:
    """How far the weight of another component moves; all of them start at 1."""
    weights, gradients = (numpy.full((2,) * ndim, one, dtype="f") for one in (1.0, gradient))
    changed, left = optimizer(key, weights, gradients)
    assert not left.any(), "the gradient is used up"
    return 1.0 - float(changed.flat[0])


def test_without_a_module_other_components_learn_at_constant_rates_after_their_first_step() -> None:
    optimizer, plain = create_adamw(**RATES), ThincOptimizer(0.04, L2=0.01, use_averages=False)
    assert change(optimizer, WEIGHT) == change(optimizer, INSIDE) == 0, "a module could still follow"
    change(plain, WEIGHT)
    for _ in range(5):
        assert change(optimizer, WEIGHT) == change(plain, WEIGHT) > 0.03
        assert change(optimizer, INSIDE) == pytest.approx(change(optimizer, WEIGHT) / 4, rel=1e-3)
        optimizer.step_schedules()
    assert (optimizer.learn_rate, optimizer.L2) == (0.04, 0.01)


@pytest.mark.parametrize("since", [0.0, 2.0], ids=["new", "trained before"])
def test_other_components_keep_the_schedule_of_the_module(since: float) -> None:
    optimizer = create_adamw(**RATES, epochs=4, weight_decay=0.0, continued_steps=30)
    net, made = make_net(), []
    for step in range(40):
        moved = [change(optimizer, key) for key in (INSIDE, WEIGHT)]
        made.append(optimizer._rates or {"encoder": 0.0, "decoder": 0.0})
        # Adam with one and the same gradient moves a weight by its rate
        assert moved == pytest.approx([made[-1]["encoder"], made[-1]["decoder"]], rel=1e-3, abs=1e-6)
        backward(net, step)
        optimizer.step_module(1, net, since + step / 10, since)
    highest = max(rates["encoder"] for rates in made)
    assert highest == pytest.approx(0.01 if not since else 0.001, rel=0.5)
    assert made[-1]["encoder"] < highest / 10, "it has fallen with the module's"


def test_biases_and_norms_of_other_components_do_not_decay() -> None:
    optimizer = create_adamw(**RATES, weight_decay=0.5)
    for key, ndim in ((WEIGHT, 1), (INSIDE, 1), (WEIGHT, 2), (INSIDE, 2)):
        key = (key[0] + ndim, key[1])
        change(optimizer, key, 0.0, ndim)
        rate = RATES["encoder_rate" if key[1] == INSIDE[1] else "decoder_rate"]
        assert change(optimizer, key, 0.0, ndim) == pytest.approx(0.5 * rate if ndim > 1 else 0, abs=1e-6)


def test_a_rate_of_zero_leaves_a_transformer_as_it_is() -> None:
    optimizer = create_adamw(encoder_rate=0.0, decoder_rate=0.1)
    for _ in range(3):
        assert change(optimizer, INSIDE) == 0
    assert change(create_adamw(encoder_rate=0.1, decoder_rate=0.0), INSIDE) == 0, "a first step"


def test_the_rates_of_other_components_are_saved() -> None:
    optimizer, net = create_adamw(**RATES, epochs=4), make_net()
    train(optimizer, net, range(10))
    again = create_adamw(**RATES, epochs=4).from_bytes(optimizer.to_bytes())
    assert change(again, INSIDE) == change(optimizer, INSIDE) > 0


def test_has_what_spacy_train_asks_for() -> None:
    optimizer = create_adamw()
    assert isinstance(optimizer, ThincOptimizer)
    assert create_adamw(use_averages=False).averages is None
    assert not optimizer.averages, "so spaCy does not ask for averages before there are some"
    optimizer.step_schedules()
    optimizer.last_score = 0.5
    with spacy.blank("en").use_params(optimizer.averages):
        pass


def test_is_found_by_its_registered_name() -> None:
    text = '[optimizer]\n@optimizers = "spacy-bispn.AdamW.v1"\nencoder_rate = 2e-5\nepochs = 75\n'
    optimizer = spacy.registry.resolve(Config().from_str(text))["optimizer"]
    assert isinstance(optimizer, AdamW)
    assert (optimizer.encoder_rate, optimizer.learn_rate, optimizer.epochs) == (2e-5, 4e-4, 75)


def test_a_variable_that_nobody_filled_in_leaves_the_rates_constant_and_says_so() -> None:
    expected = r"epochs is \$\{training.max_epochs\}, expected a number.*pass an optimizer of your own"
    optimizer, net = create_adamw(epochs="${training.max_epochs}"), make_net()
    backward(net)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what was trained before does not need to know
        optimizer.step_module("trained", net, 3.0, since=2.0)
    backward(net)
    with pytest.warns(UserWarning, match=expected):
        optimizer.step_module("new", net, 0.1)
    assert optimizer.epochs is None
    assert optimizer.rates(0) == optimizer.rates(1000) == {"encoder": 1e-4, "decoder": 4e-4}


@pytest.mark.parametrize(
    ("setting", "value", "expected", "advice"),
    [
        ("decoder_rate", 1e300, "0 to 1", "0.0004"),
        ("encoder_rate", "1e-4", "0 to 1", "0.0001"),
        ("epochs", "10", "above 0) or null", "null"),
        ("warmup", 1.0, "0 to below 1", "0.1"),
        ("eps", 1e-300, "1e-30 to 1", "1e-08"),
    ],
)
def test_unusable_settings_are_refused(setting: str, value: float, expected: str, advice: str) -> None:
    with pytest.raises(SettingError) as caught:
        create_adamw(**{setting: value})
    assert str(caught.value).startswith(f"{setting} is {value!r}, expected a number (")
    assert expected in caught.value.expected and caught.value.advice == f"the default is {advice}"


@pytest.mark.slow
def test_is_not_slower_than_torch() -> None:
    ours, theirs = (
        torch.nn.ModuleDict({"encoder": torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(100)))})
        for _ in range(2)
    )
    optimizer, reference = create_adamw(), torch.optim.AdamW(theirs.parameters())

    def reference_step() -> None:
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        reference.step()
        reference.zero_grad()

    def seconds(module: torch.nn.Module, step: Any) -> float:
        for param in module.parameters():
            param.grad = torch.full_like(param, 0.01)
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    pairs = [
        (seconds(ours, lambda: optimizer.step_module(1, ours, 0.0)), seconds(theirs, reference_step))
        for _ in range(15)
    ]
    our_median, their_median = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert our_median < 2 * their_median

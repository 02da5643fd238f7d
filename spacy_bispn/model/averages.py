"""Averages of the weights of a training, and their use in place of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor
from torch.nn import Module
from torch.optim.swa_utils import get_ema_multi_avg_fn

ETA = 8  # 1 - 0.9 ** (ETA + 1), which is 61 %, of an average is of the last tenth of its steps


def average(averages: list[Tensor], weights: list[Tensor], step: int) -> None:
    """Take the weights after a step, counted from 1, into their averages: polynomial-decay averaging.

    After t steps the weights of step i have a share that grows as (i / t) ** ETA, however long the training
    is. Source: Shamir and Zhang, Stochastic Gradient Descent for Non-smooth Optimization, ICML 2013.
    """
    get_ema_multi_avg_fn(1 - (ETA + 1) / (ETA + step))(averages, weights, None)


class StandIns:
    """Other values that stand in for weights of a network, one set at a time."""

    def __init__(self) -> None:
        self._own: list[tuple[Tensor, Tensor]] = []

    @contextmanager
    def use(self, network: Module, values: Mapping[str, Tensor]) -> Iterator[None]:
        """A context in which weights have other values; those of another shape are left alone."""
        self.put_back()
        own: list[tuple[Tensor, Tensor]] = []
        for name, weight in network.named_parameters():
            if name in values and values[name].shape == weight.shape:
                own.append((weight, weight.data))
                weight.data = values[name].to(weight.device)
        self._own = own
        try:
            yield
        finally:
            if self._own is own:  # else a later context has put them back
                self.put_back()

    def put_back(self) -> None:
        """Give the weights their own values, also where an exception has kept a context from its end."""
        for weight, values in self._own:
            weight.data = values
        self._own = []

"""Dropout that costs little on a CPU, where drawing a random number for every state is slow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STEPS = 2**8  # one byte of a random 64-bit number decides on one state


class Dropout(nn.Dropout):
    """torch's dropout, but with one random number for eight states on a CPU.

    There the probability is rounded to 1 / 256, and the scale follows it, so that the mean is kept.
    """

    def forward(self, states: Tensor) -> Tensor:
        """Shape: any -> the same."""
        kept = round((1 - self.p) * STEPS)
        if not self.training or states.device.type != "cpu" or not 0 < kept < STEPS:
            return super().forward(states)
        # converted to the dtype of the states first: comparing bytes is slow
        scale = draw(states).to(states.dtype).lt_(kept - STEPS // 2).mul_(STEPS / kept)
        return states * scale


def draw(like: Tensor) -> Tensor:
    """Random integers from -128 to 127, uniformly. Shape: that of `like`, any -> the same."""
    numbers = torch.empty(-(-like.numel() // 8), dtype=torch.long, device=like.device).random_(-(2**63), None)
    return numbers.view(torch.int8)[: like.numel()].view(like.shape)


def replace_dropout(model: nn.Module) -> nn.Module:
    """Replace all dropout layers inside a model by this kind, in place."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
    return model

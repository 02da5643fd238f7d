"""Dropout that costs little on a processor, where drawing a number for every state is slow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STEPS = 2**8  # one byte of a random 64-bit number decides on one state


class Dropout(nn.Dropout):
    """torch's dropout, but that one random number serves eight states on a processor.

    There the share is rounded to 1 / 256, and so is the scale, so that means stay what they are.
    """

    def forward(self, states: Tensor) -> Tensor:
        """Shape: any -> the same."""
        kept = round((1 - self.p) * STEPS)
        if not self.training or states.device.type != "cpu" or not 0 < kept < STEPS:
            return super().forward(states)
        # numbers first become those of the states: comparing bytes is slow
        scale = draw(states).to(states.dtype).lt_(kept - STEPS // 2).mul_(STEPS / kept)
        return states * scale


def draw(like: Tensor) -> Tensor:
    """Whole numbers from -128 to 127, all equally likely, in the shape of `like`."""
    numbers = torch.empty(-(-like.numel() // 8), dtype=torch.long, device=like.device).random_(-(2**63), None)
    return numbers.view(torch.int8)[: like.numel()].view(like.shape)


def replace_dropout(model: nn.Module) -> nn.Module:
    """Have all dropout layers inside a model be of this kind."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
    return model

"""Scores of pairs, for pointers (eq 4), links (eq 23-25) and proposals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spacy_bispn.nn.packing import States, padded, through

# Numbers that are worked on at once: what a core's cache holds, and on a GPU what is worth its start.
AT_ONCE = {"cpu": 2**18, "cuda": 2**26}


class Biaffine(nn.Module):
    """Scores every pair by a product of two projections. The matrix of a biaffine layer for links (eq 23-25)
    is part of the projections.
    """

    def __init__(self, left: int, right: int, width: int, channels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.left = nn.Linear(left, width * channels)
        self.right = nn.Linear(right, width * channels)

    def forward(self, left: States, right: States) -> Tensor:
        """Shape: (B, N, left), (B, M, right), padded or packed -> (B, channels, N, M)."""
        a, b = (by_channel(x, self.channels) for x in projected(self.left, left, self.right, right))
        scores: Tensor = a @ b.transpose(-1, -2) / math.sqrt(a.shape[-1])
        return scores


class Additive(nn.Module):
    """Scores every pair by Linear(ReLU(Linear(left) + Linear(right))), each channel with its own three layers
    (eq 4).
    """

    def __init__(self, left: int, right: int, width: int, channels: int = 1) -> None:
        super().__init__()
        self.left = nn.Linear(left, width * channels)
        self.right = nn.Linear(right, width * channels)
        self.weight = nn.Parameter(torch.empty(channels, width))
        self.bias = nn.Parameter(torch.empty(channels))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -(width**-0.5), width**-0.5)  # as in a linear layer

    def forward(self, left: States, right: States) -> Tensor:
        """Shape: (B, N, left), (B, M, right), padded or packed -> (B, channels, N, M); summed in 32 bits at
        least.
        """
        a, b = (by_channel(x, len(self.weight)) for x in projected(self.left, left, self.right, right))
        wide = torch.promote_types(self.weight.dtype, torch.promote_types(a.dtype, torch.float32))
        with torch.autocast(a.device.type, enabled=False):
            scores: Tensor = _ReluOfSum.apply(  # type: ignore[no-untyped-call]
                a.to(wide).flatten(0, 1), b.to(wide).flatten(0, 1), self.weight.to(wide).repeat(len(a), 1)
            )
            return scores.view(*a.shape[:2], *scores.shape[1:]) + self.bias.to(wide)[:, None, None]


def projected(to_left: nn.Module, left: States, to_right: nn.Module, right: States) -> tuple[Tensor, Tensor]:
    """Both sides through their layers. Shape: (B, N, left), (B, M, right), padded or packed -> padded."""
    return padded(through(to_left, left)), padded(through(to_right, right))


def by_channel(states: Tensor, channels: int) -> Tensor:
    """Shape: (B, N, channels * d) -> (B, channels, N, d)."""
    parts: Tensor = states.unflatten(-1, (channels, -1))
    return parts.transpose(1, 2)


class _ReluOfSum(torch.autograd.Function):
    """weight . relu(a + b) of every pair, a few pairs at a time, and once more on the way back: all sums at
    once would be the largest tensor of the network by far, and checkpoints around a few make a step slower.
    """

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, weight: Tensor) -> Tensor:
        """Shape: (G, N, d), (G, M, d), (G, d) -> (G, N, M)."""
        ctx.save_for_backward(left, right, weight)
        scores = left.new_empty(*left.shape[:2], right.shape[1])
        for groups, rows, sums in _sums(left, right):
            flat = sums.relu_().flatten(1, 2) @ weight[groups, :, None]
            scores[groups, rows] = flat.view(sums.shape[:3])
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The slope of each number is 1 or 0, so the weight may be applied after the slopes are added up."""
        left, right, weight = ctx.saved_tensors
        to_left, to_right = torch.empty_like(left), torch.zeros_like(right)
        for groups, rows, sums in _sums(left, right):
            part, slope = gradients[0][groups, rows], sums.gt_(0)
            to_left[groups, rows] = (part[:, :, None] @ slope)[:, :, 0]
            to_right[groups] += slope.mul_(part[..., None]).sum(1)
        to_weight = (to_left * left).sum(1) + (to_right * right).sum(1)
        return to_left * weight[:, None], to_right * weight[:, None], to_weight


def _sums(left: Tensor, right: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """a + b of some groups and some of their rows after another.

    Shape: (G, N, d), (G, M, d) -> slices of G and N, with (g, n, M, d).
    """
    pairs = AT_ONCE.get(left.device.type, AT_ONCE["cpu"]) // max(right.shape[1] * right.shape[2], 1)
    rows = min(max(pairs, 1), max(left.shape[1], 1))
    groups = max(pairs // max(left.shape[1], 1), 1)
    for group in range(0, left.shape[0], groups):
        for row in range(0, left.shape[1], rows):
            where = slice(group, group + groups), slice(row, row + rows)
            yield *where, left[where][:, :, None] + right[where[0], None]


SCORERS: dict[str, type[Biaffine] | type[Additive]] = {"biaffine": Biaffine, "additive": Additive}

"""Scores of pairs, for pointers (eq 4-5), links (eq 23-26) and proposals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

FURTHEST = 20.0  # from 0; the product of two such e^2x is a number and above 0
# Numbers that are worked on at once: what a core's cache holds, and on a GPU what is worth its start.
AT_ONCE = {"cpu": 2**18, "cuda": 2**26}


class Biaffine(nn.Module):
    """Scores every pair by a product of two projections."""

    def __init__(self, left: int, right: int, width: int, channels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.left = nn.Linear(left, width * channels)
        self.right = nn.Linear(right, width * channels)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Shape: (B, N, left), (B, M, right) -> (B, channels, N, M)."""
        a = self.left(left).unflatten(-1, (self.channels, -1)).transpose(1, 2)
        b = self.right(right).unflatten(-1, (self.channels, -1)).transpose(1, 2)
        scores: Tensor = a @ b.transpose(-1, -2) / math.sqrt(a.shape[-1])
        return scores


class Additive(nn.Module):
    """Scores every pair by a one-layer perceptron over the sum of two projections, as eq 4 prints it."""

    def __init__(self, left: int, right: int, width: int, channels: int = 1) -> None:
        super().__init__()
        self.left = nn.Linear(left, width)
        self.right = nn.Linear(right, width)
        self.score = TanhOfSum(width, channels)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Shape: (B, N, left), (B, M, right) -> (B, channels, N, M)."""
        scores: Tensor = self.score(self.left(left), self.right(right))
        return scores


class TanhOfSum(nn.Module):
    """weight . tanh(a + b) of every pair, made from the exponentials of a and b alone.

    tanh(a + b) = 1 - 2 / (1 + e^2a e^2b): what is done for N * M pairs is one product and one division. On
    a GPU, and where a part is so far from 0 that its exponential is none, the sums themselves are taken.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, width))
        nn.init.uniform_(self.weight, -(width**-0.5), width**-0.5)  # as in a linear layer

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Shape: (B, N, d), (B, M, d) -> (B, channels, N, M); computed in 32 bits at least."""
        wide = torch.promote_types(self.weight.dtype, torch.promote_types(left.dtype, torch.float32))
        with torch.autocast(left.device.type, enabled=False):
            scores: Tensor = _TanhOfSum.apply(  # type: ignore[no-untyped-call]
                left.to(wide), right.to(wide), self.weight.to(wide)
            )
        return scores.movedim(-1, 1)


class _TanhOfSum(torch.autograd.Function):
    """The pairs a few at a time, and once more on the way back: all of them at once would be the largest
    tensor of the network by far.
    """

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, weight: Tensor) -> Tensor:
        """Shape: (B, N, d), (B, M, d), (C, d) -> (B, N, M, C)."""
        ctx.save_for_backward(left, right, weight)
        scores = left.new_empty(*left.shape[:2], right.shape[1], len(weight))
        down = weight.T.contiguous()
        for texts, rows, share in _shares(left, right):
            scores[texts, rows] = share @ down
        return weight.sum(1) - 2 * scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """With s = 1 / (1 + e^2a e^2b), the derivative of tanh(a + b) is 4 s (1 - s)."""
        left, right, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_left, to_right = torch.empty_like(left), torch.zeros_like(right)
        to_weight = torch.zeros_like(weight)
        for texts, rows, share in _shares(left, right):
            part = gradient[texts, rows]
            to_weight -= 2 * part.flatten(0, 2).T @ share.flatten(0, 2)
            slope = (part @ weight).mul_(share.addcmul_(share, share, value=-1))
            to_left[texts, rows] = 4 * slope.sum(2)
            to_right[texts] += 4 * slope.sum(1)
        return to_left, to_right, to_weight + gradient.sum((0, 1, 2))[:, None]


def _shares(left: Tensor, right: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """1 / (1 + e^2a e^2b) of some texts and some of their rows after another.

    Shape: (B, N, d), (B, M, d) -> slices of B and N, with (b, n, M, d).
    """
    near = left.device.type == "cpu" and all(bool((side.abs() < FURTHEST).all()) for side in (left, right))
    a, b = ((2 * side).exp() for side in (left, right)) if near else (left, right)
    pairs = AT_ONCE.get(left.device.type, AT_ONCE["cpu"]) // max(right.shape[1] * right.shape[2], 1)
    rows = min(max(pairs, 1), max(left.shape[1], 1))
    texts = max(pairs // max(left.shape[1], 1), 1)
    for text in range(0, left.shape[0], texts):
        for row in range(0, left.shape[1], rows):
            where = slice(text, text + texts), slice(row, row + rows)
            one, other = a[where][:, :, None], b[where[0], None]
            share = (one * other).add_(1).reciprocal_() if near else ((one + other) * -2).sigmoid_()
            yield *where, share


SCORERS: dict[str, type[Biaffine] | type[Additive]] = {"biaffine": Biaffine, "additive": Additive}

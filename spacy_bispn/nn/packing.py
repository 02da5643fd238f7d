"""The real rows of a padded batch, for layers that work on each row by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# torch's attention takes so many keys at once on a CPU; where some are left over it is half as fast
ALIGNED = 16


@dataclass(frozen=True, eq=False)
class PackedRows:
    """Where the real rows of a padded batch are.

    Texts differ much in their length and in their number of queries: much of a batch is padding. A CPU leaves
    it out; a GPU computes it in less time than it takes to leave it out.
    Shape: mask (B, N) bool, true for the real rows; index (R,) long, the place of each row in the flattened
    (B, N); row (B, N) long, the row at each place, some other row where there is none.

    full: whether every place has its row, in this order, so that nothing need be moved.
    """

    mask: Tensor
    index: Tensor
    row: Tensor
    full: bool

    @classmethod
    def of(cls, mask: Tensor) -> PackedRows:
        """The rows where `mask` is true, on a GPU all of them. Shape: mask (B, N) bool."""
        if mask.is_cuda:
            return cls.everywhere(mask)
        index = mask.flatten().nonzero()[:, 0]
        row = (mask.flatten().cumsum(0) - 1).clamp(min=0).view(mask.shape)
        return cls(mask, index, row, full=len(index) == mask.numel())

    @classmethod
    def everywhere(cls, mask: Tensor) -> PackedRows:
        """All rows, padding too. Shape: mask (B, N) bool."""
        index = torch.arange(mask.numel(), device=mask.device)
        return cls(mask, index, index.view(mask.shape), full=True)

    @classmethod
    def joined(cls, *parts: PackedRows) -> PackedRows:
        """The rows of some kinds, one kind behind the other, where a batch has all kinds side by side.

        Shape: masks (B, N) each -> (B, the sum of all N).
        """
        mask = torch.cat([part.mask for part in parts], dim=1)
        index, row, places, rows = [], [], 0, 0
        for part in parts:
            width = part.mask.shape[1]
            index.append(part.index // width * mask.shape[1] + part.index % width + places)
            row.append(part.row + rows)
            places, rows = places + width, rows + len(part)
        # a kind without any row has none that could stand for padding
        return cls(mask, torch.cat(index), torch.cat(row, dim=1).clamp(max=max(rows - 1, 0)), full=False)

    def __len__(self) -> int:
        return len(self.index)

    def repeated(self, times: int) -> PackedRows:
        """The rows of the batch repeated `times` times. Shape: mask (B, N) -> (times * B, N)."""
        return self if times == 1 else PackedRows.of(self.mask.repeat(times, 1))

    @cached_property
    def aligned(self) -> PackedRows:
        """The same rows with the padding that attention wants. Shape: mask (B, N) -> (B, a multiple)."""
        width = self.mask.shape[1]
        lacking = 0 if self.mask.is_cuda else -width % ALIGNED
        if not lacking:
            return self
        mask, row = F.pad(self.mask, (0, lacking)), F.pad(self.row, (0, lacking))
        return PackedRows(mask, self.index + self.index // width * lacking, row, full=False)

    @cached_property
    def bias(self) -> Tensor:
        """The attention bias of the rows as keys. Shape: (B, 1, 1, N)."""
        return attention_bias(self.mask)

    def pack(self, padded: Tensor) -> Tensor:
        """Shape: (B, N, d) -> (R, d)."""
        flat = padded.flatten(0, 1)
        return flat if self.full else flat.index_select(0, self.index)

    def pad(self, rows: Tensor) -> Tensor:
        """Shape: (R, d) -> (B, N, d), with any finite numbers where `mask` is false."""
        if not len(rows):
            return rows.new_zeros(*self.mask.shape, rows.shape[-1])
        flat = rows if self.full else rows.index_select(0, self.row.flatten())
        padded: Tensor = flat.unflatten(0, self.mask.shape)
        return padded


class Packed(NamedTuple):
    """States of the real rows of a batch. Shape: states (R, d) of (B, N, d)."""

    states: Tensor
    rows: PackedRows

    @classmethod
    def joined(cls, *parts: Packed) -> Packed:
        """Some kinds side by side, see `PackedRows.joined`."""
        return cls(torch.cat([part.states for part in parts]), PackedRows.joined(*(x.rows for x in parts)))

    @property
    def padded(self) -> Tensor:
        """Shape: (B, N, d)."""
        return self.rows.pad(self.states)

    def of_texts(self, texts: Tensor) -> Packed:
        """The rows of some texts; on a GPU, which computes padding, all rows. Shape: texts (B,) bool."""
        if texts.is_cuda or texts.all():
            return self
        rows = PackedRows.of(self.rows.mask & texts[:, None])
        return Packed(self.states.index_select(0, self.rows.row.flatten()[rows.index]), rows)

    def select(self, index: Tensor, mask: Tensor) -> Packed:
        """Some rows of each text. Shape: index (B, K) into N, mask (B, K) -> states of (B, K, d)."""
        rows = PackedRows.of(mask)
        chosen = rows.pack(self.rows.row.gather(1, index)[..., None])[:, 0]
        return Packed(self.states.index_select(0, chosen), rows)


States = Tensor | Packed  # padded or packed


@overload
def through(layer: nn.Module, states: Packed) -> Packed: ...
@overload
def through(layer: nn.Module, states: States) -> States: ...
def through(layer: nn.Module, states: States) -> States:
    """What a layer that works on each row by itself makes of all rows. Shape: (B, N, d) or packed."""
    if isinstance(states, Packed):
        return Packed(layer(states.states), states.rows)
    made: Tensor = layer(states)
    return made


def padded(states: States) -> Tensor:
    """Shape: (B, N, d) or packed -> (B, N, d)."""
    return states.padded if isinstance(states, Packed) else states


def attention_bias(mask: Tensor) -> Tensor:
    """What is added to the scores of keys: 0 where `mask` is true, minus infinity elsewhere.

    A text without any key attends to all of them, so that nothing is NaN. Shape: (B, K) bool -> (B, 1, 1, K).
    """
    keys = (mask | ~mask.any(dim=-1, keepdim=True))[:, None, None, :]
    return torch.zeros(keys.shape, device=mask.device).masked_fill_(~keys, -torch.inf)

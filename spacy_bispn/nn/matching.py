"""Hungarian matching of queries with gold (the costs are in losses.py); the only user of scipy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


class Match(NamedTuple):
    """Which query answers for which gold item. Shape: three index vectors of one length (long).

    `surplus` counts the gold items that found no query.
    """

    text: Tensor
    query: Tensor
    gold: Tensor
    surplus: int


def match(costs: list[Tensor], query_masks: list[Tensor], gold_masks: list[Tensor]) -> list[Match]:
    """Solve every assignment problem of a batch; one transfer from the device for all of them.

    Shape: each cost (B, Q, N), query mask (B, Q), gold mask (B, N).
    """
    tensors = (*costs, *query_masks, *gold_masks)
    packed = torch.cat([x.detach().float().flatten() for x in tensors]).cpu()
    parts = packed.split([x.numel() for x in tensors])
    shaped = [part.view(x.shape).numpy() for part, x in zip(parts, tensors, strict=True)]
    size = len(costs)
    triples = zip(shaped[:size], shaped[size : 2 * size], shaped[2 * size :], strict=True)
    return [_solve(*triple, device=costs[0].device) for triple in triples]


def _solve(cost: np.ndarray, queries: np.ndarray, gold: np.ndarray, device: torch.device) -> Match:
    cost = np.nan_to_num(cost, nan=1e6, posinf=1e6, neginf=-1e6)
    found: list[np.ndarray] = []
    surplus = 0
    for text in range(len(cost)):
        rows, columns = np.flatnonzero(queries[text]), np.flatnonzero(gold[text])
        at_row, at_column = linear_sum_assignment(cost[text][np.ix_(rows, columns)])
        found.append(np.stack([np.full_like(at_row, text), rows[at_row], columns[at_column]]))
        surplus += len(columns) - len(at_column)
    index = np.concatenate(found, axis=1) if found else np.zeros((3, 0))
    texts, matched, items = torch.from_numpy(index.astype(np.int64)).to(device)
    return Match(texts, matched, items, surplus)

"""8 bits instead of 32 for prediction on a CPU."""

from __future__ import annotations

import warnings
from copy import deepcopy

import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic

from .network import Network


def in_int8(network: Network) -> Network:
    """A twin for prediction on a CPU, whose linear layers multiply integers of 8 bits.

    Their weights are rounded once and their inputs in each batch, by the largest in it, so that an answer
    depends a little on the texts beside it, and what tokens become in the shared decoder on the queries.
    All other weights are shared with `network`.
    """
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    with warnings.catch_warnings():  # torch moves this into a package of its own, which needs a compiler
        warnings.simplefilter("ignore")
        twin = quantize_dynamic(deepcopy(network, shared), {nn.Linear}, torch.qint8, inplace=True)
    assert isinstance(twin, Network)
    return twin.eval()

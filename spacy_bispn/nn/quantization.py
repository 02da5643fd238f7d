"""int8 instead of 32 bits for prediction on a CPU."""

from __future__ import annotations

import warnings
from copy import deepcopy

import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic

from spacy_bispn.nn.network import Network


def quantize(network: Network) -> Network:
    """A copy for prediction on a CPU, whose linear layers multiply 8-bit integers.

    Their weights are rounded once and their inputs in each batch, scaled by its largest. So an answer depends
    a little on the texts in its batch, and the tokens in the shared decoder on the queries.
    All other weights are shared with `network`.
    """
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    with warnings.catch_warnings():  # torch moves this into a package of its own, which needs a compiler
        warnings.simplefilter("ignore")
        quantized: Network = quantize_dynamic(
            deepcopy(network, shared), {nn.Linear}, torch.qint8, inplace=True
        )
    return quantized.eval()

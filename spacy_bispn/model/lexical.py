"""The lexical attributes of the words in a window, as keys of hashed embeddings."""

from collections.abc import Sequence

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import NumpyOps
from torch import Tensor

from spacy_bispn.model.windowing import Window

ATTRIBUTES = ("NORM", "PREFIX", "SUFFIX", "SHAPE")
KEYS = 4  # of each value: thinc hashes a number to so many


def lexical_keys(docs: Sequence[Doc], windows: Sequence[Window], like: Tensor) -> Tensor:
    """Keys of the word that each position is in; 0 where there is none, as in special pieces and context.

    Shape: like (B, P), of the windows -> (B, P, attributes, KEYS) long, on its device.
    """
    keys = np.zeros((*like.shape, len(ATTRIBUTES), KEYS), dtype=np.int64)
    for row, window in enumerate(windows):
        doc = docs[window.text]
        places = np.flatnonzero(window.start >= 0)
        starts = np.array([token.idx for token in doc])
        words = np.searchsorted(starts, window.start[places], side="right") - 1
        values = doc.to_array(list(ATTRIBUTES)).reshape(-1, len(ATTRIBUTES))
        hashed = [NumpyOps().hash(np.ascontiguousarray(x), seed) for seed, x in enumerate(values.T)]
        keys[row, places] = np.stack(hashed, axis=1)[words]
    return torch.from_numpy(keys).to(like.device)

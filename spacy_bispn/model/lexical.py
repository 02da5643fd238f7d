"""The lexical attributes of the words in some windows, as keys of hashed embeddings."""

from collections.abc import Sequence

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import NumpyOps
from torch import Tensor

from spacy_bispn.model.windowing import Window
from spacy_bispn.nn.shapes import Words

ATTRIBUTES = ("NORM", "PREFIX", "SUFFIX", "SHAPE")
KEYS = 4  # of each value: thinc hashes a number to so many


def words_of(docs: Sequence[Doc], windows: Sequence[Window], like: Tensor) -> Words:
    """The word that each position is in; words that are alike are one, so that each is computed once.

    Shape: like (B, P), of the windows, on whose device the words will be.
    """
    values, places = [], []
    for row, window in enumerate(windows):
        doc = docs[window.text]
        columns = np.flatnonzero(window.start >= 0)
        starts = np.array([token.idx for token in doc])
        tokens = np.searchsorted(starts, window.start[columns], side="right") - 1
        values.append(doc.to_array(list(ATTRIBUTES)).reshape(-1, len(ATTRIBUTES))[tokens])
        places.append((np.full_like(columns, row), columns))
    different, which = np.unique(np.concatenate(values), axis=0, return_inverse=True)
    index = np.zeros(like.shape, dtype=np.int64)
    rows, columns = (np.concatenate(x) for x in zip(*places, strict=True))
    index[rows, columns] = which.reshape(-1)  # numpy 2.0 gives a column
    hashed = [NumpyOps().hash(np.ascontiguousarray(x), seed) for seed, x in enumerate(different.T)]
    keys = np.stack(hashed, axis=1).astype(np.int64)
    return Words(*(torch.from_numpy(x).to(like.device) for x in (keys, index)))

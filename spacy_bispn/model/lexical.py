"""The lexical attributes of the words in some windows, as keys of hashed embeddings."""

from collections.abc import Sequence

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import NumpyOps
from torch import Tensor

from spacy_bispn.model.windowing import Ints, Window
from spacy_bispn.nn.shapes import Words

ATTRIBUTES = ("NORM", "PREFIX", "SUFFIX", "SHAPE")  # NORM first: see `Words.norms`
KEYS = 4  # of each value: thinc hashes a number to so many


class DocWords:
    """The words of some Docs. Each Doc is looked through once, however many windows it has."""

    def __init__(self, docs: Sequence[Doc]) -> None:
        self._docs = docs
        self._known: dict[int, tuple[Ints, np.ndarray]] = {}

    def of(self, windows: Sequence[Window], like: Tensor) -> Words:
        """The word that each position is in; words that are alike are one, so that each is computed once.

        Shape: like (B, P), of the windows, on whose device the words will be.
        """
        values, places = [], []
        begins, ends = (np.zeros(like.shape, dtype=bool) for _ in range(2))
        for row, window in enumerate(windows):
            starts, attributes = self._attributes(window.text)
            columns = np.flatnonzero(window.start >= 0)
            token = np.searchsorted(starts, window.start[columns], side="right") - 1
            values.append(attributes[token])
            places.append((np.full_like(columns, row), columns))
            begins[row, columns] = np.diff(token, prepend=-1) != 0
            ends[row, columns] = np.diff(token, append=-1) != 0
        different, which = np.unique(np.concatenate(values), axis=0, return_inverse=True)
        number = np.zeros(like.shape, dtype=np.int64)
        rows, columns = (np.concatenate(x) for x in zip(*places, strict=True))
        number[rows, columns] = which.reshape(-1)  # numpy 2.0 gives a column
        hashed = [NumpyOps().hash(np.ascontiguousarray(x), seed) for seed, x in enumerate(different.T)]
        keys = np.stack(hashed, axis=1).astype(np.int64)
        return Words(*(torch.from_numpy(x).to(like.device) for x in (keys, number, begins, ends)))

    def _attributes(self, text: int) -> tuple[Ints, np.ndarray]:
        """Where the tokens of a Doc start, and their attributes. Shape: (N,), (N, attributes)."""
        if text not in self._known:
            doc = self._docs[text]
            starts = np.array([token.idx for token in doc])
            self._known[text] = starts, doc.to_array(list(ATTRIBUTES)).reshape(-1, len(ATTRIBUTES))
        return self._known[text]

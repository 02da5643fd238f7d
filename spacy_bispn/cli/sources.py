"""What the commands share: which corpus, in which format, which part of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..converters import Conversion, get_format
from ..converters.spert import read_fold
from ..records import AnnotatedText


def read_source(path: Path, form: str, splits: Path | None, fold: int, part: str) -> Conversion:
    """Read a corpus file; with `splits`, one part ("train" or "test") of one of its folds.

    Raises ValueError for an unknown format or part, ConversionError for malformed input.
    """
    if splits is None:
        return get_format(form)(path)
    if form != "spert":
        raise ValueError(f"folds were given with the format {form!r}, expected 'spert': leave out --splits.")
    if part not in ("train", "test"):
        raise ValueError(f"the part is {part!r}, expected 'train' or 'test': correct --part.")
    return read_fold(path, splits, fold, "train" if part == "train" else "test")


def hold_out(
    texts: Sequence[AnnotatedText], share: float, seed: int
) -> tuple[list[AnnotatedText], list[AnnotatedText]]:
    """A random share of the texts to choose models by, and the rest to train on: (rest, held out).

    Raises ValueError unless the share lies between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share held out is {share}, expected one between 0 and 1: 0.1 is usual.")
    count = min(max(round(share * len(texts)), 1), len(texts))  # at least one, to choose models by
    chosen = set(random.Random(seed).sample(range(len(texts)), count))
    rest = [text for index, text in enumerate(texts) if index not in chosen]
    return rest, [text for index, text in enumerate(texts) if index in chosen]


def unlabelled(nlp: Language, text: AnnotatedText) -> Doc:
    """A Doc without annotation; the corpus's own tokens where it prescribes them."""
    return nlp.make_doc(text.text) if text.words is None else Doc(nlp.vocab, words=list(text.words))

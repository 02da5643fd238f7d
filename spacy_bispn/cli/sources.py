"""What the commands share: which corpus, in which format, which part of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from ..converters import Conversion, Rules, detect, get_format
from ..converters.spert import read_fold
from ..records import AnnotatedText

AUTO = "auto"


def read_source(
    path: Path,
    form: str,
    splits: Path | None = None,
    fold: int = 0,
    part: str = "train",
    level: str | None = None,
    **rules: Unpack[Rules],
) -> Conversion:
    """Read a corpus file; with `splits`, one part ("train" or "test") of one of its folds.

    form: a format, or "auto" for the one that the file's content fits. level: "sentence" or "document",
    for the format "dygie".

    Raises ValueError for an unknown format, part or level, ConversionError for malformed input and
    where no text is left.
    """
    form = detect(path) if form == AUTO else form
    for option, value, owner in (("--splits", splits, "spert"), ("--level", level, "dygie")):
        if value is not None and form != owner:
            raise ValueError(
                f"{option} was given with the format {form!r}, expected {owner!r}: leave out {option}."
            )
    if part not in ("train", "test"):
        raise ValueError(f"the part is {part!r}, expected 'train' or 'test': correct --part.")
    if splits is not None:
        conversion = read_fold(path, splits, fold, "train" if part == "train" else "test", **rules)
    elif level is not None:
        conversion = get_format(form)(path, level=level, **rules)
    else:
        conversion = get_format(form)(path, **rules)
    if not conversion.texts:
        first = "".join(f" First error: {error}" for error in conversion.report.errors[:1])
        raise ValueError(f"{path}: {conversion.report}; expected at least one text.{first}")
    return conversion


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

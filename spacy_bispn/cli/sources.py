"""What the commands share: which corpus, in which format, which part of it, and what is predicted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from spacy.language import Language
from spacy.training import Example

from ..converters import Conversion, Rules, detect, get_format
from ..converters.spert import read_fold
from ..corpora import bare, create_reader, to_doc
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


def predict_docs(nlp: Language, path: Path, limit: int = 0) -> list[Example]:
    """The Docs of `.spacy` files, at most `limit` unless that is 0, and what is predicted for them."""
    return _predict(nlp, list(create_reader(path, limit=limit)(nlp)))


def predict_texts(nlp: Language, texts: Sequence[AnnotatedText]) -> list[Example]:
    """What is predicted for texts, beside as much of their gold as fits the tokens."""
    gold = (to_doc(nlp, text)[0] for text in texts)
    return _predict(nlp, [Example(bare(nlp, doc), doc) for doc in gold])


def symmetric_labels(nlp: Language) -> tuple[str, ...]:
    """The relation labels that the pipeline holds to have no direction."""
    ours = [nlp.get_pipe(name) for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == "bispn"]
    return tuple(dict.fromkeys(label for pipe in ours for label in pipe.cfg["symmetric_labels"]))


def _predict(nlp: Language, examples: list[Example]) -> list[Example]:
    docs = nlp.pipe(example.predicted for example in examples)
    for example, doc in zip(examples, docs, strict=True):
        example.predicted = doc
    return examples

"""What the commands share: which corpus, in which format, which part of it, and what is predicted."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import spacy
from spacy.language import Language
from spacy.training import Example

from ..converters import FORMATS, Conversion, ConversionError, Level, Rules, check_choice, detect, get_format
from ..converters.spert import read_fold
from ..corpora import bare, create_reader, starts_in, to_doc
from ..records import AnnotatedText
from .options import AUTO, OWNERS

DOCS = ".spacy"  # what the commands call DocBins, where a format is asked for
PUNCTUATION = "spacy-bispn.PunctuationTokenizer.v1"
SENTENCES = ("dygie",)  # formats whose texts are sentences of documents


def find_format(path: Path, form: str) -> str:
    """The format named; for "auto" the one that the content fits, or `DOCS` where there are `.spacy` files.

    Raises ConversionError unless exactly one format fits.
    """
    if form != AUTO:
        return form
    if path.suffix == DOCS:
        return DOCS
    check_regular(path, "--format auto")
    try:
        return detect(path)
    except ConversionError:
        if path.is_dir() and any(path.glob(f"**/*{DOCS}")):
            return DOCS
        raise


def check_options(form: str, **options: object) -> None:
    """Raise ValueError for an option that was given and that the format does not know."""
    for option, value in options.items():
        owners = OWNERS.get(option, (form,))
        if value and form not in owners:
            expected = "the file of a corpus" if owners == FORMATS else " or ".join(map(repr, owners))
            raise ValueError(
                f"--{option} was given with the format {form!r}, expected {expected}: leave out --{option}."
            )


def check_needed(needed: str, given: object, **options: object) -> None:
    """Raise ValueError for options that were given without the one that they need."""
    alone = [f"--{name}" for name, value in options.items() if value is not None]
    if given is None and alone:
        raise ValueError(f"{alone[0]} was given without {needed}, expected both or neither: add {needed}.")


def check_regular(path: Path, option: str) -> None:
    """Raise ValueError for a pipe, which can be read once, where an option needs to read twice."""
    if not path.is_file() and not path.is_dir():
        raise ValueError(
            f"{path} is a pipe, expected a file or a folder, as {option} reads it twice: save it as a file, "
            f"or leave out {option} and name the format."
        )


def make_tokenizer(lang: str, punctuation: bool = False) -> Language:
    """A pipeline that only makes tokens, of texts of any length: its parser and models are elsewhere.

    Raises ValueError for a language that spaCy does not have, or not without a package of its own.
    """
    config = {"nlp": {"tokenizer": {"@tokenizers": PUNCTUATION}}} if punctuation else {}
    try:
        nlp = spacy.blank(lang, config=config)
    except ImportError as error:
        raise ValueError(
            f"--lang is {lang!r}, expected the code of a language that spaCy has here: correct it, or "
            f"install what it asks for ({error})."
        ) from error
    nlp.max_length = sys.maxsize
    return nlp


def read_source(
    path: Path,
    form: str,
    splits: Path | None = None,
    fold: int | None = None,
    part: str = "train",
    symmetric: Sequence[str] | None = None,
    negative: Sequence[str] | None = None,
    lenient: bool = False,
    take: Callable[[AnnotatedText], object] | None = None,
    level: str | None = None,
    lang: str = "en",
    **settings: str | None,
) -> Conversion:
    """Read a corpus file; with `splits`, one part ("train" or "test") of one of its folds.

    level: whether a text is a sentence or a document; lang: by whose rules sentences are found;
    symmetric, negative, lenient, take: see `Conversion`; settings: what only some formats know, see `OWNERS`.

    Raises ValueError for an unknown format, part or setting, ConversionError for malformed input and
    where no text is left.
    """
    read = get_format(form)
    check_options(form, splits=splits, **settings)
    if part not in ("train", "test"):
        raise ValueError(f"the part is {part!r}, expected 'train' or 'test': correct --part.")
    # Only what was asked for: a format has negative labels of its own.
    rules = Rules(lenient=lenient)
    if symmetric:
        rules["symmetric"] = tuple(symmetric)
    if negative:
        rules["negative"] = tuple(negative)
    if take is not None:
        rules["take"] = take
    if level is not None:
        check_choice("level", level, get_args(Level))
    if form in SENTENCES:
        settings["level"] = level
    elif level == "sentence":
        rules["starts"] = partial(starts_in, make_tokenizer(lang))
    if splits is not None:
        conversion = read_fold(path, splits, fold or 0, "train" if part == "train" else "test", **rules)
    else:
        given = {name: value for name, value in settings.items() if value is not None}
        conversion = read(path, **given, **rules)
    if not conversion.report.texts:
        first = "".join(f" First error: {error}" for error in conversion.report.errors[:1])
        raise ValueError(f"{path}: {conversion.report}; expected at least one text.{first}")
    return conversion


class Documents:
    """Numbers the documents of a corpus, counted from 0; `by_sentences`: each text is a sentence of one."""

    def __init__(self, by_sentences: bool) -> None:
        self.by_sentences = by_sentences
        self.count = 0

    def number(self, text: AnnotatedText) -> int:
        """Whose text this is; texts come in the order of the file."""
        if not self.by_sentences or text.id.endswith(":0"):
            self.count += 1
        return self.count - 1


def held_out(total: int, share: float, seed: int) -> frozenset[int]:
    """The numbers, from 0, of a random share of texts to choose models by, or to test them on.

    Raises ValueError unless the share lies between 0 and 1, and for less than two texts.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share held out is {share}, expected one between 0 and 1: 0.1 is usual.")
    if total < 2:
        raise ValueError(f"there is {total} text, expected at least 2 to hold one out: leave out --dev.")
    count = min(max(round(share * total), 1), total - 1)  # at least one for each side
    return frozenset(random.Random(seed).sample(range(total), count))


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

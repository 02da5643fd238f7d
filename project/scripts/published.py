"""The corpora as published: which file holds which part, how `spacy bispn` reads it, and who scores how."""

from pathlib import Path
from typing import NamedTuple

CORPORA = ("demo", "biorelex", "ade", "text2dt", "scierc", "ace05", "prodigy")

# The options of `spacy bispn convert` that say what a token is.
TOKENS = {"demo": ("--punctuation",), "biorelex": ("--punctuation",), "text2dt": ("--lang", "zh")}

# The conventions of those who score the published test files.
CONVENTIONS = {
    "biorelex": ("strict", "biorelex"),
    "ade": ("strict", "spert", "spert-no-overlapping"),
    "text2dt": ("strict", "text2dt"),
    "scierc": ("strict", "symmetric-twice"),
    "ace05": ("strict", "symmetric-twice"),
}
# Published as one file of lines: a part of them tests, unless test.* stands beside it.
UNSPLIT = {"text2dt": "train_dev.txt", "prodigy": "annotations.jsonl"}
SYMMETRIC = {"scierc": ("COMPARE", "CONJUNCTION"), "ace05": ("PER-SOC",), "prodigy": ("Binds",)}


class Part(NamedTuple):
    """A file, and the options by which `spacy bispn convert` and `evaluate` read a part of it."""

    file: Path
    reading: tuple[str, ...]


def parts(corpus: str, corpora: Path, data: Path, fold: int) -> dict[str, Part]:
    """The parts of a corpus; without "dev", that is held out of "train".

    corpora: the folder with a folder for each corpus; data: the folder of what was made of it.
    """
    source = corpora / corpus
    if corpus == "demo":
        names = ("train", "dev", "test", "unseen")
        return {name: Part(data / "source" / f"{name}.jsonl", ("--format", "jsonl")) for name in names}
    if corpus == "biorelex":
        # the published test file has no gold
        options = ("--format", "biorelex")
        return {"train": Part(source / "train.json", options), "test": Part(source / "dev.json", options)}
    if corpus == "ade":
        return {name: _ade(source, name, fold) for name in ("train", "test")}
    symmetric = (word for label in SYMMETRIC.get(corpus, ()) for word in ("--symmetric", label))
    if corpus in UNSPLIT:
        options = ("--format", corpus, *symmetric)
        train, test = unsplit(corpus, corpora, data)
        return {"train": Part(train, options), "test": Part(test, options)}
    if corpus in ("scierc", "ace05"):
        options = ("--format", "dygie", *symmetric)
        files = {name: Part(source / f"{name}.json", options) for name in ("train", "dev", "test")}
        if not files["test"].file.exists():  # then the development file is what there is to test on
            files["test"] = files.pop("dev")
        return files
    raise ValueError(
        f"the corpus is {corpus!r}, expected one of {', '.join(CORPORA)}: choose one of these, or add its "
        f"files to project/scripts/published.py."
    )


def unsplit(corpus: str, corpora: Path, data: Path) -> tuple[Path, Path]:
    """The files with the lines to train on and those to test on: the publisher's, or those to be made."""
    whole = corpora / corpus / UNSPLIT[corpus]
    published, made = whole.with_stem("test"), data / "source"
    if published.exists():
        return whole, published
    return made / f"train{whole.suffix}", made / published.name


def _ade(source: Path, name: str, fold: int) -> Part:
    """A part of a fold: by splits.json, or from the fold's own file."""
    splits = source / "splits.json"
    if not splits.exists():
        return Part(source / f"ade_split_{fold}_{name}.json", ("--format", "spert"))
    chosen = ("--splits", str(splits), "--fold", str(fold), "--part", name)
    return Part(source / "ade_full.json", ("--format", "spert", *chosen))

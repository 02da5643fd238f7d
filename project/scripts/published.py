"""The corpora as published: which file holds which part, how `spacy bispn` reads it, and who scores how."""

from pathlib import Path
from typing import NamedTuple

CORPORA = ("demo", "biorelex", "ade", "text2dt", "scierc", "ace05")

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
SYMMETRIC = {"scierc": ("COMPARE", "CONJUNCTION"), "ace05": ("PER-SOC",)}


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
    if corpus == "text2dt":
        folder = source if (source / "test.txt").exists() else data / "source"
        train = source / "train_dev.txt" if folder == source else folder / "train.txt"
        options = ("--format", "text2dt")
        return {"train": Part(train, options), "test": Part(folder / "test.txt", options)}
    if corpus in SYMMETRIC:
        symmetric = (word for label in SYMMETRIC[corpus] for word in ("--symmetric", label))
        options = ("--format", "dygie", *symmetric)
        files = {name: Part(source / f"{name}.json", options) for name in ("train", "dev", "test")}
        if not files["test"].file.exists():  # then the development file is what there is to test on
            files["test"] = files.pop("dev")
        return files
    raise ValueError(
        f"the corpus is {corpus!r}, expected one of {', '.join(CORPORA)}: choose one of these, or add its "
        f"files to project/scripts/published.py."
    )


def _ade(source: Path, name: str, fold: int) -> Part:
    """A part of a fold: by splits.json, or from the fold's own file."""
    splits = source / "splits.json"
    if not splits.exists():
        return Part(source / f"ade_split_{fold}_{name}.json", ("--format", "spert"))
    chosen = ("--splits", str(splits), "--fold", str(fold), "--part", name)
    return Part(source / "ade_full.json", ("--format", "spert", *chosen))

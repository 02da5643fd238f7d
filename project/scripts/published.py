"""The corpora as published: their files, how `spacy bispn` reads them, and how their publishers score."""

from pathlib import Path
from typing import NamedTuple

from spacy_bispn.settings import SettingError

CORPORA = ("demo", "biorelex", "ade", "text2dt", "scierc", "ace05", "prodigy")

# The options of `spacy bispn convert` that define tokens.
TOKENS = {"demo": ("--punctuation",), "biorelex": ("--punctuation",), "text2dt": ("--lang", "zh")}

# The conventions of those who score the published test files.
CONVENTIONS = {
    "biorelex": ("strict", "biorelex"),
    "ade": ("strict", "spert", "spert-no-overlapping"),
    "text2dt": ("strict", "text2dt"),
    "scierc": ("strict", "symmetric-twice"),
    "ace05": ("strict", "symmetric-twice"),
}
# Published as one file of lines: a part of them is the test set, unless there is a test.* beside it.
UNSPLIT = {"text2dt": "train_dev.txt", "prodigy": "annotations.jsonl"}
SYMMETRIC = {"scierc": ("COMPARE", "CONJUNCTION"), "ace05": ("PER-SOC",), "prodigy": ("Binds",)}


class Part(NamedTuple):
    """A file, and the options with which `spacy bispn convert` and `evaluate` read a part of it."""

    file: Path
    reading: tuple[str, ...]


def parts(corpus: str, corpora: Path, data: Path, fold: int) -> dict[str, Part]:
    """The parts of a corpus; if there is no "dev", it is held out of "train".

    corpora: the folder with a folder for each corpus. data: the folder of the converted files.
    Raises SettingError for an unknown corpus.
    """
    source = corpora / corpus
    if corpus == "demo":
        names = ("train", "dev", "test", "unseen")
        return {name: Part(data / "source" / f"{name}.jsonl", ("--format", "jsonl")) for name in names}
    if corpus == "biorelex":
        # the published test file has no gold
        options: tuple[str, ...] = ("--format", "biorelex")
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
        if not files["test"].file.exists():  # then the development file is the test file
            files["test"] = files.pop("dev")
        return files
    raise SettingError(
        "the corpus", corpus, f"one of {', '.join(CORPORA)}",
        "choose one of these, or add its files to project/scripts/published.py",
    )  # fmt: skip


def unsplit(corpus: str, corpora: Path, data: Path) -> tuple[Path, Path]:
    """The training and the test file: those published, or those that `prepare` makes."""
    whole = corpora / corpus / UNSPLIT[corpus]
    published, made = whole.with_stem("test"), data / "source"
    if published.exists():
        return whole, published
    return made / f"train{whole.suffix}", made / published.name


def _ade(source: Path, name: str, fold: int) -> Part:
    """A part of a fold: from splits.json, or from a file for each fold."""
    splits = source / "splits.json"
    if not splits.exists():
        return Part(source / f"ade_split_{fold}_{name}.json", ("--format", "spert"))
    chosen = ("--splits", str(splits), "--fold", str(fold), "--part", name)
    return Part(source / "ade_full.json", ("--format", "spert", *chosen))

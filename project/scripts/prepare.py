"""Bring a corpus to corpus/NAME/*.spacy: train, dev (held out of train) and one or more test files."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def convert(source: Path, output: Path, *options: str) -> None:
    """One call of `spacy bispn convert`; its report stands beside its output."""
    report = ["--report", str(output.with_suffix(".json"))]
    command = [sys.executable, "-m", "spacy", "bispn", "convert", str(source), str(output)]
    subprocess.run([*command, *options, *report], check=True)


def demo(source: Path, target: Path, fold: int) -> None:
    """The generated corpus; `unseen` has sentences of templates that training never saw."""
    made = target / "source"
    subprocess.run([sys.executable, "-m", "spacy", "bispn", "demo", str(made)], check=True)
    for part in ("train", "dev", "test", "unseen"):
        convert(made / f"{part}.jsonl", target / f"{part}.spacy", "--punctuation")


def biorelex(source: Path, target: Path, fold: int) -> None:
    """The published dev.json serves as test set; a tenth of train.json as development set."""
    options = ("--format", "biorelex", "--punctuation")
    convert(source / "train.json", target / "train.spacy", *options, "--dev", str(target / "dev.spacy"))
    convert(source / "dev.json", target / "test.spacy", *options)


def ade(source: Path, target: Path, fold: int) -> None:
    """One of the ten folds: by splits.json, or from the fold's own files."""
    splits = source / "splits.json"
    chosen = ("--splits", str(splits), "--fold", str(fold)) if splits.exists() else ()
    for part in ("train", "test"):
        file = source / ("ade_full.json" if chosen else f"ade_split_{fold}_{part}.json")
        held = ("--dev", str(target / "dev.spacy")) if part == "train" else ()
        wanted = ("--part", part) if chosen else ()
        convert(file, target / f"{part}.spacy", "--format", "spert", *chosen, *wanted, *held)


CORPORA = {"demo": demo, "biorelex": biorelex, "ade": ade}


def main(
    corpus: Annotated[str, typer.Argument(help=f"One of {', '.join(CORPORA)}")],
    corpora: Annotated[Path, typer.Argument(help="Folder with a folder for each corpus")],
    fold: Annotated[int, typer.Option(help="Fold of ADE")] = 0,
) -> None:
    """Convert one corpus."""
    if corpus not in CORPORA:
        raise typer.BadParameter(f"{corpus!r} is no known corpus, expected one of {', '.join(CORPORA)}.")
    CORPORA[corpus](corpora / corpus, Path("corpus") / corpus, fold)


if __name__ == "__main__":
    typer.run(main)

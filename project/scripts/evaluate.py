"""Score a trained pipeline on every test file of its corpus; each gives one file in metrics/."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from published import CONVENTIONS, parts


def evaluate(
    corpus: str, corpora: Path, data: Path, model: str, gpu: str, fold: int, metrics: Path
) -> None:
    """spaCy's evaluation of DATA/*.spacy, and the publishers' where the corpus has its own conventions."""
    spacy = [sys.executable, "-m", "spacy"]
    metrics.mkdir(parents=True, exist_ok=True)
    names = {"test": corpus, "unseen": f"{corpus}_unseen"}
    for part, name in names.items():
        docs = data / f"{part}.spacy"
        if docs.exists():
            output = ("--output", str(metrics / f"{name}.json"), "--gpu-id", gpu)
            subprocess.run([*spacy, "evaluate", model, str(docs), *output], check=True)
    if corpus in CONVENTIONS:
        gold = parts(corpus, corpora, data, fold)["test"]
        options = [word for name in CONVENTIONS[corpus] for word in ("--convention", name)]
        options += ["--output", str(metrics / f"{corpus}_published.json"), "--gpu-id", gpu]
        if corpus == "biorelex":
            options += ["--predictions", str(metrics / "biorelex_predictions.json")]
        report = [*spacy, "bispn", "evaluate", model, str(gold.file), *gold.reading]
        subprocess.run([*report, *options], check=True)


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    corpora: Annotated[Path, typer.Argument(help="Folder with a folder for each corpus, as published")],
    gpu: Annotated[str, typer.Option(help="GPU, or -1 for the CPU")] = "-1",
    fold: Annotated[int, typer.Option(help="Fold of ADE")] = 0,
) -> None:
    """Score the best model of a corpus."""
    model, data = f"training/{corpus}/model-best", Path("corpus", corpus)
    evaluate(corpus, corpora, data, model, gpu, fold, Path("metrics"))


if __name__ == "__main__":
    typer.run(main)

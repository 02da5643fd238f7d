"""Score a trained pipeline on every test file of its corpus; each gives one file in metrics/."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def evaluate(corpus: str, corpora: Path, model: str, gpu: str, fold: int, metrics: Path) -> None:
    """spaCy's evaluation, and the publishers' where the corpus has its own conventions."""
    spacy = [sys.executable, "-m", "spacy"]
    metrics.mkdir(parents=True, exist_ok=True)
    names = {"test": corpus, "unseen": f"{corpus}_unseen"}
    for part, name in names.items():
        data = Path("corpus", corpus, f"{part}.spacy")
        if data.exists():
            output = ("--output", str(metrics / f"{name}.json"), "--gpu-id", gpu)
            subprocess.run([*spacy, "evaluate", model, str(data), *output], check=True)
    output = ("--output", str(metrics / f"{corpus}_published.json"), "--gpu-id", gpu)
    report = [*spacy, "bispn", "evaluate", model]
    if corpus == "biorelex":
        gold = str(corpora / corpus / "dev.json")
        predictions = ("--predictions", str(metrics / "biorelex_predictions.json"))
        options = ("--format", "biorelex", *conventions("strict", "biorelex"))
        subprocess.run([*report, gold, *options, *predictions, *output], check=True)
    elif corpus == "ade":
        splits = corpora / corpus / "splits.json"
        chosen = ("--splits", str(splits), "--fold", str(fold)) if splits.exists() else ()
        gold = str(corpora / corpus / ("ade_full.json" if chosen else f"ade_split_{fold}_test.json"))
        options = ("--format", "spert", *conventions("strict", "spert", "spert-no-overlapping"))
        subprocess.run([*report, gold, *options, *chosen, *output], check=True)


def conventions(*names: str) -> list[str]:
    """The options that name these conventions."""
    return [word for name in names for word in ("--convention", name)]


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    corpora: Annotated[Path, typer.Argument(help="Folder with a folder for each corpus, as published")],
    gpu: Annotated[str, typer.Option(help="GPU, or -1 for the CPU")] = "-1",
    fold: Annotated[int, typer.Option(help="Fold of ADE")] = 0,
) -> None:
    """Score the best model of a corpus."""
    evaluate(corpus, corpora, f"training/{corpus}/model-best", gpu, fold, Path("metrics"))


if __name__ == "__main__":
    typer.run(main)

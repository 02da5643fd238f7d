"""Score a trained pipeline on every test file of its corpus; each gives one file in metrics/."""

import subprocess
import sys
from pathlib import Path

import srsly
import typer
from options import Corpora, Corpus, Fold, Gpu
from provenance import METRICS, TRAINING, this_run, write_metrics
from published import CONVENTIONS, parts


def evaluate(
    corpus: str, corpora: Path, data: Path, model: str, gpu: int, fold: int | None, metrics: Path
) -> None:
    """Strict scores of DATA/*.spacy, and those by the publishers' conventions if the corpus has its own.

    fold: of the published files; None if DATA has other texts than these, which then are not scored.
    """
    spacy = [sys.executable, "-m", "spacy"]
    metrics.mkdir(parents=True, exist_ok=True)
    names = {"test": corpus, "unseen": f"{corpus}_unseen"}
    run = this_run(gpu, Path(model))
    for part, name in names.items():
        docs = data / f"{part}.spacy"
        if docs.exists():
            output = metrics / f"{name}.json"
            options = ["--output", str(output), "--gpu-id", str(gpu)]
            subprocess.run([*spacy, "evaluate", model, str(docs), *options], check=True)
            write_metrics(output, srsly.read_json(output), run)
    if corpus in CONVENTIONS and fold is not None:
        gold = parts(corpus, corpora, data, fold)["test"]
        options = [word for name in CONVENTIONS[corpus] for word in ("--convention", name)]
        output = metrics / f"{corpus}_published.json"
        options += ["--output", str(output), "--gpu-id", str(gpu)]
        if corpus == "biorelex":
            options += ["--predictions", str(metrics / "biorelex_predictions.json")]
        report = [*spacy, "bispn", "evaluate", model, str(gold.file), *gold.reading]
        subprocess.run([*report, *options], check=True)
        write_metrics(output, srsly.read_json(output), run)


def main(
    corpus: Corpus,
    corpora: Corpora,
    gpu: Gpu = -1,
    fold: Fold = 0,
) -> None:
    """Score the best model of a corpus."""
    model, data = str(TRAINING / corpus / "model-best"), Path("corpus", corpus)
    evaluate(corpus, corpora, data, model, gpu, fold, METRICS)


if __name__ == "__main__":
    typer.run(main)

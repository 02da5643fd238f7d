"""Score one trained model on the test texts with at least 0, 1 and 2 gold relations."""

from typing import Any

import typer
from formatting import ratios
from options import Corpus, Gpu, Model, Texts
from provenance import METRICS, this_run, write_metrics
from spacy.cli._util import setup_gpu
from spacy.training import Example
from spacy.util import load_model
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.sources import predict_docs
from spacy_bispn.evaluation.scorer import score, symmetric_labels

MINIMA = (0, 1, 2)


def by_density(examples: list[Example], symmetric: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Scores and number of texts, by the minimum number of gold relations in a text."""
    found = {}
    for minimum in MINIMA:
        dense = [one for one in examples if len(annotations.read(one.reference).relations) >= minimum]
        found[str(minimum)] = {"texts": len(dense), **ratios(score(dense, symmetric_labels=symmetric))}
    return found


def main(
    corpus: Corpus,
    model: Model,
    data: Texts,
    gpu: Gpu = -1,
) -> None:
    """Predict the test texts once, and score them by their number of relations."""
    setup_gpu(gpu, silent=True)
    run = this_run(gpu, model)
    nlp = load_model(model)
    found = by_density(predict_docs(nlp, data), symmetric_labels(nlp))
    write_metrics(METRICS / f"{corpus}_subsets.json", {"minima": found}, run)
    for minimum, scores in found.items():
        f1 = 100 * scores.get("rel_micro_f", 0.0)
        msg.text(f"at least {minimum} relations, {scores['texts']} texts: {f1:.1f}")


if __name__ == "__main__":
    typer.run(main)

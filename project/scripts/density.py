"""Score one trained model on the test texts with at least 0, 1 and 2 gold relations (table 4)."""

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.training import Example
from spacy.util import load_model
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.sources import predict_docs, symmetric_labels
from spacy_bispn.scorer import score

LEAST = (0, 1, 2)


def by_density(examples: list[Example], symmetric: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Scores by the least number of gold relations, and how many texts have so many."""
    found = {}
    for least in LEAST:
        dense = [one for one in examples if len(annotations.read(one.reference).relations) >= least]
        scores = score(dense, symmetric_labels=symmetric)
        ratios = {key: value for key, value in scores.items() if isinstance(value, float)}
        found[str(least)] = {"texts": len(dense), **ratios}
    return found


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    data: Annotated[Path, typer.Argument(help="Test texts, a .spacy file", exists=True)],
    gpu: Annotated[int, typer.Option(help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Predict the test texts once, and score them by their number of relations."""
    setup_gpu(gpu, silent=True)
    nlp = load_model(model)
    found = by_density(predict_docs(nlp, data), symmetric_labels(nlp))
    srsly.write_json(Path("metrics", f"{corpus}_density.json"), found)
    for least, one in found.items():
        msg.text(f"at least {least} relations, {one['texts']} texts: {100 * one.get('rel_micro_f', 0.0):.1f}")


if __name__ == "__main__":
    typer.run(main)

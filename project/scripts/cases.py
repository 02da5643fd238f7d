"""What several trained models find in the same test texts, compared with gold (figure 4 of the paper)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from provenance import METRICS, this_run, write_metrics
from runs import parse_numbers
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from variants import best_models
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.sources import predict_docs
from spacy_bispn.evaluation.error_analysis import CORRECT, Case, compare_relations, describe
from spacy_bispn.evaluation.scorer import symmetric_labels
from spacy_bispn.settings import SettingError

SHOWN = 6
RIGHT, WRONG, MISSING = "right", "wrong", "missing"


def mark(case: Case[Any], text: str) -> dict[str, str]:
    """A relation in words: the predicted one if it is right or wrong, the gold one if it is missing."""
    if case.predicted is None:
        return {"relation": describe(case.gold, text), "mark": MISSING}
    kind = RIGHT if case.kind == CORRECT else WRONG
    return {"relation": describe(case.predicted, text), "mark": kind}


def compare(models: Mapping[str, Path], data: Path) -> list[dict[str, Any]]:
    """Every text of a .spacy file: its `text`, and what each model `found`, by the model's name."""
    texts: list[dict[str, Any]] = []
    for number, (name, model) in enumerate(models.items(), 1):
        msg.info(f"{name} reads {data} ({number} of {len(models)})")
        nlp = load_model(model)
        for position, example in enumerate(predict_docs(nlp, data)):
            gold, predicted = annotations.read(example.reference), annotations.read(example.predicted)
            if position == len(texts):
                texts.append({"position": position, "text": example.reference.text, "found": {}})
            cases = compare_relations(gold, predicted, symmetric_labels(nlp))
            texts[position]["found"][name] = [mark(case, example.reference.text) for case in cases]
    return texts


def most_different(texts: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The texts whose numbers of right relations differ most between models; of equals, those with more."""

    def rank(text: dict[str, Any]) -> tuple[int, int]:
        rights = [sum(one["mark"] == RIGHT for one in found) for found in text["found"].values()]
        return min(rights) - max(rights), -max(rights)

    return sorted(sorted(texts, key=rank)[:count], key=lambda text: text["position"])


def at_positions(texts: Sequence[dict[str, Any]], positions: Sequence[int]) -> list[dict[str, Any]]:
    """The texts at some positions. Raises SettingError for a position without a text."""
    outside = [position for position in positions if not 0 <= position < len(texts)]
    if outside:
        raise SettingError("--positions", outside, f"numbers from 0 to {len(texts) - 1}", "choose others")
    return [texts[position] for position in positions]


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    models: Annotated[str, typer.Argument(help="Folders of trainings, with commas between them")],
    data: Annotated[Path, typer.Argument(help="Test texts, a .spacy file", exists=True)],
    positions: Annotated[
        str, typer.Option(help="Texts such as 3,8, or nothing for those where models differ most")
    ] = "",
    gpu: Annotated[int, typer.Option(help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Compare what the models find in some test texts."""
    setup_gpu(gpu, silent=True)
    try:
        trained = best_models(models)
        run = this_run(gpu, *trained.values())
        texts = compare(trained, data)
        chosen = at_positions(texts, parse_numbers(positions, ())) or most_different(texts, SHOWN)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    write_metrics(METRICS / f"{corpus}_cases.json", {"texts": chosen}, run)
    msg.good(f"{len(chosen)} of {len(texts)} texts")


if __name__ == "__main__":
    typer.run(main)

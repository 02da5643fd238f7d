"""What several models predict for the same test texts, compared with gold (figure 4 of the paper)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from options import Corpus, Gpu, Texts, Trainings
from paper import FIGURE_4, begins_as
from provenance import METRICS, this_run, write_metrics
from runs import parse_numbers
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from variants import best_models
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.sources import predict_docs
from spacy_bispn.evaluation.error_analysis import CORRECT, Case, compare_entities, compare_relations, describe
from spacy_bispn.evaluation.scorer import symmetric_labels
from spacy_bispn.settings import SettingError

SHOWN = 3  # beside the paper's own
RIGHT, WRONG, MISSING = "right", "wrong", "missing"


def marks(case: Case[Any], text: str) -> list[dict[str, str]]:
    """An item in words if it is right; else the predicted one, which is wrong, and the missing gold one."""
    if case.kind == CORRECT:
        return [{"item": describe(case.predicted, text), "mark": RIGHT}]
    both = {WRONG: case.predicted, MISSING: case.gold}
    return [{"item": describe(item, text), "mark": mark} for mark, item in both.items() if item is not None]


def compare(models: Mapping[str, Path], data: Path) -> list[dict[str, Any]]:
    """Every text of a .spacy file: its `text`, and what each model `found`, by its name and kind."""
    texts: list[dict[str, Any]] = []
    for number, (name, model) in enumerate(models.items(), 1):
        msg.info(f"{name} reads {data} ({number} of {len(models)})")
        nlp = load_model(model)
        for position, example in enumerate(predict_docs(nlp, data)):
            text = example.reference.text
            gold, predicted = annotations.read(example.reference), annotations.read(example.predicted)
            if position == len(texts):
                texts.append({"position": position, "text": text, "found": {}})
            cases: dict[str, list[Case[Any]]] = {
                "entities": compare_entities(gold.entities, predicted.entities),
                "relations": compare_relations(gold, predicted, symmetric_labels(nlp)),
            }
            texts[position]["found"][name] = {
                kind: [one for case in found for one in marks(case, text)] for kind, found in cases.items()
            }
    return texts


def choose(texts: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The paper's own sentence, then the texts whose numbers of right items differ most between models.

    Of texts that differ as much, those with more right items.
    """

    def rank(text: dict[str, Any]) -> tuple[int, int]:
        rights = [
            sum(one["mark"] == RIGHT for items in found.values() for one in items)
            for found in text["found"].values()
        ]
        return min(rights) - max(rights), -max(rights)

    own = [text for text in texts if begins_as(text["text"], FIGURE_4)]
    others = [text for text in texts if text not in own]
    return [*own, *sorted(sorted(others, key=rank)[:count], key=lambda text: text["position"])]


def at_positions(texts: Sequence[dict[str, Any]], positions: Sequence[int]) -> list[dict[str, Any]]:
    """The texts at some positions. Raises SettingError for a position without a text."""
    outside = [position for position in positions if not 0 <= position < len(texts)]
    if outside:
        raise SettingError("--positions", outside, f"numbers from 0 to {len(texts) - 1}", "choose others")
    return [texts[position] for position in positions]


def main(
    corpus: Corpus,
    models: Trainings,
    data: Texts,
    positions: Annotated[
        str,
        typer.Option(help="Texts such as 3,8, or nothing for the paper's and others"),
    ] = "",
    gpu: Gpu = -1,
) -> None:
    """Compare what the models find in some test texts."""
    setup_gpu(gpu, silent=True)
    try:
        trained = best_models(models)
        run = this_run(gpu, *trained.values())
        texts = compare(trained, data)
        chosen = at_positions(texts, parse_numbers(positions, ())) or choose(texts, SHOWN)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    write_metrics(METRICS / f"{corpus}_cases.json", {"texts": chosen}, run)
    msg.good(f"{len(chosen)} of {len(texts)} texts")


if __name__ == "__main__":
    typer.run(main)

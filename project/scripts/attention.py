"""Draw the last attention between entity and relation queries, models side by side (the paper's figure 3)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from options import Corpus, Gpu, Trainings
from paper import FIGURE_3, begins_as
from provenance import METRICS, this_run, write_metrics
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from spacy.vocab import Vocab
from variants import best_models
from wasabi import msg

from spacy_bispn.attention_maps import AttentionMap, attention_map
from spacy_bispn.corpus_reader import load
from spacy_bispn.evaluation.error_analysis import describe
from spacy_bispn.records import Entity, Relation

NOTHING = "–"  # label of a query that predicts nothing
INCHES = 0.28  # height of a row and width of a column


def draw(maps: dict[str, AttentionMap], output: Path) -> None:
    """Heat maps side by side, as PNG or SVG by the suffix of `output`, with one colour scale for all.

    Raises ImportError without matplotlib, ValueError for another suffix.
    """
    if output.suffix not in (".png", ".svg"):
        raise ValueError(f"the drawing is {output.name!r}, expected .png or .svg: choose one of these.")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'matplotlib is not installed, expected it for drawings: pip install "spacy-bispn[viz]".'
        ) from error
    most = max(max(map(max, found.weights)) for found in maps.values())
    rows = max(len(found.entities) for found in maps.values())
    columns = [len(found.relations) for found in maps.values()]
    size = (sum(columns) * INCHES + 4 * len(maps), rows * INCHES + 4)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(maps), squeeze=False, width_ratios=columns)[0]
    for panel, (name, found) in zip(panels, maps.items(), strict=True):
        image = panel.imshow(found.weights, cmap="viridis", vmin=0.0, vmax=most)
        joined = [
            (column, row)
            for row in range(len(found.entities)) for column in range(len(found.relations))
            if found.joined(row, column)
        ]  # fmt: skip
        # the entity of the row is head or tail of the relation of the column
        panel.scatter(*zip(*joined, strict=True) if joined else ([], []), marker="s", s=60, c="none", ec="w")
        panel.set(title=name, xlabel="relation queries")
        panel.set_xticks(
            range(len(found.relations)), axis_labels(found, found.relations), rotation=90, fontsize=7
        )
        panel.set_yticks(range(len(found.entities)), axis_labels(found, found.entities), fontsize=7)
    panels[0].set_ylabel("entity queries")
    label = "attention, mean of both directions;\nthat of a relation query adds up to 1"
    figure.colorbar(image, ax=list(panels), label=label)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=200)


def axis_labels(found: AttentionMap, predicted: Sequence[Entity | Relation[Entity] | None]) -> list[str]:
    """What each query predicts, in words; the entity labels are on the other axis."""
    return [NOTHING if item is None else in_words(item, found.text) for item in predicted]


def in_words(item: Entity | Relation[Entity], text: str) -> str:
    """ORC (complex), or ORC — binds → ATP."""
    if isinstance(item, Entity):
        return describe(item, text)
    head, tail = (text[end.start : end.end] for end in (item.head, item.tail))
    return f"{head} — {item.label} → {tail}"


def sentence_of(data: Path) -> str:
    """The paper's sentence if a .spacy file of a folder has it, else the first text of all."""
    texts = [doc.text for file in sorted(data.glob("*.spacy")) for doc in load(file, Vocab())]
    return next((text for text in texts if begins_as(text, FIGURE_3)), texts[0])


def as_json(found: AttentionMap) -> dict[str, Any]:
    """A map, with the mean attention between queries that are `joined` and between all others."""
    weights: dict[bool, list[float]] = {True: [], False: []}
    for row, values in enumerate(found.weights):
        for column, weight in enumerate(values):
            weights[found.joined(row, column)].append(weight)
    means = {key: sum(values) / len(values) if values else None for key, values in weights.items()}
    return {
        "entities": axis_labels(found, found.entities), "relations": axis_labels(found, found.relations),
        "weights": found.weights, "joined": means[True], "others": means[False],
    }  # fmt: skip


def main(
    corpus: Corpus,
    models: Trainings,
    text: Annotated[str, typer.Argument(help="The sentence, or nothing for one of the corpus")],
    data: Annotated[Path, typer.Argument(help="Folder of the corpus as .spacy files")],
    output: Annotated[Path, typer.Argument(help="The .png or .svg file to write")],
    gpu: Gpu = -1,
) -> None:
    """Draw the attention of several models for one sentence."""
    setup_gpu(gpu, silent=True)
    maps = {}
    try:
        trained = best_models(models)
        run = this_run(gpu, *trained.values())
        text = text or sentence_of(data)
        for name, model in trained.items():
            nlp = load_model(model)
            maps[name] = attention_map(nlp.get_pipe("bispn"), nlp(text))
        draw(maps, output)
    except (ValueError, ImportError) as error:
        msg.fail("The attention cannot be drawn", str(error), exits=1)
    found = {"text": text, "models": {name: as_json(one) for name, one in maps.items()}}
    write_metrics(METRICS / f"{corpus}_attention.json", found, run)
    msg.good(f"{len(maps)} heat maps in {output}")


if __name__ == "__main__":
    typer.run(main)

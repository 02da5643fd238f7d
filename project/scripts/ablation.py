"""Train a corpus's config again with one thing changed at a time; each variant gives one file in metrics/.

A variant that has its file is not run again, so a stopped run goes on where it was.
"""

import time
from pathlib import Path
from typing import Annotated

import srsly
import typer
from evaluate import evaluate
from train import train

# the component's settings that differ from the config; the first three are table 2 of the paper
VARIANTS: dict[str, dict[str, str]] = {
    "as configured": {},
    "without consistency": {"objective.alpha": "0.0"},
    "without linking": {"objective.beta": "0.0"},
    "without both": {"objective.alpha": "0.0", "objective.beta": "0.0"},
    "one supervised layer": {"model.supervised_layers": "1"},
    "learned queries": {"model.queries": "learned"},
    "no inverses of symmetric labels": {"symmetric_labels": "[]"},
    "additive pointers": {"model.pointer": "additive"},
    "queries in the encoder": {"model.query_layer": "0"},
}


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    corpora: Annotated[Path, typer.Argument(help="Folder with a folder for each corpus, as published")],
    config: Annotated[str, typer.Argument(help="Config file, or nothing for the corpus's own")],
    encoder: Annotated[str, typer.Argument(help="Hub name or folder of the pretrained encoder")],
    epochs: Annotated[int, typer.Option(help="Epochs of every variant")] = 5,
    gpu: Annotated[str, typer.Option(help="GPU, or -1 for the CPU")] = "-1",
    fold: Annotated[int, typer.Option(help="Fold of ADE")] = 0,
    variants: Annotated[str, typer.Option(help="Numbers of variants, or all")] = "",
) -> None:
    """Train and score every variant."""
    chosen = [int(number) for number in variants.split(",")] if variants else range(len(VARIANTS))
    for number in chosen:
        name, changed = list(VARIANTS.items())[number]
        place = Path(corpus, str(number))
        done = Path("metrics/ablation", place, "variant.json")
        if done.exists():
            continue
        output = Path("training/ablation", place)
        settings = {f"components.bispn.{setting}": value for setting, value in changed.items()}
        started = time.monotonic()
        train(corpus, config, encoder, gpu, str(output), **settings, **{"training.max_epochs": str(epochs)})
        minutes = (time.monotonic() - started) / 60
        best = output / "model-best"
        evaluate(corpus, corpora, str(best), gpu, fold, done.parent)
        development = srsly.read_json(best / "meta.json")["performance"]
        variant = {"name": name, "changed": changed, "epochs": epochs, "minutes": minutes}
        srsly.write_json(done, {**variant, "development": development})


if __name__ == "__main__":
    typer.run(main)

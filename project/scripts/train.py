"""Call `spacy train` with the config of a corpus."""

import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from spacy.tokens import DocBin
from thinc.api import Config


def config_of(corpus: str, config: str) -> str:
    """The config file that was given, or the corpus's own."""
    return config or f"configs/{corpus}.cfg"


def train(config: str, data: Path, encoder: str, gpu: str, output: Path, **overrides: str) -> None:
    """Train on DATA/train.spacy, choose on DATA/dev.spacy; `overrides` as spaCy has them.

    The learning curve is written to log.jsonl in the folder `output`. Until the training has come to its
    end everything is in `output.part`, and what was in `output` before is whole.
    """
    part = beside(output, "part")
    overrides = {**time_left(config, data, **overrides), **overrides}
    shutil.rmtree(part, ignore_errors=True)
    options = {
        "--output": str(part),
        "--paths.train": str(data / "train.spacy"),
        "--paths.dev": str(data / "dev.spacy"),
        "--paths.encoder": encoder,
        "--training.logger.output_file": str(part / "log.jsonl"),
        "--gpu-id": gpu,
        **{f"--{setting}": value for setting, value in overrides.items()},
    }
    command = [sys.executable, "-m", "spacy", "train", config]
    subprocess.run([*command, *(word for pair in options.items() for word in pair)], check=True)
    exchange(part, output)


def time_left(config: str, data: Path, **overrides: str) -> dict[str, str]:
    """Overrides that let spaCy's progress bar count to the end of the training, not to the next evaluation.

    None for a config with other limits than epochs, batches of no fixed number of texts, or another logger.
    """
    training = Config().from_disk(config, interpolate=False)["training"]
    epochs = int(overrides.get("training.max_epochs", training["max_epochs"]))
    size = training["batcher"].get("size")
    other = training["max_steps"] or "progress_bar" not in training["logger"]
    if epochs < 1 or other or not isinstance(size, int):
        return {}
    texts = len(DocBin().from_disk(data / "train.spacy"))
    steps = epochs * math.ceil(texts / size)
    return {"training.max_steps": str(steps), "training.logger.progress_bar": "train"}


def beside(folder: Path, ending: str) -> Path:
    """The folder's name with another ending behind it."""
    return folder.with_name(f"{folder.name}.{ending}")


def exchange(new: Path, folder: Path) -> None:
    """Put a finished folder where another one may be, which is `folder.old` for a moment."""
    old = beside(folder, "old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    config: Annotated[str, typer.Argument(help="Config file, or nothing for the corpus's own")],
    encoder: Annotated[str, typer.Argument(help="Hub name or folder of the pretrained encoder")],
    epochs: Annotated[str, typer.Option(help="Epochs, or nothing for the config's own")] = "",
    gpu: Annotated[str, typer.Option(help="GPU, or -1 for the CPU")] = "-1",
) -> None:
    """Train the model of a corpus."""
    overrides = {"training.max_epochs": epochs} if epochs else {}
    output = Path("training", corpus)
    train(config_of(corpus, config), Path("corpus", corpus), encoder, gpu, output, **overrides)


if __name__ == "__main__":
    typer.run(main)

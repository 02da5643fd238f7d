"""Call `spacy train` with the config of a corpus."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def config_of(corpus: str, config: str) -> str:
    """The config file that was given, or the corpus's own."""
    return config or f"configs/{corpus}.cfg"


def train(config: str, data: Path, encoder: str, gpu: str, output: Path, **overrides: str) -> None:
    """Train on DATA/train.spacy, choose on DATA/dev.spacy; `overrides` as spaCy has them.

    The learning curve is written to log.jsonl in the folder `output`.
    """
    log = output / "log.jsonl"
    log.unlink(missing_ok=True)  # spaCy writes no second log over a first
    options = {
        "--output": str(output),
        "--paths.train": str(data / "train.spacy"),
        "--paths.dev": str(data / "dev.spacy"),
        "--paths.encoder": encoder,
        "--training.logger.output_file": str(log),
        "--gpu-id": gpu,
        **{f"--{setting}": value for setting, value in overrides.items()},
    }
    command = [sys.executable, "-m", "spacy", "train", config]
    subprocess.run([*command, *(word for pair in options.items() for word in pair)], check=True)


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

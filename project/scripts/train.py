"""Call `spacy train` with the config of a corpus."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer


def train(corpus: str, config: str, encoder: str, gpu: str, output: str, **overrides: str) -> None:
    """Train on corpus/NAME/train.spacy, choose on corpus/NAME/dev.spacy; `overrides` as spaCy has them.

    The learning curve is written to log.jsonl in the folder `output`.
    """
    log = Path(output, "log.jsonl")
    log.unlink(missing_ok=True)  # spaCy writes no second log over a first
    options = {
        "--output": output,
        "--paths.train": f"corpus/{corpus}/train.spacy",
        "--paths.dev": f"corpus/{corpus}/dev.spacy",
        "--paths.encoder": encoder,
        "--training.logger.output_file": str(log),
        "--gpu-id": gpu,
        **{f"--{setting}": value for setting, value in overrides.items()},
    }
    command = [sys.executable, "-m", "spacy", "train", config or f"configs/{corpus}.cfg"]
    subprocess.run([*command, *(word for pair in options.items() for word in pair)], check=True)


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    config: Annotated[str, typer.Argument(help="Config file, or nothing for the corpus's own")],
    encoder: Annotated[str, typer.Argument(help="Hub name or folder of the pretrained encoder")],
    gpu: Annotated[str, typer.Option(help="GPU, or -1 for the CPU")] = "-1",
) -> None:
    """Train the model of a corpus."""
    train(corpus, config, encoder, gpu, f"training/{corpus}")


if __name__ == "__main__":
    typer.run(main)

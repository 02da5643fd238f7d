"""Call `spacy train` with the config of a corpus."""

import subprocess
import sys
from typing import Annotated

import typer


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus")],
    config: Annotated[str, typer.Argument(help="Config file, or nothing for the corpus's own")],
    encoder: Annotated[str, typer.Argument(help="Hub name or folder of the pretrained encoder")],
    gpu: Annotated[str, typer.Option(help="GPU, or -1 for the CPU")] = "-1",
) -> None:
    """Train on corpus/NAME/train.spacy, choose on corpus/NAME/dev.spacy."""
    options = {
        "--output": f"training/{corpus}",
        "--paths.train": f"corpus/{corpus}/train.spacy",
        "--paths.dev": f"corpus/{corpus}/dev.spacy",
        "--paths.encoder": encoder,
        "--gpu-id": gpu,
    }
    command = [sys.executable, "-m", "spacy", "train", config or f"configs/{corpus}.cfg"]
    subprocess.run([*command, *(word for pair in options.items() for word in pair)], check=True)


if __name__ == "__main__":
    typer.run(main)

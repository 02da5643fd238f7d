"""`spacy bispn demo`: the demo corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from spacy_bispn.demo.corpus import write


def demo_command(
    folder: Annotated[Path, typer.Argument(help="Folder for train, dev, test and unseen .jsonl")],
    seed: Annotated[int, typer.Option(help="Seed of the generator")] = 0,
) -> None:
    """Write a generated corpus of biomedical sentences, the same for the same seed."""
    write(folder, seed=seed)
    msg.good(f"Demo corpus in {folder}")

"""`spacy bispn compare`: a pipeline before and after it went on learning."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.cli.export import read_docs
from spacy_bispn.cli.sources import GPU
from spacy_bispn.training.comparison import LIMIT, compare_pipelines

HEADER = ("Of", "Pipeline", "P", "R", "F")


def compare_command(
    before: Annotated[str, typer.Argument(help="The pipeline before it went on learning")],
    after: Annotated[str, typer.Argument(help="The pipeline after it")],
    data: Annotated[Path, typer.Argument(help="Gold, usually the old development set: .spacy files")],
    gpu_id: GPU = -1,
) -> None:
    """Show what a pipeline has forgotten; the exit code is 1 if it lost more than a point of F1."""
    setup_gpu(gpu_id, silent=True)
    try:
        docs = read_docs(data)
        with warnings.catch_warnings():  # it is printed below
            warnings.simplefilter("ignore", UserWarning)
            found = compare_pipelines(load_model(before), load_model(after), docs)
    except ValueError as error:
        msg.fail("The pipelines cannot be compared", str(error), exits=1)
    msg.divider(f"{data.name}: {len(docs)} texts")
    rows = [
        (part, name, *(f"{x:.1f}" for x in scores[part]))
        for part in found.before
        for name, scores in ((before, found.before), (after, found.after))
    ]
    msg.table(rows, header=HEADER, divider=True, aligns=("l", "l", "r", "r", "r"), max_col=60)
    if found.forgotten:
        msg.warn(f"On {data}, {found.forgotten}")
        raise typer.Exit(1)
    changes = ", ".join(f"{part} {0.0 - round(points, 1):+.1f}" for part, points in found.lost.items())
    msg.good(f"Not more than {LIMIT:g} point of F1 is lost ({changes})")

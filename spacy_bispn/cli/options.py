"""The options that say how a corpus is read, the same ones for every command that reads one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from ..converters import FORMATS, Level
from ..converters.standoff import Discontiguous, Pairs

AUTO = "auto"

# Options that only some formats know, with the formats.
OWNERS: dict[str, tuple[str, ...]] = {
    "negative": FORMATS,  # and no `.spacy` files
    "level": FORMATS,
    "splits": ("spert",),
    "pairs": ("bioc", "pubtator"),
    "discontiguous": ("bioc", "brat"),
}


def _setting(name: str, kind: Any, what: str) -> Any:
    choices, owners = " or ".join(get_args(kind)), ", ".join(OWNERS[name])
    return typer.Option(f"--{name}", help=f"{owners}: {what}, {choices}")


Format = Annotated[
    str, typer.Option("--format", "-f", help=f"{AUTO}: by the content; or {', '.join(FORMATS)}")
]
Symmetric = Annotated[
    list[str] | None, typer.Option("--symmetric", help="Relation label without a direction (repeatable)")
]
Negative = Annotated[
    list[str] | None, typer.Option("--negative", help="Relation label that says there is none (repeatable)")
]
LevelOption = Annotated[
    str | None,
    typer.Option("--level", help=f"What a text is, {' or '.join(get_args(Level))}; else as in the file"),
]
PairsOption = Annotated[str | None, _setting("pairs", Pairs, "mentions of related concepts")]
DiscontiguousOption = Annotated[
    str | None, _setting("discontiguous", Discontiguous, "mentions in several parts")
]
Splits = Annotated[Path | None, typer.Option("--splits", help="spert: folds of the file, as JSON")]
Fold = Annotated[int | None, typer.Option("--fold", help="Which fold, counted from 0; else the first")]
Part = Annotated[str | None, typer.Option("--part", help="'train' or 'test' part of the fold")]
GPU = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")]

"""Figures of the bench and the soak: as cells of a table and as a JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer

from spacy_bispn.files import save

Output = Annotated[Path | None, typer.Option(help="JSON file for the figures")]


def write(output: Path | None, figures: Mapping[str, Any]) -> None:
    """Write figures to a file, if one is asked for."""
    if output is not None:
        save(output, srsly.json_dumps(figures, indent=2))


def number(value: float | None, digits: int = 0) -> str:
    """A figure with so many decimals; "unknown" for one that this system does not tell."""
    return "unknown" if value is None else f"{value:.{digits}f}"


def spread(summary: Mapping[str, float] | None, digits: int) -> str:
    """Median with minimum and maximum; empty without a summary."""
    if summary is None:
        return ""
    median, least, most = (number(summary[key], digits) for key in ("median", "min", "max"))
    return f"{median} ({least} to {most})"


def peaks(memory: Mapping[str, float]) -> str:
    """The peaks of `peak_memory` in one cell, that of RAM as unknown where it is left out."""
    known = {"resident": memory.get("resident"), **memory}
    return ", ".join(f"{kind} {number(megabytes)}" for kind, megabytes in known.items())

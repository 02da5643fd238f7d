"""Scores and tables as Markdown shows them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from provenance import Run

Columns = Mapping[str, str]  # the header of a column, and the key of its scores
Figures = dict[str, Any]
Rows = list[Sequence[str]]

STRICT = {"entities": "ents_f", "entities, boundaries": "ents_boundary_f",
          "relations": "rel_micro_f", "relations, boundaries": "rel_boundary_f"}  # fmt: skip


# shown beside strict scores; raw is before relations were changed to join entities
COHERENCE = {"coherence": "bispn_coherence", "raw coherence": "bispn_raw_coherence"}


class Table(NamedTuple):
    """Header, rule and rows, and the runs of the figures."""

    rows: Rows
    runs: Sequence[Run]


def read(path: Path) -> Figures:
    """A JSON object, or an empty one if there is no file."""
    return dict(srsly.read_json(path)) if path.exists() else {}


def ratios(scores: Mapping[str, Any]) -> dict[str, float]:
    """The scores that are single numbers, without those by label."""
    return {key: value for key, value in scores.items() if isinstance(value, float)}


def summary(scores: Mapping[str, Any]) -> str:
    """Strict F1 in percent, for the terminal."""
    return f"entities {percent(scores['ents_f'])}, relations {percent(scores['rel_micro_f'])}"


def percent(score: float | None) -> str:
    """A score from 0 to 1 as a percentage."""
    return "" if score is None else f"{100 * score:.1f}"


def percents(scores: Mapping[str, float], columns: Columns) -> list[str]:
    """The scores of some columns as percentages."""
    return [percent(scores.get(key)) for key in columns.values()]


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Rows:
    """Rows of a Markdown table with their header; none if there are no rows."""
    return [header, ["---"] * len(header), *rows] if rows else []


def cell(lines: Iterable[str]) -> str:
    """Lines in one cell of a Markdown table."""
    return "<br>".join(" ".join(line.split()).replace("|", "\\|") for line in lines) or "–"


def run_in_words(run: Run) -> str:
    """The commit and day of a run."""
    commit = f"`{run['commit']}`" if run.get("commit") else "unknown"
    return f"commit {commit}" + (f", {run['date'][:10]}" if run.get("date") else "")

"""A tiny pipeline for workers in other processes, and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines import initialize, make_nlp, make_text, pipe_of, tiny

TEXTS = [f"Tem{number} binds Dal{number * 7}, twice." for number in range(24)]
LONG = "x" * 1_000_001  # more than `nlp.max_length`: fails
LEARNED = {"queries": "learned", "entity_queries": 6, "relation_queries": 4}
ZERO = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}


def save_model(folder: Path, settings: dict[str, Any] | None = None) -> Path:
    """An untrained pipeline without thresholds, which says a lot."""
    nlp = make_nlp(tiny(LEARNED | (settings or {}), **ZERO))
    initialize(nlp, [make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])])
    pipe_of(nlp).cfg["relation_labels"] = ["binds"]
    nlp.to_disk(folder)
    return folder

"""A report's tables, as rows for the terminal and as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from spacy_bispn.evaluation.error_analysis import CORRECT
from spacy_bispn.evaluation.scoring import ANY

SCORE_HEADER = ("Convention", "Of", "Label", "P", "R", "F", "95 %", "Gold", "Predicted")
ERROR_HEADER = ("Of", "Class", "Count")

Row = tuple[str, ...]


def score_rows(scores: dict[str, dict[str, Any]]) -> list[Row]:
    """For each convention the overall scores of entities and of relations, each above its labels."""
    rows: list[Row] = []
    for convention, parts in scores.items():
        for part, found in parts.items():
            rows += [(convention, *row) for row in _part_rows(part, found)]
    return rows


def error_rows(errors: dict[str, dict[str, Any]]) -> list[Row]:
    """How many items each class has."""
    return [
        (part, kind, str(found["count"]))
        for part, classes in errors.items()
        for kind, found in classes.items()
    ]


def examples_in_words(errors: dict[str, dict[str, Any]], each: int | None = None) -> Iterator[str]:
    """The examples of errors, a line each; at most so many of a class."""
    for part, classes in errors.items():
        for kind, found in classes.items():
            if kind != CORRECT:
                yield from (f"{part}, {kind}: {_in_words(example)}" for example in found["examples"][:each])


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are escaped."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{cells}</tr>' for cells in body)}</table>"


def _part_rows(part: str, found: dict[str, Any] | None) -> Iterator[Row]:
    if found is None:
        yield (part, "no gold", *"------")
        return
    labels = found["labels"]
    sizes = [_sizes(counts) for counts in labels.values()]
    total = [str(sum(column)) for column in zip(*sizes, strict=True)] or ["0", "0"]
    yield (part, "all", *_percent(found), *total)
    for label, counts in labels.items():
        if label != ANY:
            yield (part, label, *_percent(counts), *map(str, _sizes(counts)))


def _sizes(counts: dict[str, Any]) -> tuple[int, int]:
    return counts["tp"] + counts["fn"], counts["tp"] + counts["fp"]


def _percent(ratios: dict[str, Any]) -> list[str]:
    """Precision, recall, F1 and its interval."""
    interval = f"{100 * ratios['low']:.1f}–{100 * ratios['high']:.1f}"
    return [*(f"{100 * ratios[ratio]:.1f}" for ratio in "prf"), interval]


def _in_words(example: dict[str, Any]) -> str:
    sides = [f"{side} {example[side]}" for side in ("gold", "predicted") if example[side]]
    return f"{', '.join(sides)} in text {example['id']}: “{example['text']}”"

"""A report as rows of tables and as sentences, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from spacy_bispn.evaluation.error_analysis import CORRECT
from spacy_bispn.evaluation.scoring import ANY

SCORE_HEADER = ("Convention", "Of", "Label", "P", "R", "F", "95 %", "Gold", "Predicted")
CALIBRATION_HEADER = ("Of", "Predicted", "ECE", "95 %", "Brier", "95 %")
BIN_HEADER = ("Scores", "Predicted", "Mean score", "Correct")
CURVE_HEADER = ("Threshold", "P", "R", "F")
ERROR_HEADER = ("Of", "Class", "Count")
UNKNOWN = "unknown"  # an interval
COHERENCES = {
    "coherence": "Coherence: {} of the predicted relations join two predicted entities",
    "raw_coherence": "Raw coherence: {} did so before relations were changed to join entities",
}
SCHEMA = (
    "Schema: of {predicted} predicted relations {changed} were given other labels, {dropped} were dropped."
)

Row = tuple[str, ...]


def score_rows(scores: dict[str, dict[str, Any]], labels: bool = True) -> list[Row]:
    """For each convention the overall scores of entities and of relations, above their labels if wanted, and
    above those of relations by their distances.
    """
    rows: list[Row] = []
    for convention, parts in scores.items():
        for part, found in parts.items():
            overall, *others = _part_rows(part, found)
            rows += [(convention, *row) for row in (overall, *(others if labels else ()))]
    return rows


def calibration_rows(calibration: dict[str, Any]) -> list[Row]:
    """Expected calibration error and Brier score of each kind that has scores, with their intervals."""
    return [
        (kind, str(found["items"]), *chain(*(_with_interval(found, name) for name in ("ece", "brier"))))
        for kind, found in calibration.items()
        if found is not None
    ]


def bin_rows(bins: list[dict[str, Any]]) -> list[Row]:
    """The points of a reliability diagram."""
    return [
        (f"{x['low']:.1f}–{x['high']:.1f}", str(x["items"]), decimal(x["score"]), decimal(x["correct"]))
        for x in bins
    ]


def curve_rows(curve: dict[str, Any]) -> list[Row]:
    """Precision, recall and F1 at some thresholds, and with those that are set."""
    rows = [(f"{x['threshold']:.1f}", x) for x in curve["thresholds"]] + [("as set", curve["now"])]
    return [(name, *(percent(x[ratio]) for ratio in "prf")) for name, x in rows]


def _with_interval(found: dict[str, Any], name: str) -> tuple[str, str]:
    interval = found[f"{name}_interval"]
    shown = UNKNOWN if interval is None else "–".join(map(decimal, interval))
    return decimal(found[name]), shown


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


def report_in_words(report: dict[str, Any]) -> str:
    """How many texts there are, the coherence of the predictions, and what a schema did to them."""
    said = [f"{report['texts']} texts."]
    for name, words in COHERENCES.items():
        if report[name] is not None:
            interval = _interval(*(report[f"{name}_interval"] or (None, None)))
            said.append(f"{words.format(f'{100 * report[name]:.1f} % ({interval})')}.")
    if len(said) == 1:
        said.append("Coherence: no relation is predicted.")
    if report["schema"] is not None:
        said.append(SCHEMA.format(**report["schema"]))
    return " ".join(said)


def unknown_in_words(rows: Iterable[Row]) -> str:
    """What unknown intervals mean, if the rows have any."""
    column = SCORE_HEADER.index("95 %")
    if all(row[column] != UNKNOWN for row in rows):
        return ""
    return f"{UNKNOWN}: fewer than two texts have such items, so the interval cannot be estimated."


def _part_rows(part: str, found: dict[str, Any] | None) -> Iterator[Row]:
    if found is None:
        yield (part, "no gold", *"------")
        return
    labels = found["labels"]
    sizes = [_sizes(counts) for counts in labels.values()]
    total = [str(sum(column)) for column in zip(*sizes, strict=True)] or ["0", "0"]
    yield (part, "all", *_percent(found), *total)
    for name, apart in found.get("distances", {}).items():
        (_, _, *cells), *_ = _part_rows(part, apart)
        yield (part, name, *cells)
    for label, counts in labels.items():
        if label != ANY:
            yield (part, label, *_percent(counts), *map(str, _sizes(counts)))


def percent(share: float | None) -> str:
    """A share in percent; a dash where it is not known."""
    return "-" if share is None else f"{100 * share:.1f}"


def decimal(number: float | None) -> str:
    """A number from 0 to 1 with three digits; a dash where it is not known."""
    return "-" if number is None else f"{number:.3f}"


def _sizes(counts: dict[str, Any]) -> tuple[int, int]:
    return counts["tp"] + counts["fn"], counts["tp"] + counts["fp"]


def _percent(ratios: dict[str, Any]) -> list[str]:
    """Precision, recall, F1 and its interval."""
    return [*(percent(ratios[ratio]) for ratio in "prf"), _interval(ratios["low"], ratios["high"])]


def _interval(low: float | None, high: float | None) -> str:
    return UNKNOWN if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}"


def _in_words(example: dict[str, Any]) -> str:
    sides = [f"{side} {example[side]}" for side in ("gold", "predicted") if example[side]]
    return f"{', '.join(sides)} in text {example['id']}: “{example['text']}”"

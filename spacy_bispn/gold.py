"""Training data held against a model: its labels, its number of queries, and what cannot be learnt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spacy import util
from spacy.tokens import Doc
from spacy.training import Example

from .annotations import read
from .pieces import Window
from .records import Extraction
from .targets import Placement, WindowGold


def gold_of(example: Example) -> Extraction:
    """What the reference says, in characters of the text that is read.

    Raises ValueError if it has another text.
    """
    text, other = example.predicted.text, example.reference.text
    if text.rstrip() != other.rstrip():
        raise ValueError(
            f"the reference of {text[:60]!r} has the text {other[:60]!r}, expected the same: make both Docs "
            f"from one text."
        )
    return read(example.reference)


def check_queries(
    limits: Mapping[str, int], docs: Sequence[Doc], windows: Sequence[Window], shares: Sequence[WindowGold]
) -> None:
    """Raises ValueError, with the text and the setting, if a window has more gold than queries.

    limits: `entity_queries` and `relation_queries`.
    """
    for window, share in zip(windows, shares, strict=True):
        counts = {"entity_queries": len(share.entities), "relation_queries": len(share.relations)}
        for setting, count in counts.items():
            if count > limits[setting]:
                text = docs[window.text].text
                kind = setting.split("_")[0]
                raise ValueError(
                    f"{setting} is {limits[setting]}, but a training text has {count} gold "
                    f"items of kind {kind!r} in one window: raise model.{setting} to at least {count}, "
                    f"or make model.window smaller. The text: {text[:80]!r}"
                )


def collect_labels(gold: Iterable[Extraction]) -> dict[str, list[str]]:
    """All labels of some gold, sorted."""
    gold = list(gold)
    return {
        "entity": sorted({entity.label for extraction in gold for entity in extraction.entities}),
        "relation": sorted({relation.label for extraction in gold for relation in extraction.relations}),
    }


def check_labels(labels: Any) -> dict[str, list[str]]:
    """Labels that were given, as `label_data` has them. Raises ValueError for anything else."""
    kinds = ("entity", "relation")
    if not isinstance(labels, dict) or not all(isinstance(labels.get(kind), list) for kind in kinds):
        raise ValueError(
            f"the labels given are {str(labels)[:80]}, expected an object with a list of labels under "
            f"each of {', '.join(kinds)}: write them with `spacy init labels`."
        )
    return {kind: [str(label) for label in labels[kind]] for kind in kinds}


def count(losses: dict[str, float], key: str, number: int) -> None:
    """Add to what was left out of the training, where there is any."""
    if number:
        losses[key] = losses.get(key, 0.0) + number


def report_losses(name: str, report: Placement) -> None:
    """Say what of the training data no window can see or no label covers."""
    for kind in ("entities", "relations"):
        missing, total = getattr(report, f"unplaced_{kind}"), getattr(report, kind)
        if missing:
            util.logger.warning(
                "[%s] %d of %d gold %s lie in no window, or have an end with an unknown label, and are not "
                "learnt from: a larger model.window or model.overlap sees more.", name, missing, total, kind,
            )  # fmt: skip
    if report.widened_entities:
        util.logger.warning(
            "[%s] %d of %d gold entities end inside a wordpiece and are taught as the whole piece: "
            "an encoder with smaller pieces tells them apart.",
            name, report.widened_entities, report.entities,
        )  # fmt: skip
    for label, count in report.unknown_labels.items():
        util.logger.warning(
            "[%s] %d gold items have the label %r, which is not among the labels given and is ignored: "
            "add it to the labels file.", name, count, label,
        )  # fmt: skip

"""Training data held against a model: its labels, its number of queries, and what cannot be learnt."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spacy import util
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bispn.annotations import has_relations, read, white_space
from spacy_bispn.model.schema import Schema, known_relations
from spacy_bispn.model.targets import CoverageReport, WindowGold
from spacy_bispn.model.windowing import Window
from spacy_bispn.records import Extraction
from spacy_bispn.settings import SettingError, Shown

KINDS = ("entity", "relation")  # of labels
SHOWN = 5  # triples in a message
# settings that name labels, and the kind of these
NAMING = {
    "symmetric_labels": "relation",
    "entity_thresholds": "entity",
    "relation_thresholds": "relation",
}


def gold_of(examples: Iterable[Example]) -> tuple[list[Extraction], list[bool]]:
    """The annotations of the references, and which of them are annotated with relations; others give none.

    Raises ValueError if a reference has another text than its predicted Doc.
    """
    gold, annotated = [], []
    for example in examples:
        text, other = example.predicted.text, example.reference.text
        if text.rstrip() != other.rstrip():
            raise ValueError(
                f"the reference of {text[:60]!r} has the text {other[:60]!r}, expected the same: make both "
                f"Docs from one text."
            )
        annotated.append(has_relations(example.reference))
        gold.append(read(example.reference) if annotated[-1] else Extraction())
    return gold, annotated


def check_annotated(name: str, docs: Sequence[Doc]) -> None:
    """Raises ValueError if none of the training texts says anything about relations.

    Warns where none has an entity, or none a relation, and of white space at the ends of entities.
    """
    if not any(map(has_relations, docs)):
        raise ValueError(
            f"none of the {len(docs)} training texts says anything about relations, expected doc._.relations "
            f"on them: convert the corpus with `spacy bispn convert` or assign doc._.relations (an empty "
            f"list where a text has none) before saving the DocBin, and read it with @readers = "
            f'"spacy-bispn.Corpus.v1".'
        )
    gold = [read(doc) for doc in docs]
    for kind in ("entities", "relations"):
        if not any(getattr(extraction, kind) for extraction in gold):
            util.logger.warning(
                "[%s] none of the %d training texts has any %s, so that none is learnt: check how the corpus "
                "was exported and converted.", name, len(docs), kind,
            )  # fmt: skip
    edges, blank = (sum(numbers) for numbers in zip(*map(white_space, docs), strict=True))
    if edges or blank:
        util.logger.warning(
            "[%s] white space at the ends of %d gold entities is cut off, and %d of white space alone are "
            "left out: annotate the words alone.", name, edges, blank,
        )  # fmt: skip


def count_surplus(
    limits: Mapping[str, float],
    docs: Sequence[Doc],
    windows: Sequence[Window],
    shares: Sequence[WindowGold],
    skips: bool,
) -> Counter[str]:
    """How many gold items find no query, under `entity_queries` and `relation_queries`, the keys of `limits`.

    Raises SettingError, with the text, if a window has more gold items than the model has queries, unless
    it `skips` them.
    """
    surplus: Counter[str] = Counter()
    for window, share in zip(windows, shares, strict=True):
        counts = {"entity_queries": len(share.entities), "relation_queries": len(share.relations)}
        for name, count in counts.items():
            if count > limits[name] and not skips:
                text, kind = docs[window.text].text, name.split("_")[0]
                raise SettingError(
                    name, limits[name], f"at least {count}, the gold items of kind {kind!r} in one window",
                    f"raise model.{name}, make model.window smaller, or leave them out by surplus_gold = "
                    f'"skip"; the text is {text[:80]!r}',
                )  # fmt: skip
            surplus[name] += int(max(count - limits[name], 0))
    return surplus


def report_context(name: str, context: int, windows: Sequence[Window]) -> None:
    """Say how many windows of the training texts have nothing around them, where there is to be a context."""
    alone = sum(not window.context for window in windows)
    if context and alone:
        util.logger.log(
            logging.WARNING if alone == len(windows) else logging.INFO,
            "[%s] context = %d: %d of %d training windows have nothing around them, expected texts longer "
            'than a window, or passages of documents with ids such as "a:0" and "a:1", as `spacy bispn '
            "convert` makes them: convert the corpus anew, call spacy_bispn.set_context, or set context = 0.",
            name, context, alone, len(windows),
        )  # fmt: skip


def check_schema(name: str, schema: Schema | None, gold: Sequence[Extraction]) -> None:
    """Warn of gold relations that decoding will never give. Raises SettingError if those are all of them."""
    if schema is None:
        return
    relations = known_relations(gold, schema.labels)
    total, forbidden = len(relations), schema.forbidden(relations)
    several = ", ".join(f"{words}: {count}" for words, count in forbidden.most_common(SHOWN))
    if forbidden and forbidden.total() == total:
        raise SettingError(
            "schema", Shown("such that it forbids all relations of the training data"),
            f"triples that some of the {total} have, of which the most frequent are {several}",
            'correct the triples, or set schema = "observed"',
        )  # fmt: skip
    if forbidden:
        util.logger.warning(
            "[%s] the schema forbids %d of %d gold relations, which are never predicted: %s%s. Add these "
            "triples unless that is meant.", name, forbidden.total(), total, several,
            ", ..." if len(forbidden) > SHOWN else "",
        )  # fmt: skip
    surplus = sum(len(extraction.relations) - len(schema.limit(extraction.relations)) for extraction in gold)
    if surplus:
        util.logger.warning(
            "[%s] %d of %d gold relations are more than relations_per_head or relations_per_tail permit, or "
            "are forbidden by self_relations = false, and are never predicted.", name, surplus, total,
        )  # fmt: skip


def collect_labels(gold: Iterable[Extraction]) -> dict[str, list[str]]:
    """All labels of some gold, sorted."""
    gold = list(gold)
    return {
        "entity": sorted({entity.label for extraction in gold for entity in extraction.entities}),
        "relation": sorted({relation.label for extraction in gold for relation in extraction.relations}),
    }


def check_labels(labels: Any) -> dict[str, list[str]]:
    """Labels that were given, as `label_data` has them. Raises SettingError for anything else."""
    if not isinstance(labels, dict) or not all(isinstance(labels.get(kind), list) for kind in KINDS):
        raise SettingError(
            "labels", Shown(str(labels)[:80]), f"an object with the lists {' and '.join(KINDS)}",
            "write them with `spacy init labels`",
        )  # fmt: skip
    return {kind: distinct_labels(f"labels.{kind}", labels[kind]) for kind in KINDS}


def check_kind(label: str, kind: str) -> None:
    """Raise SettingError for a kind of labels that there is not, and for a bad label."""
    if kind not in KINDS:
        advice = f'call add_label({label!r}, kind="relation"), or give the label in the training data'
        raise SettingError("the kind of the label", kind, '"entity" or "relation"', advice)
    distinct_labels(f"the {kind} label", [label])


def grown_lists(
    name: str, known: Mapping[str, Sequence[str]], labels: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """The labels of a model with new ones behind them, by kind; a warning names the new ones."""
    new = {kind: [label for label in labels[kind] if label not in known[kind]] for kind in KINDS}
    if any(new.values()):
        util.logger.warning(
            "[%s] new labels, learnt from now on: %s. Go on with examples of the others, too, or they "
            "are forgotten.", name, ", ".join([*new["entity"], *new["relation"]]),
        )  # fmt: skip
    return {kind: [*known[kind], *new[kind]] for kind in KINDS}


def check_known(cfg: Mapping[str, Any]) -> None:
    """Raise SettingError for a label in a component's settings that the component does not have."""
    for name, kind in NAMING.items():
        unknown = sorted(set(cfg[name]) - set(cfg[f"{kind}_labels"]))
        if unknown:
            expected = f"{kind} labels of the training data ({', '.join(cfg[f'{kind}_labels'])})"
            raise SettingError(name, unknown, expected, "correct the component's config")


def distinct_labels(name: str, labels: Sequence[Any]) -> list[str]:
    """Labels in their order, those named twice once, with a warning.

    Raises SettingError for a label that is no text or blank: a saved component could not be loaded again.
    """
    wrong = [label for label in labels if not isinstance(label, str) or not label.strip()]
    if wrong:
        advice = "give each label as a string, not as a hash of the StringStore or null"
        raise SettingError(name, wrong, "labels that are strings and not blank", advice)
    kept = list(dict.fromkeys(labels))
    if len(kept) < len(labels):
        twice = sorted(label for label, number in Counter(labels).items() if number > 1)
        util.logger.warning("%s names %s more than once: each is used once.", name, ", ".join(twice))
    return kept


def report_losses(name: str, report: CoverageReport, surplus: Mapping[str, int]) -> None:
    """Warn of training data that lies in no window, has an unknown label, or finds no query."""
    for setting, count in surplus.items():
        if count:
            util.logger.warning(
                "[%s] %d gold items are more than model.%s in their windows, and are not learnt from: "
                "raise it unless that is meant.", name, count, setting,
            )  # fmt: skip
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

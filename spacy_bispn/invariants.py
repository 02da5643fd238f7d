"""What holds for every Doc that the component annotated, whatever its text: checked, not hoped for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from itertools import pairwise
from math import isfinite
from typing import Any

from spacy.tokens import Doc

from .annotations import KEY, read
from .records import Extraction

TOLERANCE = 1e-4  # of scores


class Violation(AssertionError):
    """A broken promise: on which text, what was found, what was expected."""


def check_doc(doc: Doc, untouched: Doc) -> None:
    """All that one answer must hold; `untouched` is the same text before any component saw it.

    Raises Violation.
    """
    require(doc.text == untouched.text, doc, f"the text {doc.text[:60]!r}", repr(untouched.text[:60]))
    require(tokens(doc) == tokens(untouched), doc, "other tokens", "the tokenizer's")
    require(KEY in doc.spans, doc, f"no group {KEY!r}", "one on every Doc")
    group = doc.spans[KEY]
    places = [(span.start, span.end, span.label_) for span in group]
    for start, end, _ in places:
        inside = 0 <= start < end <= len(doc)
        require(inside, doc, f"the span {start} to {end}", f"0 <= start < end <= {len(doc)}")
    _require_distinct(doc, places, "the spans")
    _check_scores(doc, group.attrs["scores"], len(places))
    _check_relations(doc, group.attrs["relations"], places)
    _check_ents(doc, set(places))


def tokens(doc: Doc) -> list[tuple[int, str, str]]:
    """Where each token begins, what it is, and the space behind it."""
    return [(token.idx, token.text, token.whitespace_) for token in doc]


def check_same(doc: Doc, other: Doc, tolerance: float = TOLERANCE) -> None:
    """Two answers to one text: the same sets, and scores that differ by at most `tolerance`.

    Raises Violation.
    """
    one, two = read(doc), read(other)
    for kind in ("entities", "relations"):
        first, second = _scored(one, kind), _scored(two, kind)
        missing = [item for item in (*first, *second) if item not in first or item not in second]
        require(not missing, doc, f"{kind} of one answer only, {missing[:3]}", "the same in both")
        for item, score in first.items():
            close = abs(score - second[item]) <= tolerance
            require(close, doc, f"the scores {score} and {second[item]} of {item}", f"within {tolerance}")


def check_bytes(doc: Doc) -> None:
    """A Doc that went through bytes says what it said. Raises Violation."""
    back = Doc(doc.vocab).from_bytes(doc.to_bytes())
    check_doc(back, doc)
    check_same(doc, back, tolerance=0.0)


def require(holds: bool, doc: Doc, found: str, expected: str) -> None:
    """Raises Violation unless something holds."""
    if not holds:
        raise Violation(f"the text {doc.text[:60]!r} was given {found}, expected {expected}: this is a bug.")


def _require_distinct(doc: Doc, items: Iterable[Hashable], what: str) -> None:
    twice = [item for item, count in Counter(items).items() if count > 1]
    require(not twice, doc, f"{what} {twice[:3]} more than once", "each once")


def _check_scores(doc: Doc, scores: list[float], count: int) -> None:
    require(len(scores) == count, doc, f"{len(scores)} scores of {count} spans", "one a span")
    for score in scores:
        require(isfinite(score) and 0 <= score <= 1, doc, f"the score {score}", "a number from 0 to 1")


def _check_relations(doc: Doc, rows: list[list[Any]], places: list[tuple[int, int, str]]) -> None:
    inside = all(0 <= end < len(places) for head, tail, *_ in rows for end in (head, tail))
    require(inside, doc, f"the relations {rows[:3]}", f"ends among the {len(places)} spans of the group")
    relations = doc._.relations
    require(len(relations) == len(rows), doc, f"{len(relations)} relations of {len(rows)} rows", "all")
    for relation in relations:
        for end in (relation.head, relation.tail):
            member = (end.start, end.end, end.label_) in places
            require(member, doc, f"a relation with the end {end!r}", "a member of the group")
    _require_distinct(doc, [(head, tail, label) for head, tail, label, _ in rows], "the relations")
    _check_scores(doc, [score for *_, score in rows], len(rows))


def _check_ents(doc: Doc, places: set[tuple[int, int, str]]) -> None:
    for left, right in pairwise(doc.ents):
        require(left.end <= right.start, doc, f"the overlapping ents {left!r} and {right!r}", "none")
    strange = [ent for ent in doc.ents if (ent.start, ent.end, ent.label_) not in places]
    require(not strange, doc, f"the ents {strange[:3]}", "members of the group")


def _scored(extraction: Extraction, kind: str) -> dict[Any, float]:
    return {item: item.score for item in getattr(extraction, kind)}

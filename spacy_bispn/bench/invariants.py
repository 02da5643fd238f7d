"""Invariants: what holds for every Doc that the component has annotated, whatever its text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from itertools import pairwise
from math import isfinite
from typing import Any

from spacy.tokens import Doc

from spacy_bispn.annotations import KEY, read
from spacy_bispn.bench.checks import TOLERANCE, differences
from spacy_bispn.doc_storage import RELATIONS
from spacy_bispn.evaluation.scoring import Pair


class Violation(AssertionError):
    """A broken invariant: on which text, what was found, what was expected."""


def check_doc(doc: Doc, untouched: Doc) -> None:
    """Raise Violation unless the annotations of a Doc are consistent and its text and tokens are unchanged.

    untouched: the same text from the tokenizer alone.
    """
    require(doc.text == untouched.text, doc, f"the text {doc.text[:60]!r}", repr(untouched.text[:60]))
    require(tokens(doc) == tokens(untouched), doc, "other tokens", "the tokenizer's")
    require(KEY in doc.spans, doc, f"no group {KEY!r}", "one on every Doc")
    group = doc.spans[KEY]
    spans = [(span.start, span.end, span.label_) for span in group]
    for start, end, _ in spans:
        inside = 0 <= start < end <= len(doc)
        require(inside, doc, f"the span {start} to {end}", f"0 <= start < end <= {len(doc)}")
    _require_distinct(doc, spans, "the spans")
    _check_scores(doc, group.attrs["scores"], len(spans))
    _check_ents(doc, set(spans))  # first: what is done to doc.ents changes the relations
    _check_relations(doc, group.attrs["relations"], spans)


def tokens(doc: Doc) -> list[tuple[int, str, str]]:
    """The start of each token, its text, and the whitespace after it."""
    return [(token.idx, token.text, token.whitespace_) for token in doc]


def check_same(doc: Doc, other: Doc, tolerance: float = TOLERANCE) -> None:
    """Raise Violation unless two Docs have the same entities and relations, scores within `tolerance`."""
    trouble = differences([doc.text], [Pair(read(doc), read(other))], tolerance)
    if trouble:
        raise Violation(f"{trouble} (within {tolerance:g}): this is a bug.")


def check_bytes(doc: Doc) -> None:
    """Raise Violation unless a Doc keeps its annotations through `to_bytes` and `from_bytes`."""
    back = Doc(doc.vocab).from_bytes(doc.to_bytes())
    check_doc(back, doc)
    check_same(doc, back, tolerance=0.0)


def require(holds: bool, doc: Doc, found: str, expected: str) -> None:
    """Raise Violation unless something holds."""
    if not holds:
        raise Violation(f"the text {doc.text[:60]!r} has {found}, expected {expected}: this is a bug.")


def _require_distinct(doc: Doc, items: Iterable[Hashable], what: str) -> None:
    twice = [item for item, count in Counter(items).items() if count > 1]
    require(not twice, doc, f"{what} {twice[:3]} more than once", "each once")


def _check_scores(doc: Doc, scores: list[float], count: int) -> None:
    require(len(scores) == count, doc, f"{len(scores)} scores of {count} spans", "one a span")
    for score in scores:
        require(isfinite(score) and 0 <= score <= 1, doc, f"the score {score}", "a number from 0 to 1")


def _check_relations(doc: Doc, rows: list[list[Any]], spans: list[tuple[int, int, str]]) -> None:
    inside = all(0 <= end < len(spans) for head, tail, *_ in rows for end in (head, tail))
    require(inside, doc, f"the relations {rows[:3]}", f"ends among the {len(spans)} spans of the group")
    _require_distinct(doc, [(head, tail, label) for head, tail, label, _ in rows], "the relations")
    # those that were predicted with coherence = "off"
    free = {(x.start, x.end, x.label_) for x in doc.spans[RELATIONS] if " free " in x.kb_id_}
    joined = 0
    for relation in doc._.relations:
        ends = [(end.start, end.end, end.label_) for end in (relation.head, relation.tail)]
        for end in ends:
            require(
                end in spans or end in free, doc, f"a relation with the end {end}", "a member of the group"
            )
        joined += free.isdisjoint(ends)
    require(joined == len(rows), doc, f"{joined} relations of {len(rows)} rows", "all")
    _check_scores(doc, [score for *_, score in rows], len(rows))


def _check_ents(doc: Doc, spans: set[tuple[int, int, str]]) -> None:
    for left, right in pairwise(doc.ents):
        require(left.end <= right.start, doc, f"the overlapping ents {left!r} and {right!r}", "none")
    strange = [ent for ent in doc.ents if (ent.start, ent.end, ent.label_) not in spans]
    require(not strange, doc, f"the ents {strange[:3]}", "members of the group")

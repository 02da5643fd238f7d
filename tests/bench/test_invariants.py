"""Each invariant, and that a Doc which breaks it is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_bispn.annotations import KEY, write
from spacy_bispn.bench.invariants import Violation, check_bytes, check_doc, check_same
from spacy_bispn.records import Entity, Extraction, Relation

NLP = spacy.blank("en")
TEXT = "Tem2 binds Dal92"
A, B, BOTH = Entity(0, 4, "GENE", 0.9), Entity(11, 16, "GENE", 0.8), Entity(0, 16, "COMPLEX", 0.5)


LINKS = (Relation(A, B, "BINDS", 0.7),)


def annotated(*entities: Entity, relations: tuple[Relation[Entity], ...] = LINKS) -> Doc:
    doc = NLP.make_doc(TEXT)
    write(doc, Extraction(entities or (A, B, BOTH), relations))
    return doc


def test_what_the_component_writes_holds() -> None:
    doc = annotated()
    check_doc(doc, NLP.make_doc(TEXT))
    check_bytes(doc)
    check_same(doc, annotated())


def test_a_relation_may_have_ends_that_were_predicted_without_entities() -> None:
    doc = annotated(A, relations=LINKS)
    check_doc(doc, NLP.make_doc(TEXT))
    check_bytes(doc)
    doc.spans["bispn-relations"] = []
    assert not doc._.relations
    doc = annotated(A, B)
    doc.spans["bispn-relations"] = list(doc.spans["bispn-relations"])[:1]
    with pytest.raises(Violation, match="0 relations of 1 rows"):
        check_doc(doc, NLP.make_doc(TEXT))


def score(value: float) -> Callable[[Doc], None]:
    def put(doc: Doc) -> None:
        doc.spans[KEY].attrs["scores"] = [value, 0.5, 0.5]

    return put


def rows(*found: list[object]) -> Callable[[Doc], None]:
    def put(doc: Doc) -> None:
        doc.spans[KEY].attrs["relations"] = list(found)

    return put


def group(*places: tuple[int, int]) -> Callable[[Doc], None]:
    def put(doc: Doc) -> None:
        attrs = {"scores": [0.5] * len(places), "relations": []}
        doc.spans[KEY] = [Span(doc, start, end, label="GENE") for start, end in places]
        doc.spans[KEY].attrs.update(attrs)

    return put


def strange_ent(doc: Doc) -> None:
    doc.ents = [Span(doc, 1, 2, label="VERB")]


def no_group(doc: Doc) -> None:
    del doc.spans[KEY]


@pytest.mark.parametrize(
    ("spoil", "found", "expected"),
    [
        (no_group, "no group 'bispn'", "one on every Doc"),
        (group((1, 1)), "the span 1 to 1", "0 <= start < end <= 3"),
        (group((0, 1), (0, 1)), r"the spans \[\(0, 1, 'GENE'\)\] more than once", "each once"),
        (score(float("nan")), "the score nan", "from 0 to 1"),
        (score(1.5), "the score 1.5", "from 0 to 1"),
        (score(-0.1), "the score -0.1", "from 0 to 1"),
        (rows([0, 3, "BINDS", 0.5]), r"the relations \[\[0, 3, 'BINDS', 0.5\]\]", "among the 3 spans"),
        (rows([0, 1, "BINDS", 0.5], [0, 1, "BINDS", 0.4]), "the relations .* more than once", "each once"),
        (rows([0, 1, "BINDS", float("inf")]), "the score inf", "from 0 to 1"),
        (strange_ent, r"the ents \[binds\]", "members of the group"),
    ],
)
def test_a_broken_invariant_is_named(spoil: Callable[[Doc], None], found: str, expected: str) -> None:
    doc = annotated()
    spoil(doc)
    with pytest.raises(Violation, match=f"'Tem2 binds Dal92' has {found}, expected .*{expected}"):
        check_doc(doc, NLP.make_doc(TEXT))


def test_a_score_is_missing() -> None:
    doc = annotated()
    doc.spans[KEY].attrs["scores"].pop()
    with pytest.raises(Violation, match="2 scores of 3 spans, expected one a span"):
        check_doc(doc, NLP.make_doc(TEXT))


@pytest.mark.parametrize(
    ("other", "found"),
    [("Tem2 binds Dal93", "the text 'Tem2 binds Dal92'"), (None, "other tokens")],
)
def test_text_and_tokens_stay(other: str | None, found: str) -> None:
    untouched = Doc(NLP.vocab, words=["Tem2 binds", "Dal92"], spaces=[True, False])
    if other is not None:
        untouched = NLP.make_doc(other)
    with pytest.raises(Violation, match=f"has {found}, expected"):
        check_doc(annotated(), untouched)


def test_two_answers_differ() -> None:
    with pytest.raises(
        Violation, match=r"has None as score of Entity.*COMPLEX.*, expected 0\.5.*: this is a bug"
    ):
        check_same(annotated(), annotated(A, B))
    with pytest.raises(
        Violation, match=r"has 0\.7 as score of Relation.*BINDS.*, expected None.*: this is a bug"
    ):
        check_same(annotated(relations=()), annotated())


def test_scores_may_differ_a_little() -> None:
    near, far = (annotated(A, B, Entity(0, 16, "COMPLEX", 0.5 + by)) for by in (5e-5, 2e-4))
    check_same(annotated(), near)
    with pytest.raises(
        Violation, match=r"has 0\.5002 as score of .*COMPLEX.*, expected 0\.5 \(within 0\.0001\)"
    ):
        check_same(annotated(), far)

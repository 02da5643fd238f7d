"""What stands on a Doc: entities, relations and scores, and that they survive all that spaCy does."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from spacy_bispn.annotations import (
    KEY,
    flat,
    get_relations,
    has_entities,
    has_relations,
    read,
    set_relations,
    write,
)
from spacy_bispn.doc_utils import as_doc, from_docs
from spacy_bispn.records import Entity, Extraction, Relation

NLP = spacy.blank("en")
TEXT = "IL-2 positive T cells bind 中文 ."
IL2, CELLS, POSITIVE = Entity(0, 4, "GENE", 0.9), Entity(14, 21, "CELL", 0.5), Entity(0, 21, "CELL", 0.75)
CHINESE = Entity(27, 29, "GENE", 0.25)
NESTED = Extraction(
    (IL2, POSITIVE, CELLS, CHINESE),
    (
        Relation(IL2, POSITIVE, "INHIBITS", 0.5),
        Relation(IL2, POSITIVE, "BINDS", 0.25),
        Relation(CHINESE, CHINESE, "BINDS", 0.125),
    ),
)


# as `coherence = "off"` predicts
FREE = Extraction((IL2,), (Relation(IL2, POSITIVE, "BINDS", 0.5), Relation(CHINESE, CELLS, "BINDS", 0.25)))


def written(extraction: Extraction, text: str = TEXT) -> Doc:
    doc = NLP.make_doc(text)
    assert write(doc, extraction) == 0
    return doc


def scores(extraction: Extraction) -> list[float]:
    """Scores, which equality does not see."""
    return [item.score for item in (*extraction.entities, *extraction.relations)]


def through_docbin(doc: Doc) -> Doc:
    (back,) = DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(NLP.vocab)
    return back


JOURNEYS: dict[str, Callable[[Doc], Doc]] = {
    "nothing": lambda doc: doc,
    "to_bytes": lambda doc: Doc(NLP.vocab).from_bytes(doc.to_bytes()),
    "to_bytes into another vocabulary": lambda doc: Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes()),
    "to_dict": lambda doc: Doc(NLP.vocab).from_dict(doc.to_dict()),
    "a default DocBin": through_docbin,
    "copy": lambda doc: doc.copy(),
    "pickle": lambda doc: pickle.loads(pickle.dumps(doc)),
}


@pytest.mark.parametrize("journey", JOURNEYS)
@pytest.mark.parametrize("extraction", [NESTED, FREE, Extraction((IL2,)), Extraction()])
def test_what_is_written_is_read(extraction: Extraction, journey: str) -> None:
    doc = JOURNEYS[journey](written(extraction))
    assert read(doc) == Extraction(tuple(sorted(extraction.entities)), extraction.relations)
    assert sorted(scores(read(doc))) == sorted(scores(extraction))
    assert has_entities(doc) and has_relations(doc)
    assert [(x.head.text, x.label, x.tail.text, x.score) for x in doc._.relations] == [
        (TEXT[x.head.start : x.head.end], x.label, TEXT[x.tail.start : x.tail.end], x.score)
        for x in extraction.relations
    ]


def test_a_copy_is_independent() -> None:
    doc = written(NESTED)
    copy = doc.copy()
    copy._.relations = []
    assert len(doc._.relations) == 3 and not copy._.relations


def test_relations_are_between_spans_of_the_group() -> None:
    doc = written(NESTED)
    for relation in doc._.relations:
        for span in (relation.head, relation.tail):
            assert isinstance(span, Span) and span.doc is doc
            assert span in list(doc.spans[KEY])


def test_an_untouched_doc_says_nothing() -> None:
    doc = NLP.make_doc(TEXT)
    assert read(doc) == Extraction() and doc._.relations == ()
    assert not has_entities(doc) and not has_relations(doc)


def test_an_empty_doc_can_be_written_to() -> None:
    doc = written(Extraction(), "")
    assert read(doc) == Extraction() and doc._.relations == () and has_relations(doc)


def test_entities_without_a_group_are_those_of_doc_ents() -> None:
    doc = NLP.make_doc(TEXT)
    doc.ents = [Span(doc, 0, 1, label="GENE")]
    assert read(doc) == Extraction((IL2,))
    assert has_entities(doc) and not has_relations(doc)
    doc.ents = []
    assert read(doc) == Extraction() and has_entities(doc), "there are none, as somebody said"


# doc._.relations = ...


def test_relations_can_be_given_between_doc_ents() -> None:
    doc = NLP.make_doc(TEXT)
    doc.ents = [Span(doc, 0, 1, label="GENE"), Span(doc, 2, 4, label="CELL")]
    doc._.relations = [Relation(doc.ents[0], doc.ents[1], "INHIBITS")]
    assert read(doc) == Extraction((IL2, CELLS), (Relation(IL2, CELLS, "INHIBITS"),))
    assert doc._.relations[0].score == 1.0
    assert [span.label_ for span in doc.ents] == ["GENE", "CELL"], "doc.ents stays as it is"


def test_new_arguments_join_the_group() -> None:
    doc = written(Extraction((IL2,)))
    new = Span(doc, 0, 4, label="CELL")
    doc._.relations = [Relation(doc.spans[KEY][0], new, "INHIBITS"), Relation(new, new, "BINDS")]
    found = read(doc)
    assert found == Extraction(
        (IL2, POSITIVE), (Relation(IL2, POSITIVE, "INHIBITS"), Relation(POSITIVE, POSITIVE, "BINDS"))
    )
    assert [entity.score for entity in found.entities] == [0.9, 1.0], "old scores stay"


def test_an_argument_without_a_label_is_the_entity_at_its_place() -> None:
    doc = written(Extraction((IL2, CELLS)))
    doc._.relations = [Relation(doc[0:1], doc.char_span(14, 21), "INHIBITS")]
    assert read(doc) == Extraction((IL2, CELLS), (Relation(IL2, CELLS, "INHIBITS"),))


def test_an_argument_without_a_label_that_is_no_entity_is_refused() -> None:
    doc = NLP.make_doc(TEXT)
    with pytest.raises(ValueError, match=r"argument 'IL-2' without a label, expected one of .*set doc\.ents"):
        doc._.relations = [Relation(doc[0:1], doc[2:4], "INHIBITS")]
    assert not has_relations(doc) and read(doc) == Extraction()


def test_assigning_replaces_and_an_empty_list_says_that_there_are_none() -> None:
    doc = written(NESTED)
    doc._.relations = doc._.relations[:1]
    assert len(doc._.relations) == 1
    doc._.relations = []
    assert doc._.relations == () and has_relations(doc) and len(read(doc).entities) == 4
    untouched = NLP.make_doc(TEXT)
    untouched._.relations = []
    assert has_relations(untouched)


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        (NLP.make_doc("IL-2 of another text")[0:1], "'IL-2'"),
        ("IL-2", "'IL-2'"),
        (None, "None"),
        ({"start": 0, "end": 4}, "{'start': 0"),
    ],
    ids=["a span of another text", "a text", "nothing", "a dict"],
)
def test_foreign_arguments_are_refused(foreign: object, shown: str) -> None:
    doc = written(Extraction((IL2,)))
    span = doc.spans[KEY][0]
    with pytest.raises(ValueError, match=r"Span\(doc, start, end, label") as caught:
        doc._.relations = [Relation(span, foreign, "BINDS")]
    for words in (f"was given the argument {shown}", "expected a Span of this Doc", "build arguments with"):
        assert words in str(caught.value)
    assert ("doc.char_span gives None" in str(caught.value)) == (foreign is None)
    assert doc._.relations == () and read(doc) == Extraction((IL2,)), "nothing has changed"


@pytest.mark.parametrize("label", [None, "", 17, NLP.vocab.strings.add("BINDS")])
def test_a_relation_whose_label_is_no_text_is_refused(label: object) -> None:
    doc = written(Extraction((IL2, CELLS)))
    head, tail = doc.spans[KEY]
    with pytest.raises(ValueError) as caught:
        doc._.relations = [Relation(head, tail, label)]  # type: ignore[arg-type]
    for words in (f"was given the label {label!r}", "expected a text", "give a hash as nlp.vocab.strings"):
        assert words in str(caught.value)
    assert doc._.relations == ()


@pytest.mark.parametrize("score", [None, "0.5", float("nan"), float("inf")])
def test_a_relation_whose_score_is_no_number_is_refused(score: object) -> None:
    doc = written(Extraction((IL2, CELLS)))
    with pytest.raises(ValueError, match=r"given the score .*, expected a number: leave it out for 1"):
        doc._.relations = [Relation(*doc.spans[KEY], "BINDS", score)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "found", "advice"),
    [
        (None, "None, expected a list of Relations", "give an empty list"),
        ("BINDS", "'BINDS', expected a list of Relations", "give an empty list"),
        ([(0, 1, "BINDS")], r"(0, 1, 'BINDS'), expected a Relation", "spacy_bispn.Relation(head, tail"),
        ([{"head_pos": [0, 1], "label": "BINDS"}], "{'head_pos': [0, 1]", "spacy_bispn.use_extension"),
    ],
)
def test_what_is_no_list_of_relations_is_refused(given: Any, found: str, advice: str) -> None:
    doc = written(NESTED)
    with pytest.raises(ValueError) as caught:
        doc._.relations = given
    assert f"doc._.relations was given {found}" in str(caught.value) and advice in str(caught.value)
    assert len(doc._.relations) == 3


def test_an_entity_without_a_label_is_named() -> None:
    doc = NLP.make_doc(TEXT)
    doc.spans[KEY] = [doc[0:1]]
    for look in (read, get_relations):
        with pytest.raises(ValueError) as caught:
            look(doc)
        for words in ("has no label", "expected a text", 'Span(doc, start, end, label="PROTEIN")'):
            assert words in str(caught.value)
    lacking = Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes(exclude=["spans"]))
    unknown = SpanGroup(lacking).from_bytes(
        SpanGroup(doc, spans=[Span(doc, 0, 1, label="RARE-1")]).to_bytes()
    )
    lacking.spans[KEY] = unknown
    with pytest.raises(
        ValueError, match=r"has the hash \d+, which is not in the vocabulary, expected a text"
    ):
        read(lacking)


def test_arguments_may_be_records_or_spans_of_the_same_text() -> None:
    expected = Extraction((IL2, CELLS), (Relation(IL2, CELLS, "INHIBITS"),))
    given = written(expected)
    for ends in ((IL2, CELLS), given._.relations[0], pickle.loads(pickle.dumps(given._.relations[0]))):
        head, tail = ends if isinstance(ends, tuple) else (ends.head, ends.tail)
        doc = NLP.make_doc(TEXT)
        doc._.relations = [Relation(head, tail, "INHIBITS")]
        assert read(doc) == expected
    doc = NLP.make_doc(TEXT)
    doc._.relations = [relation.to_dict() for relation in given._.relations]
    assert read(doc) == expected


def test_records_must_fit_the_tokens() -> None:
    doc = NLP.make_doc(TEXT)
    with pytest.raises(ValueError) as caught:
        set_relations(doc, [Relation(Entity(0, 2, "GENE"), CELLS, "INHIBITS")])
    for words in ("from 0 to 2", "expected characters that begin and end with tokens", "alignment_mode"):
        assert words in str(caught.value)
    with pytest.raises(ValueError, match=r"from 40 to 99, expected words of the text: leave it out"):
        set_relations(doc, [Relation(Entity(40, 99, "GENE"), CELLS, "INHIBITS")])
    assert not has_relations(doc)


def test_spans_appended_to_the_group_by_hand_are_entities() -> None:
    doc = written(NESTED)
    doc.spans[KEY].append(Span(doc, 6, 7, label="GENE"))
    found = read(doc)
    assert len(found.entities) == 5 and found.entities[-1].score == 1.0
    assert found.relations == NESTED.relations


def test_a_group_made_by_hand_needs_no_attributes() -> None:
    doc = NLP.make_doc(TEXT)
    doc.spans[KEY] = [Span(doc, 0, 1, label="GENE"), Span(doc, 0, 4, label="CELL")]
    assert read(doc) == Extraction((IL2, POSITIVE))
    assert has_entities(doc) and not has_relations(doc) and doc._.relations == ()
    doc.spans["other"] = SpanGroup(doc, name="other", spans=[doc[0:2]])
    assert read(doc) == Extraction((IL2, POSITIVE)), "other groups are other people's"


# doc.ents


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        ([IL2, POSITIVE, CELLS], [IL2, CELLS]),  # the best one first, then what still fits
        ([Entity(0, 4, "GENE", 0.5), Entity(0, 21, "CELL", 0.5), CELLS], [POSITIVE]),  # equal: the longest
        ([Entity(0, 4, "GENE", 0.2), POSITIVE, CELLS, CHINESE], [POSITIVE, CHINESE]),
        ([], []),
    ],
)
def test_doc_ents_are_the_best_that_do_not_overlap(entities: list[Entity], expected: list[Entity]) -> None:
    doc = written(Extraction(tuple(entities)))
    assert [Entity(x.start_char, x.end_char, x.label_) for x in doc.ents] == expected
    assert len(doc.spans[KEY]) == len(entities), "the group has them all"


@pytest.mark.parametrize("others", [True, False])
def test_entities_of_others_stay_and_a_second_pass_replaces_ours(others: bool) -> None:
    doc = NLP.make_doc(TEXT)
    doc.ents = [Span(doc, 1, 2, label="OTHER")] if others else []
    theirs = ["OTHER"] if others else []
    write(doc, Extraction((IL2, POSITIVE, CHINESE)))
    assert [x.label_ for x in doc.ents] == ["GENE", *theirs, "GENE"], "POSITIVE overlaps what is there"
    write(doc, Extraction((CELLS,)))
    assert [x.label_ for x in doc.ents] == [*theirs, "CELL"]
    write(doc, Extraction())
    assert [x.label_ for x in doc.ents] == theirs
    assert all(token.ent_iob_ == "O" for token in doc if token.ent_type_ != "OTHER"), "no token is left open"


def test_flat_keeps_what_it_is_told_to_keep() -> None:
    doc = NLP.make_doc(TEXT)
    kept, inside, after = doc[0:3], doc[1:2], doc[3:4]
    assert flat([inside, after], [0.9, 0.1], [kept]) == [kept, after]


# Tokens and characters


@pytest.mark.parametrize(
    ("entities", "tokens", "widened"),
    [
        ([Entity(0, 4, "GENE")], ["IL-2"], 0),
        ([Entity(0, 2, "GENE")], ["IL-2"], 1),
        ([Entity(3, 6, "GENE")], ["IL-2 positive"], 1),
        ([Entity(0, 2, "GENE"), Entity(3, 4, "GENE")], ["IL-2"], 2),  # two become one
        ([Entity(0, 2, "GENE"), Entity(3, 4, "CELL")], ["IL-2", "IL-2"], 2),
        ([Entity(0, 99, "GENE")], [], 0),  # not of this text
    ],
)
def test_spans_are_widened_to_tokens_and_counted(
    entities: list[Entity], tokens: list[str], widened: int
) -> None:
    doc = NLP.make_doc(TEXT)
    assert write(doc, Extraction(tuple(entities))) == widened
    assert [span.text for span in doc.spans[KEY]] == tokens


def test_two_entities_that_become_one_are_not_related_to_themselves() -> None:
    left, right = Entity(0, 2, "GENE"), Entity(3, 4, "GENE")
    relations = (Relation(left, right, "BINDS"), Relation(left, left, "INHIBITS"))
    doc = NLP.make_doc(TEXT)
    write(doc, Extraction((left, right), relations))
    assert read(doc) == Extraction((IL2,), (Relation(IL2, IL2, "INHIBITS"),))


def test_what_becomes_equal_is_one_with_the_best_score() -> None:
    left, right = Entity(0, 2, "GENE", 0.4), Entity(3, 4, "GENE", 0.8)
    doc = NLP.make_doc(TEXT)
    write(
        doc,
        Extraction(
            (left, right, CELLS), (Relation(left, CELLS, "BINDS", 0.3), Relation(right, CELLS, "BINDS", 0.2))
        ),
    )
    found = read(doc)
    assert found == Extraction((IL2, CELLS), (Relation(IL2, CELLS, "BINDS"),))
    assert scores(found) == [0.8, 0.5, 0.3]


def test_relations_without_entities_go_where_their_docs_go() -> None:
    merged = written(FREE)
    with merged.retokenize() as retokenizer:
        retokenizer.merge(merged[1:5])
    joined = from_docs([NLP.make_doc("Here:"), written(FREE)])
    assert joined is not None
    part = as_doc(joined[joined.char_span(6, 10).start :])
    for doc in (merged, part, JOURNEYS["a default DocBin"](part)):
        assert read(doc) == FREE
        assert [relation.tail.text for relation in get_relations(doc)] == ["IL-2 positive T cells", "T cells"]
    assert [x.head.start - 6 for x in read(joined).relations] == [IL2.start, CHINESE.start]


def test_a_relation_goes_with_its_entity_but_not_with_what_never_was_one() -> None:
    doc = written(FREE)
    doc.spans[KEY] = []
    assert [(x.head, x.tail) for x in read(doc).relations] == [(CHINESE, CELLS)]
    set_relations(doc, get_relations(doc))
    # whoever assigns relations says that their ends are entities
    assert {*read(doc).entities} == {CELLS, CHINESE}


def test_what_predictions_know_of_themselves_is_kept_until_relations_are_assigned() -> None:
    for journey in JOURNEYS.values():
        assert read(journey(written(replace(FREE, joined=(1, 2))))).joined == (1, 2)
    doc = written(replace(FREE, joined=(1, 2)))
    set_relations(doc, [])
    assert read(doc).joined is None

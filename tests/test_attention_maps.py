"""The attention between the queries of a text, with what each of them says."""

from __future__ import annotations

import pytest
from pipelines import demo_texts, initialize, make_nlp, pipe_of, tiny
from spacy.language import Language

from spacy_bispn.attention_maps import attention_map
from spacy_bispn.records import Entity, Relation

ZERO = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}
SIZES = {"queries": "learned", "entity_queries": 6, "relation_queries": 4}
TEXT = demo_texts(1)[0].text


@pytest.fixture(scope="module")
def nlp() -> Language:
    """Untrained, but without thresholds, so that every query says something."""
    nlp = make_nlp(tiny(SIZES, **ZERO))
    initialize(nlp, [text for text in demo_texts(6) if len(text.extraction.relations) <= 2])
    return nlp


def test_every_query_has_a_row_or_a_column_and_says_what_the_component_says(nlp: Language) -> None:
    found = attention_map(pipe_of(nlp), nlp(TEXT))
    assert found.text == TEXT
    assert len(found.weights) == len(found.entities) == 6
    assert {len(row) for row in found.weights} == {len(found.relations)} == {4}
    assert [sum(column) for column in zip(*found.weights, strict=True)] == pytest.approx([1.0] * 4)
    # relations are made coherent afterwards, entities only lose their duplicates
    (predicted,) = pipe_of(nlp).predict([nlp.make_doc(TEXT)])
    assert {one for one in found.entities if one} == set(predicted.entities)
    assert {one.label for one in found.relations if one} >= {one.label for one in predicted.relations}


def test_queries_that_say_nothing_come_last_with_their_weights(nlp: Language) -> None:
    pipe, doc = pipe_of(nlp), nlp(TEXT)
    all_said = attention_map(pipe, doc)
    scores = sorted({one.score for one in all_said.entities if one})
    kept = dict(pipe.cfg)
    try:
        pipe.cfg = {**kept, "type_threshold": 1.0, "relation_threshold": 1.0}
        silent = attention_map(pipe, doc)
    finally:
        pipe.cfg = kept
    assert scores and silent.entities == [None] * 6 and silent.relations == [None] * 4
    flat = sorted(weight for row in all_said.weights for weight in row)
    assert sorted(weight for row in silent.weights for weight in row) == pytest.approx(flat)


def test_an_entity_is_joined_to_the_relations_it_is_an_end_of(nlp: Language) -> None:
    found = attention_map(pipe_of(nlp), nlp(TEXT))
    head, tail, third = Entity(0, 2, "A"), Entity(3, 5, "A"), Entity(6, 8, "A")
    object.__setattr__(found, "entities", [head, third, None])
    object.__setattr__(found, "relations", [Relation(head, tail, "R"), Relation(tail, third, "R"), None])
    joined = [[found.joined(row, column) for column in range(3)] for row in range(3)]
    assert joined == [[True, False, False], [False, True, False], [False, False, False]]


def test_a_text_of_several_windows_is_refused() -> None:
    nlp = make_nlp(tiny({**SIZES, "window": 16, "overlap": 4}))
    initialize(nlp, [text for text in demo_texts(6) if len(text.extraction.relations) <= 2])
    with pytest.raises(ValueError, match=r"read in \d windows, expected 1: give a text of 1 to 16 pieces"):
        attention_map(pipe_of(nlp), nlp(TEXT))
    with pytest.raises(ValueError, match="read in 0 windows, expected 1"):
        attention_map(pipe_of(nlp), nlp(""))


def test_a_text_without_proposals_is_refused() -> None:
    nlp = make_nlp(tiny({"proposal_floor": 0.99}))
    initialize(nlp, demo_texts(4))
    with pytest.raises(ValueError) as error:
        attention_map(pipe_of(nlp), nlp(TEXT))
    for words in ("0 entity and 0 relation queries", "expected some of each", "lower proposal_floor"):
        assert words in str(error.value)

"""Entities that are given: what is learnt beside them, and what the network is told."""

from __future__ import annotations

from typing import Any

import pytest
import spacy
import torch
from pipelines import demo_texts, initialize, make_nlp, pipe_of, tiny
from spacy.tokens import Doc, Span

from spacy_bispn.model.decoding import Decoding
from spacy_bispn.model.given import GivenEntities, beside
from spacy_bispn.records import Entity, Extraction, Labels, Relation
from spacy_bispn.settings import SettingError

A, B, C = Entity(0, 4, "GENE"), Entity(5, 9, "CELL"), Entity(10, 14, "GENE")
A_AS_CELL = Entity(0, 4, "CELL")
GOLD = Extraction((A, B, C), (Relation(A, B, "BINDS"), Relation(C, B, "INHIBITS")))
LABELS = Labels(("GENE", "CELL"), ("BINDS", "INHIBITS"), ())


A_UNKNOWN = Entity(0, 4, "UNHEARD_OF")


@pytest.mark.parametrize(
    ("given", "alone", "entities", "relations"),
    [
        ((A, B, C), True, (A, B, C), GOLD.relations),
        ((), True, (), GOLD.relations),
        ((), False, (A, B, C), GOLD.relations),
        ((A, B), True, (A, B), GOLD.relations),
        ((A, B), False, (A, B, C), GOLD.relations),
        # a wrong label: the relation is that of the span that was given
        ((A_AS_CELL, B), True, (B, A_AS_CELL), (Relation(A_AS_CELL, B, "BINDS"), Relation(C, B, "INHIBITS"))),
        ((A_AS_CELL,), False, (A_AS_CELL, B, C), (Relation(A_AS_CELL, B, "BINDS"), GOLD.relations[1])),
        # of several labels, that of the gold
        ((A_AS_CELL, A, B), True, (A, B, A_AS_CELL), GOLD.relations),
        # a label that the model does not know: that of the gold is learnt
        ((A_UNKNOWN, B), True, (B, A), GOLD.relations),
        ((Entity(1, 3, "UNHEARD_OF"), B), True, (B,), GOLD.relations),
    ],
)
def test_what_is_learnt_beside_given_entities(
    given: tuple[Entity, ...], alone: bool, entities: tuple[Entity, ...], relations: tuple[Any, ...]
) -> None:
    learnt, own = beside(GOLD, given, {"GENE", "CELL"}, alone)
    assert learnt == Extraction(entities, relations)
    assert all((x.start, x.end) == (y.start, y.end) and y in given for x, y in own.items())
    assert set(own) <= set(entities)


@pytest.fixture
def doc() -> Doc:
    return spacy.blank("en")("aaaa bbbb cccc")


def texts(given: GivenEntities, doc: Doc, gold: Extraction = GOLD) -> list[tuple[Entity, ...]]:
    _, found = given.taught([doc], [gold], [], LABELS)
    return list(found.by_text)


def test_gold_is_given_where_no_component_has_looked_for_entities(doc: Doc) -> None:
    given = GivenEntities("given", "mine")
    assert texts(given, doc) == [GOLD.entities]
    doc.ents = []  # an NER that found nothing
    assert texts(given, doc) == [()]


def test_the_entities_of_doc_ents_and_of_the_group_are_given_once_each(doc: Doc) -> None:
    doc.ents = [doc.char_span(0, 4, "GENE")]
    doc.spans["mine"] = [
        doc.char_span(0, 4, "GENE"),
        doc.char_span(0, 4, "CELL"),
        doc.char_span(0, 9, "CELL"),
    ]
    doc.spans["others"] = [doc.char_span(10, 14, "CELL")]
    expected = (A_AS_CELL, A, Entity(0, 9, "CELL"))
    assert texts(GivenEntities("given", "mine"), doc) == [expected]
    assert texts(GivenEntities("given", "mine", with_ents=False), doc) == [expected]
    assert texts(GivenEntities("given", "none"), doc) == [(A,)]


def test_where_others_are_found_too_about_half_of_the_gold_is_given(doc: Doc) -> None:
    torch.manual_seed(0)
    gold = Extraction(tuple(Entity(n, n + 1, "GENE") for n in range(1000)))
    [found] = texts(GivenEntities("both", "mine"), doc, gold)
    assert 400 < len(found) < 600 and set(found) < set(gold.entities)


def test_predicted_entities_are_never_given(doc: Doc) -> None:
    doc.ents = [doc.char_span(0, 4, "GENE")]
    given = GivenEntities("predicted", "mine")
    gold, found = given.taught([doc], [GOLD], [], LABELS)
    assert gold == [GOLD] and not found.by_text and found.of_windows([0]) == [()]
    assert found.joined_by([GOLD]) == [GOLD] and found.adapt(Decoding()) == Decoding()


def test_unknown_labels_are_named_once_with_their_number(doc: Doc, caplog: Any) -> None:
    doc.ents = [doc.char_span(0, 4, "DRUG"), doc.char_span(5, 9, "DRUG")]
    given = GivenEntities("given", "mine")
    for _ in range(2):
        given.of([doc], [], LABELS)
    assert caplog.text.count("given entities have labels that the model does not know: DRUG (2)") == 1
    assert "train with these labels, or rename them" in caplog.text


OVERLAPS = ["remove_overlaps is True", "expected false with entities", "set it to false"]


@pytest.mark.parametrize("entities", ["given", "both"])
def test_what_contradicts_given_entities_later_is_refused_as_well(entities: str) -> None:
    nlp = make_nlp(tiny(entities=entities))
    initialize(nlp, demo_texts(2))
    pipe_of(nlp).cfg["remove_overlaps"] = True
    with pytest.raises(SettingError) as error:
        nlp("Tem2 binds Dal92.")
    assert all(word in str(error.value) for word in OVERLAPS)


@pytest.mark.parametrize("entities", ["given", "both"])
@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            tiny({"queries": "learned"}),
            ["entities is", 'expected "predicted" with queries = "learned"', "set queries"],
        ),
        (tiny(remove_overlaps=True), OVERLAPS),
    ],
)
def test_settings_that_contradict_given_entities(
    entities: str, config: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(SettingError) as error:
        make_nlp({**config, "entities": entities})
    assert all(word in str(error.value) for word in words)


def test_what_is_no_entity_is_left_out_with_a_warning(doc: Doc, caplog: Any) -> None:
    spaced = spacy.blank("en")("aaaa   bbbb")
    spaced.spans["mine"] = [spaced[0:2], Span(spaced, 1, 2, "GENE"), Span(spaced, 0, 2, "GENE")]
    given = GivenEntities("given", "mine")
    assert texts(given, spaced) == [(A,)] == texts(given, spaced)
    assert caplog.text.count("without a label, or of white space alone, are left out, such as") == 1
    assert "give them a label that the model knows" in caplog.text


def test_ids_are_kept_and_no_id_is_none(doc: Doc) -> None:
    doc.ents = [Span(doc, 0, 1, "GENE", kb_id="NIL")]
    doc.spans["mine"] = [Span(doc, 0, 1, "GENE", kb_id="Q1")]
    [(found,)] = texts(GivenEntities("given", "mine"), doc)
    assert found.kb_id == "Q1"

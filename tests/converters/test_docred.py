"""DocRED: mentions of vertices, positions in sentences, labels between vertices."""

import json

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.docred import read_docred
from spacy_bispn.records import Entity, Relation

SENTENCES = [["ORC", "binds", "ATP", "."], ["It", "does", "."]]
ORC, IT, ATP = Entity(0, 3, "protein"), Entity(16, 18, "pronoun"), Entity(10, 13, "chemical")


def mention(sentence, start, end, label, **more):
    return {"sent_id": sentence, "pos": [start, end], "type": label, **more}


VERTICES = [
    [mention(0, 0, 1, "protein", name="ORC"), mention(1, 0, 1, "pronoun", name="It")],
    [mention(0, 2, 3, "chemical", name="ATP")],
]
ITEM = {"title": "a", "sents": SENTENCES, "vertexSet": VERTICES}


@pytest.fixture
def read(tmp_path):
    def read_items(*items, **settings):
        path = tmp_path / "corpus.json"
        path.write_text(json.dumps(items))
        return read_docred(path, **settings)

    return read_items


def label(head, tail, name="binds", **more):
    return {"h": head, "t": tail, "r": name, **more}


def test_every_mention_is_an_entity_and_words_are_prescribed(read):
    (text,) = read(ITEM).texts
    assert (text.id, text.text) == ("a", "ORC binds ATP . It does .")
    assert text.words == ("ORC", "binds", "ATP", ".", "It", "does", ".")
    assert text.extraction.entities == (ORC, IT, ATP)


def test_a_label_joins_every_mention_or_the_nearest(read):
    item = ITEM | {"labels": [label(0, 1, evidence=[0, 1]), label(1, 0, "of")]}
    conversion = read(item)
    assert conversion.texts[0].extraction.relations == (
        Relation(ORC, ATP, "binds"),
        Relation(IT, ATP, "binds"),
        Relation(ATP, ORC, "of"),
        Relation(ATP, IT, "of"),
    )
    assert conversion.report.dropped == {"sentences that are evidence": 2}
    assert conversion.report.noted == {"relations between concepts": 2, "pairs of mentions made of them": 4}
    nearest = read(item, pairs="nearest").texts[0].extraction.relations
    assert nearest == (Relation(IT, ATP, "binds"), Relation(ATP, IT, "of"))


def test_a_vertex_related_to_itself_joins_its_mentions(read):
    conversion = read(ITEM | {"labels": [label(0, 0, "is"), label(1, 1, "is")]})
    assert conversion.texts[0].extraction.relations == (Relation(ORC, IT, "is"), Relation(IT, ORC, "is"))
    said = "item 0 in line 1: a 'is' relation was dropped, one mention for both ends"
    assert conversion.report.problems == [("a", said)]


def test_documents_without_labels_are_noted(read):
    conversion = read(ITEM, ITEM | {"title": "b", "labels": None}, ITEM | {"title": "c", "labels": []})
    assert conversion.report.noted == {"documents without 'labels'": 2}


def test_sentences_are_those_of_the_file(read):
    conversion = read(ITEM | {"labels": [label(0, 1)]}, level="sentence", starts=lambda text: [])
    assert [(text.id, text.text) for text in conversion.texts] == [
        ("a:0", "ORC binds ATP ."),
        ("a:1", "It does ."),
    ]
    assert conversion.report.relations == 1 and conversion.report.dropped == {
        "relations that join two texts": 1
    }


def test_a_name_that_is_not_at_its_place_is_a_problem(read):
    wrong = [[mention(0, 0, 1, "protein", name="ORD")], *VERTICES[1:]]
    conversion = read(ITEM | {"vertexSet": wrong})
    assert conversion.report.problems == [("a", "item 0 in line 1: the mention 'ORD' marks 'ORC'")]
    spaced = [[mention(0, 0, 2, "protein", name="ORCbinds")]]
    assert read(ITEM | {"vertexSet": spaced}).report.problems == []


def test_ids_and_lines(tmp_path):
    path = tmp_path / "corpus.jsonl"
    untitled = {"sents": SENTENCES, "vertexSet": VERTICES}
    path.write_text(f"{json.dumps(ITEM)}\n{json.dumps(untitled)}\n")
    assert [text.id for text in read_docred(path).texts] == ["a", "1"]


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"sents": None}, "'sents': None", "a value of type list"),
        ({"sents": [["a", 1]]}, "['a', 1]", "a list of [str, str]"),
        ({"sents": ["a b"]}, "'a b'", "a list of []"),
        ({"vertexSet": [1]}, "1", "a list of []"),
        ({"vertexSet": [[{"sent_id": 0}]]}, "the keys 'sent_id'", "the key 'pos'"),
        ({"vertexSet": [[mention(0, 0, 5, "x")]]}, "the span 0 to 5", "<= 4 tokens of sentence 0"),
        ({"vertexSet": [[mention(1, 2, 2, "x")]]}, "the span 2 to 2", "<= 3 tokens of sentence 1"),
        ({"vertexSet": [[mention(2, 0, 1, "x")]]}, "a relation to sentence 2", "one of 2"),
        ({"vertexSet": [[mention(0, 0, 1, " ")]]}, "the label ' '", "a label that is not blank"),
        ({"labels": [label(0, 2)]}, "a relation to vertex 2", "one of 2, counted from 0"),
        ({"labels": [{"h": 0, "t": 1}]}, "the keys 'h', 't'", "the key 'r'"),
        ({"title": []}, "'title': []", "a string or a whole number"),
    ],
)
def test_malformed_documents_are_named(read, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read(ITEM, ITEM | change)
    for part in ("corpus.json, item 1 in line 1: found " + found, expected):
        assert part in str(error.value)


def test_ids_are_strings_or_numbers_and_keys_that_are_not_read_are_counted(read):
    vertices = [[VERTICES[0][0] | {"global_pos": [0, 0], "wiki": "Q1"}], VERTICES[1]]
    conversion = read(ITEM | {"title": 17, "vertexSet": vertices, "labels": [], "na_triple": [[0, 1]]})
    assert conversion.texts[0].id == "17"
    assert conversion.report.dropped == {
        "values of the key 'na_triple' of documents": 1,
        "values of the key 'wiki' of mentions": 1,
    }

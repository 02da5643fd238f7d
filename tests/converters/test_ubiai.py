"""UBIAI: spans by their offsets, relations by the first tokens of spans."""

import json

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.ubiai import read_ubiai
from spacy_bispn.records import Entity, Relation

TEXT = "3+ years of Swift & C"


def span(start, end, first, label, **more):
    return {
        "text": TEXT[start:end],
        "start": start,
        "end": end,
        "token_start": first,
        "token_end": first,
        "entityLabel": label,
        **more,
    }


SPANS = [span(0, 8, 0, "TIME"), span(12, 17, 4, "SKILL"), span(20, 21, 6, "SKILL")]
TIME, SWIFT, C = Entity(0, 8, "TIME"), Entity(12, 17, "SKILL"), Entity(20, 21, "SKILL")
ITEM = {"documentName": "a.txt", "document": TEXT, "tokens": SPANS}


@pytest.fixture
def read(tmp_path):
    def read_items(*items, **settings):
        path = tmp_path / "corpus.json"
        path.write_text(json.dumps(items))
        return read_ubiai(path, **settings)

    return read_items


def link(head, child, label="IN"):
    return {"head": head, "child": child, "relationLabel": label}


def test_a_relation_leads_from_its_head_to_its_child(read):
    (text,) = read(ITEM | {"relations": [link(0, 4), link(6, 0, "OF")]}).texts
    assert (text.id, text.text, text.words) == ("a.txt", TEXT, None)
    assert text.extraction.entities == (TIME, SWIFT, C)
    assert text.extraction.relations == (Relation(TIME, SWIFT, "IN"), Relation(C, TIME, "OF"))


def test_of_two_spans_at_one_token_relations_mean_the_first(read):
    spans = [span(0, 2, 0, "NUMBER"), *SPANS]
    (text,) = read(ITEM | {"tokens": spans, "relations": [link(0, 4)]}).texts
    assert text.extraction.relations == (Relation(Entity(0, 2, "NUMBER"), SWIFT, "IN"),)


def test_relations_of_spans_that_are_not_there_are_problems(read):
    conversion = read(ITEM | {"relations": [link(0, 5), link(0, 4)]})
    assert conversion.report.relations == 1
    assert conversion.report.dropped == {"relations of spans that are not there": 1}
    assert conversion.report.problems == [
        ("a.txt", "a 'IN' relation of the tokens 0 and 5 was dropped, no span begins there")
    ]


def test_spans_without_a_label_and_documents_without_relations_or_name(read):
    unnamed = {"document": TEXT, "tokens": [*SPANS, span(9, 11, 3, None)], "relations": None}
    conversion = read(unnamed, ITEM)
    assert [text.id for text in conversion.texts] == ["0", "a.txt"]
    assert conversion.report.dropped == {"spans without a label": 1}


def test_ids_are_strings_or_numbers_and_keys_that_are_not_read_are_counted(read):
    conversion = read(ITEM | {"documentName": 17, "classifications": ["cv"], "status": None})
    assert conversion.texts[0].id == "17"
    assert conversion.report.dropped == {"values of the key 'classifications' of documents": 1}


def test_a_span_that_is_not_where_it_should_be_is_a_problem(read):
    conversion = read(ITEM | {"tokens": [*SPANS[1:], SPANS[0] | {"text": "4+ years"}]})
    assert conversion.report.problems == [
        ("a.txt", "item 0 in line 1: the mention '4+ years' marks '3+ years'")
    ]
    shifted = [one | {"start": one["start"] + 1, "end": one["end"]} for one in SPANS[:2]]
    with pytest.raises(ConversionError, match=r"found 2 of the 2 mentions in 'a\.txt' elsewhere"):
        read(ITEM | {"tokens": shifted})


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"document": 1}, "'document': 1", "a value of type str"),
        ({"tokens": None}, "'tokens': None", "a value of type list"),
        ({"tokens": [1]}, "1", "an object with the key 'start'"),
        ({"tokens": [span(0, 99, 0, "X")]}, "the span 0 to 99", "<= 21 characters"),
        ({"tokens": [span(0, 3, 0, 7)]}, "'entityLabel': 7", "a value of type str"),
        ({"relations": [{"head": 0, "child": 4}]}, "the keys 'head', 'child'", "the key 'relationLabel'"),
        ({"relations": [link(True, 4)]}, "'head': True", "a value of type int"),
        ({"documentName": 3.5}, "'documentName': 3.5", "a string or a whole number"),
    ],
)
def test_malformed_documents_are_named(read, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read(ITEM, ITEM | change)
    for part in ("corpus.json, item 1 in line 1: found " + found, expected):
        assert part in str(error.value)

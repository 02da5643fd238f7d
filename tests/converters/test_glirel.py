"""GLiREL's JSON Lines: tokens with ends included, arguments by their position."""

import json

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.glirel import read_glirel
from spacy_bispn.records import Entity, Relation

WORDS = ["Godstow", "and", "Binsey", "along", "the", "River", "Thames", "."]
BINSEY, THAMES = Entity(12, 18, "LOC"), Entity(29, 41, "Q19686")


def argument(start, end, kind="LOC"):
    return {"mention": " ".join(WORDS[start : end + 1]), "position": [start, end], "type": kind}


def relation(head, tail, text="next to"):
    return {"head": head, "tail": tail, "relation_text": text}


def item(**changes):
    return {
        "tokenized_text": WORDS,
        "ner": [[2, 2, "LOC", "Binsey"], [5, 6, "Q19686", "River Thames"]],
        "relations": [relation(argument(2, 2), argument(5, 6, "anything"))],
        **changes,
    }


@pytest.fixture
def read(tmp_path):
    def read_items(*items, **settings):
        path = tmp_path / "glirel.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in items), encoding="utf-8")
        return read_glirel(path, **settings)

    return read_items


def test_ends_are_included_and_types_of_arguments_may_be_anything(read):
    first, second = read(item(), item()).texts
    assert (first.id, second.id) == ("0", "1")
    assert (first.text, first.words) == (" ".join(WORDS), tuple(WORDS))
    assert first.extraction.entities == (BINSEY, THAMES)
    assert first.extraction.relations == (Relation(BINSEY, THAMES, "next to"),)


def test_an_entity_needs_no_text(read):
    assert read(item(ner=[[2, 2, "LOC"], [5, 6, "Q19686"]])).texts == read(item()).texts


def test_the_type_chooses_between_entities_at_one_place(read):
    ner = [[2, 2, "LOC"], [2, 2, "ORG"], [5, 6, "LOC"]]
    relations = [relation(argument(2, 2, kind), argument(5, 6)) for kind in ("ORG", "LOC", "other")]
    (text,) = read(item(ner=ner, relations=relations)).texts
    assert [x.head.label for x in text.extraction.relations] == ["ORG", "LOC"]


def test_explicit_negatives_are_no_relations(read):
    relations = [relation(argument(2, 2), argument(5, 6), text) for text in ("no relation", "SELF", "near")]
    conversion = read(item(relations=relations))
    assert [x.label for x in conversion.texts[0].extraction.relations] == ["SELF", "near"]
    assert read(item(relations=relations), negative=("SELF",)).report.dropped == {"negative relations": 1}


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        (
            {"ner": [[5, 7, "LOC", "River Thames"]]},
            "'River Thames' at 5 to 7, an exclusive end",
            "6, the last",
        ),
        ({"ner": [[7, 8, "LOC"]]}, "7 to 9", "end <= 8 tokens"),
        ({"ner": [[3, 2, "LOC"]]}, "3 to 3", "start < end"),
        ({"ner": [[3, "LOC"]]}, "[3, 'LOC']", "a list of [int, int, str]"),
        ({"relations": [relation(argument(0, 0), argument(5, 6))]}, "the span (0, 0)", "one of the 2 listed"),
        ({"relations": [{"head": argument(2, 2)}]}, "the keys 'head'", "the key 'tail'"),
        ({"relations": [relation(argument(2, 2), {"position": [5]})]}, "[5]", "a list of [int, int]"),
        ({"tokenized_text": "Binsey"}, "'tokenized_text': 'Binsey'", "type list"),
    ],
)
def test_malformed_items_are_named(read, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read(item(), item(**change))
    for part in ("glirel.jsonl, line 2", found, expected):
        assert part in str(error.value)


def test_a_text_that_is_spelled_otherwise_proves_nothing(read):
    assert read(item(ner=[[2, 2, "LOC", "binsey"], [5, 6, "LOC", "River  Thames"]])).report.entities == 2


def test_an_entity_whose_text_is_elsewhere_is_a_problem(read):
    conversion = read(item(ner=[[2, 2, "LOC", "Godstow"], [5, 6, "Q19686", "RiverThames"]]))
    assert conversion.texts[0].extraction.entities == (BINSEY, THAMES)
    assert conversion.report.problems == [("0", "line 1: the mention 'Godstow' marks 'Binsey'")]

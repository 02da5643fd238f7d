"""doccano's export of relations: arguments by the ids of entities."""

import json

import pytest

from spacy_bispn.converters import ConversionError, doccano
from spacy_bispn.records import Entity, Relation

TEXT = "Google was founded by Larry Page."
GOOGLE, PAGE = Entity(0, 6, "ORG"), Entity(22, 32, "PER")


def entity(number, start, end, label):
    return {"id": number, "label": label, "start_offset": start, "end_offset": end}


def item(**changes):
    return {
        "id": 3,
        "text": TEXT,
        "Comments": [],
        "entities": [entity(40, 0, 6, "ORG"), entity(41, 22, 32, "PER")],
        "relations": [{"id": 40, "from_id": 40, "to_id": 41, "type": "founder"}],
        **changes,
    }


@pytest.fixture
def read(tmp_path):
    def read_items(*items):
        path = tmp_path / "all.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in items), encoding="utf-8")
        return doccano.read(path)

    return read_items


def test_relations_name_entities_by_id(read):
    (text,) = read(item()).texts
    assert (text.id, text.text, text.words) == ("3", TEXT, None)
    assert text.extraction.entities == (GOOGLE, PAGE)
    assert text.extraction.relations == (Relation(GOOGLE, PAGE, "founder"),)


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"entities": [entity(40, 22, 34, "PER")], "relations": []}, "22 to 34", "end <= 33 characters"),
        (
            {"entities": [entity(40, 0, 6, "ORG"), entity(40, 22, 32, "PER")]},
            "two entities with the id 40",
            "one",
        ),
        ({"entities": [entity("40", 0, 6, "ORG")]}, "'id': '40'", "type int"),
        ({"entities": [[0, 6, "ORG"]]}, "[0, 6, 'ORG']", "an object with the key 'id'"),
        ({"relations": [{"from_id": 40, "to_id": 9, "type": "founder"}]}, "entity 9", "one of the 2 listed"),
        ({"relations": [{"from_id": 40, "type": "founder"}]}, "'from_id', 'type'", "the key 'to_id'"),
        ({"id": None}, "'id': None", "type int"),
    ],
)
def test_malformed_items_are_named(read, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read(item(), item(**change))
    for part in ("all.jsonl, line 2", found, expected):
        assert part in str(error.value)


def test_sequence_labels_without_relations_are_another_export(read):
    with pytest.raises(ConversionError, match="keys 'id', 'text', 'label', expected the key 'entities'"):
        read({"id": 1, "text": TEXT, "label": [[0, 6, "ORG"]]})

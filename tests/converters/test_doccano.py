"""doccano's export of relations: arguments by the ids of entities."""

import json

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.doccano import read_doccano
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
        return read_doccano(path)

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
        ({"entities": [entity(4.5, 0, 6, "ORG")]}, "'id': 4.5", "a string or a whole number"),
        ({"entities": [entity(None, 0, 6, "ORG")]}, "'id': None", "a value of type str"),
        ({"entities": [[0, 6, "ORG"]]}, "[0, 6, 'ORG']", "an object with the key 'id'"),
        (
            {"relations": [{"from_id": 40, "to_id": 9, "type": "founder"}]},
            "entity '9'",
            "one of the 2 listed",
        ),
        ({"relations": [{"from_id": 40, "type": "founder"}]}, "'from_id', 'type'", "the key 'to_id'"),
        ({"id": [3]}, "'id': [3]", "a string or a whole number"),
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


@pytest.mark.parametrize("names", [(40, 41), ("40", "41"), ("a", "b"), (40, "41")])
def test_ids_are_numbers_or_strings(read, names):
    first, second = names
    rows = [entity(first, 0, 6, "ORG"), entity(second, 22, 32, "PER")]
    link = {"id": "r", "from_id": str(first), "to_id": second, "type": "founder"}
    conversion = read(item(id="x7", entities=rows, relations=[link]), item(id=None), item())
    assert conversion.texts[0].extraction.relations == (Relation(GOOGLE, PAGE, "founder"),)
    assert [text.id for text in conversion.texts] == ["x7", "1", "3"]


def emoji(before, after, *words, unit="utf-16"):
    """A text with some emoji before its last part, and the entities that mark these words of it."""
    text = before + "🙂" * 3 + after
    shift = 3 if unit == "utf-16" else 0
    spots = [(text.index(word) + shift, word) for word in words]
    rows = [entity(n, start, start + len(word), "V") for n, (start, word) in enumerate(spots)]
    return {"id": 1, "text": text, "entities": rows, "relations": []}


def marked(conversion):
    return [text.text[x.start : x.end] for text in conversion.texts for x in text.extraction.entities]


UTF16 = "texts whose offsets count UTF-16 units"
CHARACTERS = "texts whose offsets count characters, though the tool may count UTF-16 units"


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("items", "found", "noted"),
    [
        ([emoji("", " we go to it", "go")], ["go"], {UTF16: 1}),  # nothing tells: as doccano does
        ([emoji("", " we went to it", "went"), emoji("ab ", " so", "so")], ["went", "so"], {UTF16: 2}),
        ([emoji("", " we went to it", "went", unit="chars")], ["went"], {CHARACTERS: 1}),
        # the first text fits both, the second tells
        (
            [emoji("", " we go to it", "we", unit="chars"), emoji("", " it rained", "rained", unit="chars")],
            ["we", "rained"],
            {CHARACTERS: 2},
        ),
        (
            [emoji("we went ", "", "went", unit="chars")],
            ["went"],
            {UTF16: 1},
        ),  # before them both are the same
        ([item()], ["Google", "Larry Page"], {}),
    ],
)
def test_what_offsets_count_is_told_by_the_words_of_the_whole_file(tmp_path, items, found, noted, lenient):
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(each) + "\n" for each in items), "utf-8")
    conversion = read_doccano(tmp_path / "all.jsonl", lenient=lenient)
    assert (marked(conversion), conversion.report.noted) == (found, noted)


def test_what_offsets_count_can_be_said(tmp_path):
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps(emoji("", " we go to it", "go"), ensure_ascii=False), "utf-8")
    assert marked(read_doccano(path, offsets="utf-16")) == ["go"]
    conversion = read_doccano(path, offsets="characters")
    assert (marked(conversion), conversion.report.noted) == (["to"], {})
    with pytest.raises(ValueError, match="offsets is 'bytes', expected auto or characters or utf-16: choose"):
        read_doccano(path, offsets="bytes")


def test_half_of_a_character_is_no_place(tmp_path):
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps(item(text="🙂🙂", entities=[entity(1, 0, 3, "V")], relations=[])), "utf-8")
    with pytest.raises(ConversionError) as error:
        read_doccano(path, offsets="utf-16")
    for part in ("line 1: found the span 0 to 3, 3 of which is inside of a character", "between characters"):
        assert part in str(error.value)
    assert "pass --offsets characters" in str(error.value)


def test_a_text_may_stand_under_another_key(tmp_path, read):
    path = tmp_path / "all.jsonl"
    given = {name: value for name, value in item().items() if name != "text"} | {"data": TEXT}
    path.write_text(json.dumps(given), "utf-8")
    assert read_doccano(path, text_key="data").texts == read(item()).texts
    path.write_text(json.dumps(given), "utf-8")
    with pytest.raises(ConversionError) as error:
        read_doccano(path)
    for part in ("'relations', 'data'", "expected the key 'text'", "Pass --text-key"):
        assert part in str(error.value)


@pytest.mark.parametrize("lenient", [False, True])
def test_white_space_at_the_edges_of_a_span_is_cut_off(tmp_path, lenient):
    rows = [entity(40, 0, 7, "ORG"), entity(41, 21, 32, "PER"), entity(42, 6, 7, "ORG")]
    links = [{"from_id": a, "to_id": b, "type": "founder"} for a, b in ((40, 41), (42, 41))]
    (tmp_path / "all.jsonl").write_text(json.dumps(item(entities=rows, relations=links)), "utf-8")
    conversion = read_doccano(tmp_path / "all.jsonl", lenient=lenient)
    (text,) = conversion.texts
    assert text.extraction.entities == (GOOGLE, PAGE)
    assert text.extraction.relations == (Relation(GOOGLE, PAGE, "founder"),)
    report = conversion.report
    assert report.noted == {"entities with white space at an edge, which was cut off": 2}
    assert report.dropped == {
        "entities of white space alone": 1,
        "relations of entities of white space alone": 1,
    }
    assert report.problems == [
        ("3", "the entity (ORG) from 6 to 7 was dropped, it is nothing but white space")
    ]

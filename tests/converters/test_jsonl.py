"""The package's own JSON Lines: what is written is read back, and what is wrong is named."""

import json

import pytest
from examples import annotated_texts, unworded_texts
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.jsonl import read_jsonl, write_jsonl
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

LINE = {
    "id": "a",
    "text": "ORC binds ATP.",
    "entities": [[0, 3, "protein"], [10, 13, "chemical"]],
    "relations": [[0, 1, "binds"]],
}
ORC, ATP = Entity(0, 3, "protein"), Entity(10, 13, "chemical")
TEXT = AnnotatedText("a", "ORC binds ATP.", Extraction((ORC, ATP), (Relation(ORC, ATP, "binds"),)))


@pytest.fixture
def read(tmp_path):
    def read_content(content):
        path = tmp_path / "corpus.jsonl"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_jsonl(path)

    return read_content


def test_one_object_per_line(read, tmp_path):
    assert read(json.dumps(LINE)).texts == [TEXT]
    write_jsonl(tmp_path / "written.jsonl", [TEXT])
    assert json.loads((tmp_path / "written.jsonl").read_text("utf-8")) == LINE


def test_blank_lines_windows_line_ends_and_byte_order_marks_do_no_harm(read):
    assert read(b"\xef\xbb\xbf" + json.dumps(LINE).encode() + b"\r\n\r\n").texts == [TEXT]


def test_words_prescribe_the_tokens(read):
    for text in ("ORC binds ATP .", "ORC binds ATP."):
        line = LINE | {"text": text, "words": ["ORC", "binds", "ATP", "."]}
        assert read(json.dumps(line)).texts[0].words == ("ORC", "binds", "ATP", ".")


def test_duplicates_are_dropped_and_counted(read):
    line = LINE | {
        "entities": [*LINE["entities"], [0, 3, "protein"]],
        "relations": [[0, 1, "b"], [2, 1, "b"]],
    }
    report = read(json.dumps(line)).report
    assert (report.entities, report.duplicate_entities) == (2, 1)
    assert (report.relations, report.duplicate_relations) == (1, 1)
    assert "dropped: 1 duplicate entities, 1 duplicate relations; 0 problems" in str(report)


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"entities": [[10, 15, "chemical"]], "relations": []}, "10 to 15", "end <= 14 characters"),
        ({"entities": [[-1, 3, "protein"]], "relations": []}, "-1 to 3", "0 <= start"),
        ({"entities": [[0, 0, "protein"]], "relations": []}, "0 to 0", "start < end"),
        ({"entities": [[0, 3]]}, "[0, 3]", "a list of [int, int, str]"),
        ({"entities": [[0.0, 3, "protein"]]}, "[0.0, 3, 'protein']", "a list of [int, int, str]"),
        ({"relations": [[0, 2, "binds"]]}, "entity 2", "one of 2"),
        ({"relations": [[0, -1, "binds"]]}, "entity -1", "one of 2"),
        ({"words": ["ORC", "binds", "ATP"]}, "words that do not give the text", "one space after each"),
        ({"words": ["ORC", 1]}, "['ORC', 1]", "a list of [str, str]"),
        ({"words": "ORC"}, "'words': 'ORC'", "type list"),
        ({"text": None}, "'text': None", "type str"),
    ],
)
def test_malformed_texts_are_named_with_their_line(read, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read(json.dumps(LINE) + "\n" + json.dumps(LINE | change))
    for part in ("corpus.jsonl, line 2", found, expected):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "an empty file"),
        ("\n \n", "an empty file"),
        ("{", "line 1: found invalid JSON"),
        ("[1]", "line 1: found [1]"),
        ('{"id": "a", "text": "x", "entities": []}', "expected the key 'relations'"),
        (b"\xff\xfe", "undecodable bytes"),
    ],
)
def test_malformed_files_are_named(read, content, found):
    with pytest.raises(ConversionError) as error:
        read(content)
    assert "corpus.jsonl" in str(error.value)
    assert found in str(error.value)


def test_a_relation_to_an_entity_that_is_not_listed_cannot_be_written(tmp_path):
    lost = AnnotatedText("a", TEXT.text, Extraction((ORC,), TEXT.extraction.relations))
    with pytest.raises(ConversionError, match=r"text 'a': found a 'binds' relation to .*Add the entity"):
        write_jsonl(tmp_path / "corpus.jsonl", [lost])


@given(st.lists(annotated_texts() | unworded_texts(st.text().filter(str.strip)), min_size=1, max_size=3))
def test_reading_gives_back_what_was_written(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "round-trip.jsonl"
    write_jsonl(path, texts)
    assert read_jsonl(path).texts == texts


@pytest.mark.parametrize(
    ("change", "found", "expected", "advice"),
    [
        ({"entities": [[0, 3, " "]], "relations": []}, "the label ' '", "not blank", "Name it"),
        ({"relations": [[0, 1, ""]]}, "the label ''", "not blank", "Name it"),
        ({"words": ["ORC", "", "binds", "ATP."]}, "an empty word, number 1", "at least one", "Leave it out"),
    ],
)
def test_labels_and_words_are_not_blank(tmp_path, change, found, expected, advice):
    item = {"id": "a", "text": "ORC binds ATP.", "entities": [[0, 3, "P"], [10, 13, "C"]], "relations": []}
    (tmp_path / "in.jsonl").write_text(json.dumps(item | change))
    with pytest.raises(ConversionError) as caught:
        read_jsonl(tmp_path / "in.jsonl")
    for part in ("in.jsonl, line 1", found, expected, advice):
        assert part in str(caught.value)


def test_a_key_that_stands_twice_would_be_lost(tmp_path):
    line = '{"id": "a", "text": "ORC", "entities": [[0, 3, "P"]], "entities": [], "relations": []}\n'
    (tmp_path / "in.jsonl").write_text(line)
    with pytest.raises(ConversionError, match=r"line 1: found invalid JSON \(the key 'entities' twice"):
        read_jsonl(tmp_path / "in.jsonl")


def test_what_is_no_json_is_named_by_its_place_in_the_file(tmp_path):
    (tmp_path / "in.jsonl").write_text('\n{"id": }\n')
    with pytest.raises(ConversionError, match=r"line 2: found invalid JSON \(Expecting value: column 8\)"):
        read_jsonl(tmp_path / "in.jsonl")

"""BioC as JSON: collections and documents in every order, and the values that files put for each other."""

import json

import pytest
from examples import unworded_texts
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError, detect
from spacy_bispn.converters.formats.bioc_json import read_bioc_json, write_bioc_json
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

ORC, ATP = Entity(0, 3, "protein"), Entity(10, 13, "chemical")


def mention(number, label, offset, text, **infons):
    location = {"offset": offset, "length": len(text)}
    return {"id": number, "infons": {"type": label, **infons}, "text": text, "locations": [location]}


def relation(*nodes, **infons):
    return {"id": "R", "infons": {"type": "binds", **infons}, "nodes": list(nodes)}


def document(*relations, text_id="a", at="document", **more):
    """Two passages with a mention each, and relations in the document or in a passage."""
    passages = [
        {
            "offset": 0,
            "text": "ORC binds",
            "annotations": [mention("1", "protein", 0, "ORC", identifier="P1")],
        },
        {"offset": 10, "text": "ATP", "annotations": [mention("2", "chemical", 10, "ATP", identifier="C1")]},
    ]
    holder = {"relations": list(relations)}
    passages[1] |= holder if at == "passage" else {}
    return {"id": text_id, "passages": passages, **more, **(holder if at == "document" else {})}


NODES = relation({"refid": "1", "role": ""}, {"refid": "2", "role": ""})
SAID = Extraction((ORC, ATP), (Relation(ORC, ATP, "binds"),))


@pytest.fixture
def read(tmp_path):
    def read_content(content, **settings):
        path = tmp_path / "corpus.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf8")
        return read_bioc_json(path, **settings)

    return read_content


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "whole",
    [
        lambda documents: {"source": "x", "date": "", "key": "", "infons": {}, "documents": documents},
        lambda documents: {"PubTator3": documents},
        lambda documents: [{"source": "x", "documents": documents}],
        lambda documents: documents,
    ],
)
def test_a_file_is_a_collection_or_a_list_of_collections_or_documents(read, tmp_path, whole, indent):
    content = whole([document(NODES), document(NODES, text_id="b")])
    conversion = read(json.dumps(content, indent=indent))
    assert [text.id for text in conversion.texts] == ["a", "b"]
    assert all(text.text == "ORC binds ATP" and text.extraction == SAID for text in conversion.texts)
    assert detect(tmp_path / "corpus.json") == "bioc-json"


@pytest.mark.parametrize("indent", [None, 1])
def test_or_documents_one_after_the_other(read, tmp_path, indent):
    content = "\n".join(json.dumps(document(NODES, text_id=name), indent=indent) for name in ("a", "b"))
    assert [text.id for text in read(content + "\n").texts] == ["a", "b"]
    if indent is None:
        assert detect(tmp_path / "corpus.json") == "bioc-json"


@pytest.mark.parametrize("at", ["document", "passage"])
def test_relations_are_read_wherever_they_stand_and_follow_roles(read, at):
    backwards = relation({"refid": 2, "role": "Arg2"}, {"refid": "1", "role": "Arg1"})
    (text,) = read([document(backwards, at=at)]).texts
    assert text.extraction == SAID


def test_ids_offsets_and_lengths_may_be_numbers_or_texts(read):
    item = document(NODES, text_id=7)
    item["passages"][1]["offset"] = "10"
    item["passages"][1]["annotations"][0] |= {"id": 2, "locations": [{"offset": "10", "length": "3"}]}
    (text,) = read([item]).texts
    assert (text.id, text.extraction) == ("7", SAID)


def test_a_document_without_an_id_has_its_position(read):
    items = [document(NODES), document(NODES)]
    for item in items:
        item["id"] = None
    assert [text.id for text in read(items).texts] == ["0", "1"]


@pytest.mark.parametrize(
    "ends",
    [
        {"entity1": "P1", "entity2": "C1"},
        {"role1": {"identifier": "P1", "type": "protein"}, "role2": {"identifier": "C1", "type": "chemical"}},
    ],
)
def test_relations_between_concepts_are_read_from_infons(read, ends):
    conversion = read([document(relation({"refid": "0", "role": "4,2"}, **ends, score="0.9", novel=True))])
    assert conversion.texts[0].extraction == SAID
    assert conversion.report.noted == {"relations between concepts": 1, "pairs of mentions made of them": 1}
    assert conversion.report.problems == []


def test_infons_that_are_no_names_name_no_concept(read):
    item = document(relation(first="True", second="C1"))
    item["passages"][0]["annotations"][0]["infons"] |= {
        "valid": True,
        "normalized": ["C1"],
        "accession": None,
    }
    conversion = read([item])
    assert conversion.texts[0].extraction.relations == ()
    assert conversion.report.dropped == {"relations between concepts without a pair of mentions": 1}


def test_sentences_and_several_locations(read):
    item = {
        "id": "a",
        "passages": [
            {
                "offset": 0,
                "infons": None,
                "text": None,
                "annotations": None,
                "sentences": [
                    {"offset": 0, "text": "ORC binds.", "annotations": [mention(1, "protein", 0, "ORC")]},
                    {"offset": 11, "text": "So does ATP.", "annotations": []},
                ],
            }
        ],
    }
    split = mention(2, "chemical", 11, "So ATP") | {
        "locations": [{"offset": 11, "length": 2}, {"offset": 19, "length": 3}]
    }
    item["passages"][0]["sentences"][1]["annotations"] = [split, mention(3, "x", 0, "") | {"locations": []}]
    conversion = read([item], discontiguous="cover")
    assert conversion.texts[0].extraction.entities == (ORC, Entity(11, 22, "chemical"))
    assert conversion.report.dropped == {"annotations without a location": 1}
    assert len(read([item], level="sentence", starts=lambda text: []).texts) == 2


def test_metadata_is_passed_over(read):
    more = {"pmid": 1, "pmcid": None, "meta": {}, "authors": ["A"], "relations_display": [{"name": "x"}]}
    conversion = read([document(NODES, **more)])
    assert conversion.texts[0].extraction == SAID and conversion.report.dropped == {}


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"passages": {}}, "'passages': {}", "a value of type list"),
        ({"passages": [1]}, "1", "an object, a passage"),
        ({"id": [1]}, "'id': [1]", "a string or a whole number"),
        ({"relations": [{"infons": 1}]}, "'infons': 1", "a value of type dict"),
        (
            {"relations": [relation({"refid": 1.5}, {"refid": "2"})]},
            "'refid': 1.5",
            "a string or a whole number",
        ),
        ({"relations": [relation({"refid": "1"}, {"refid": "9"})]}, "a node with refid '9'", "the id of an"),
        (
            {"relations": [relation({"role": ""}, {"refid": "2"})]},
            "the attributes 'role'",
            "'refid' of <node>",
        ),
    ],
)
def test_malformed_documents_are_named(read, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read([document(NODES), document() | change])
    for part in ("corpus.json, item 1 in line 1: found " + found, expected):
        assert part in str(error.value)
    assert len(read([document(NODES), document() | change], lenient=True).texts) == 1


def test_what_is_no_document_is_named(read):
    with pytest.raises(ConversionError, match="expected the key 'passages'"):
        read('{"id": "a"}')
    with pytest.raises(ConversionError, match=r"whole file: found \[\], expected a list with at least one"):
        read('{"documents": []}')


LABELS = st.text(min_size=1).filter(lambda label: label == label.strip())


@given(
    st.lists(
        unworded_texts(LABELS).filter(
            lambda text: bool(text.text.strip()) and text.id == text.id.strip() != ""
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "round-trip-bioc.json"
    write_bioc_json(path, texts)
    assert detect(path) == "bioc-json"
    conversion = read_bioc_json(path)
    assert conversion.texts == texts and not conversion.report.dropped  # copies of a text are noted


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        (AnnotatedText("a", " \n", Extraction()), "a blank text", "one with a word"),
        (AnnotatedText(" a", "ORC", Extraction()), "' a'", "ids and labels without white space around them"),
        (AnnotatedText("", "ORC", Extraction()), "''", "ids and labels without"),
        (AnnotatedText("a", "ORC", Extraction((Entity(0, 3, "x "),))), "'x '", "ids and labels without"),
        (
            AnnotatedText("a", "ORC", Extraction((), (Relation(ORC, ORC, "x"),))),
            "a 'x' relation",
            "one of the",
        ),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, text, found, expected):
    with pytest.raises(ConversionError) as error:
        write_bioc_json(tmp_path / "out.json", [AnnotatedText("b", "ATP", Extraction()), text])
    for part in (f"text {text.id!r}: found {found}", expected):
        assert part in str(error.value)
    assert not any(tmp_path.iterdir())


def test_keys_that_are_not_read_are_counted_and_layouts_are_found_as_in_xml(read):
    item = document(NODES, text_id=None, accessions=["x"], tags=["y"])
    item["passages"][1]["offset"] = 99  # the mention says where it is
    conversion = read([item])
    assert (conversion.texts[0].id, conversion.texts[0].extraction) == ("0", SAID)
    assert conversion.report.dropped == {"values of the key 'accessions' of a document": 1}
    assert [what for what in conversion.report.noted if what.startswith("documents whose passages")]

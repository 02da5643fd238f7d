"""UIMA CAS as JSON and XMI: layers, slots, chains, views and what refers to what."""

import json

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.cas import read_cas_json, read_cas_xmi
from spacy_bispn.records import Entity, Relation

DKPRO = "de.tudarmstadt.ukp.dkpro.core.api"
TEXT = "\U0001f9ea ORC binds ATP.\nIt does."
ORC, ATP, IT = Entity(2, 5, "protein"), Entity(12, 15, "chemical"), Entity(17, 19, "protein")
ENTITIES = [  # id, type, features; offsets count UTF-16 units
    (2, "my.Entity", {"begin": 3, "end": 6, "value": "protein"}),
    (3, "my.Entity", {"begin": 13, "end": 16, "value": "chemical"}),
    (4, "my.Entity", {"begin": 18, "end": 20, "value": "protein"}),
]


def as_json(structures, types=None, members=None, text=TEXT):
    ids = [number for number, _, _ in structures]
    return json.dumps(
        {
            "%TYPES": types or {},
            "%FEATURE_STRUCTURES": [
                *(
                    {
                        "%ID": number,
                        "%TYPE": kind,
                        **({"@sofa": 1} if "begin" in features else {}),
                        **features,
                    }
                    for number, kind, features in structures
                ),
                {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", "sofaString": text},
            ],
            "%VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": ids if members is None else members}},
        }
    )


def as_xmi(structures, types=None, members=None, text=TEXT):
    packages = sorted({kind.rpartition(".")[0] for _, kind, _ in structures})
    spaces = {package: f"ns{number}" for number, package in enumerate(packages)}
    declared = "".join(
        f' xmlns:{prefix}="http:///{package.replace(".", "/")}.ecore"' for package, prefix in spaces.items()
    )
    elements = ""
    for number, kind, features in structures:
        package, _, name = kind.rpartition(".")
        sofa = ' sofa="1"' if "begin" in features else ""
        values = {key.lstrip("@%").replace("ELEMENTS", "elements"): value for key, value in features.items()}
        written = "".join(f' {key}="{_attribute(value)}"' for key, value in values.items())
        name = name.replace("[]", "")
        elements += f'<{spaces[package]}:{name} xmi:id="{number}"{sofa}{written}/>\n'
    ids = [number for number, _, _ in structures] if members is None else members
    written = text.replace("\n", "&#10;")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><xmi:XMI xmlns:xmi="http://www.omg.org/XMI" '
        f'xmlns:cas="http:///uima/cas.ecore"{declared}><cas:NULL xmi:id="0"/>{elements}'
        f'<cas:Sofa xmi:id="1" sofaID="_InitialView" sofaString="{written}"/>'
        f'<cas:View sofa="1" members="{" ".join(map(str, ids))}"/></xmi:XMI>'
    )


def _attribute(value):
    return (
        " ".join(map(str, value))
        if isinstance(value, list)
        else str(value).lower()
        if value in (True, False)
        else value
    )


@pytest.fixture(params=["json", "xmi"])
def read(tmp_path, request):
    """Reads the same structures in both forms."""

    def read_structures(*structures, types=None, members=None, text=TEXT, **settings):
        write, reader = {"json": (as_json, read_cas_json), "xmi": (as_xmi, read_cas_xmi)}[request.param]
        path = tmp_path / f"doc.{request.param}"
        path.write_text(write(structures, types, members, text), encoding="utf8")
        return reader(path, **settings)

    return read_structures


@pytest.fixture
def read_json_item(tmp_path):
    def read_item(item, **settings):
        path = tmp_path / "doc.json"
        path.write_text(json.dumps(item))
        return read_cas_json(path, **settings)

    return read_item


def gold(conversion):
    (text,) = conversion.texts
    return text.extraction.entities, text.extraction.relations


def test_relations_lead_from_governor_to_dependent(read):
    relation = (5, "my.Relation", {"begin": 3, "end": 6, "value": "binds", "@Governor": 3, "@Dependent": 2})
    conversion = read(*ENTITIES, relation)
    assert (conversion.texts[0].id, conversion.texts[0].text) == ("doc", TEXT)
    assert gold(conversion) == ((ORC, ATP, IT), (Relation(ATP, ORC, "binds"),))
    assert conversion.report.noted == conversion.report.dropped == {}


def test_what_has_no_value_is_labelled_by_its_layer(read):
    features = {"begin": 18, "end": 20}
    conversion = read(
        *ENTITIES[:2],
        (4, "my.Entity", features),
        (5, "my.Place", features),
        (6, "my.Rel", {**features, "@Governor": 2, "@Dependent": 5}),
    )
    entities, relations = gold(conversion)
    assert [one.label for one in entities] == ["protein", "chemical", "Entity", "Place"]
    assert [one.label for one in relations] == ["Rel"]
    assert conversion.report.noted == {"annotations without a value, labelled by their layer": 1}


def test_the_feature_of_labels_is_the_likely_one_or_the_one_named(read):
    first = {"begin": 3, "end": 6, "sure": True, "note": "n", "kind": "A", "count": 2}
    second = {"begin": 13, "end": 16, "sure": False, "kind": "B"}
    conversion = read((2, "my.Span", first), (3, "my.Span", second), label_feature="kind")
    assert [one.label for one in gold(conversion)[0]] == ["A", "B"]
    assert conversion.report.dropped == {"features beside the label": 4}
    assert conversion.report.noted == {"labels from the feature 'kind' of Span": 2}
    conversion = read((2, "my.Span", first), (3, "my.Span", second))
    assert [one.label for one in gold(conversion)[0]] == ["n", "Span"]


def test_declared_types_give_the_order_of_features(read_json_item):
    types = {
        "my.Span": {
            "%NAME": "my.Span",
            "sure": {"%RANGE": "uima.cas.Boolean"},
            "kind": {"%RANGE": "uima.cas.String"},
            "note": {"%RANGE": "uima.cas.String"},
        }
    }
    item = json.loads(as_json([(2, "my.Span", {"begin": 3, "end": 6, "note": "n"})], types))
    assert [one.label for one in gold(read_json_item(item))[0]] == ["Span"]  # its kind is not set


def test_slots_are_relations_labelled_by_the_role_or_the_slot(read):
    conversion = read(
        *ENTITIES,
        (5, "my.Link", {"role": "agent", "@target": 2}),
        (6, "my.Link", {"@target": 3}),
        (7, "my.Event", {"begin": 7, "end": 12, "@args": [5, 6]}),
    )
    event = Entity(6, 11, "Event")
    assert gold(conversion) == (
        (ORC, ATP, IT, event),
        (Relation(event, ORC, "agent"), Relation(event, ATP, "args")),
    )
    assert conversion.report.dropped == {}


def test_slots_may_be_in_a_list_of_their_own(read):
    conversion = read(
        *ENTITIES,
        (5, "my.Link", {"role": "agent", "@target": 2}),
        (6, "uima.cas.FSArray", {"%ELEMENTS": [5]}),
        (7, "my.Event", {"begin": 7, "end": 12, "@args": 6}),
    )
    assert gold(conversion)[1] == (Relation(Entity(6, 11, "Event"), ORC, "agent"),)


def test_features_with_several_values_are_counted(read):
    conversion = read(
        *ENTITIES,
        (5, "uima.cas.StringArray", {"%ELEMENTS": ["a", "b"]}),
        (6, "my.Entity", {"begin": 7, "end": 12, "value": "x", "@tags": 5}),
    )
    assert [one.label for one in gold(conversion)[0]] == ["protein", "chemical", "protein", "x"]
    assert conversion.report.dropped == {"features with several values": 1}


def test_several_values_may_stand_in_elements(tmp_path):
    path = tmp_path / "doc.xmi"
    inside = 'value="protein"><tags>a</tags><tags>b</tags></'
    path.write_text(
        as_xmi(ENTITIES[:1]).replace('value="protein"/>', f"{inside}ns0:Entity>"), encoding="utf8"
    )
    conversion = read_cas_xmi(path)
    assert gold(conversion)[0] == (ORC,)
    assert conversion.report.dropped == {"features with several values": 1}


def test_numbers_that_are_labels_name_no_slots(read):
    conversion = read(
        *ENTITIES[:1],
        (5, "my.Link", {"role": "agent", "@target": 2}),
        (6, "my.Event", {"begin": 7, "end": 12, "@args": [5]}),
        (7, "my.Score", {"begin": 13, "end": 16, "value": "5"}),
        (8, "my.Score", {"begin": 18, "end": 20, "value": "4"}),
    )
    assert [one.label for one in gold(conversion)[0]] == ["protein", "Event", "5", "4"]
    assert gold(conversion)[1] == (Relation(Entity(6, 11, "Event"), ORC, "agent"),)


def test_a_number_as_a_value_is_no_reference(read):
    conversion = read(*ENTITIES[:2], (4, "my.Entity", {"begin": 18, "end": 20, "value": "2"}))
    assert gold(conversion)[0][2].label == "2"


def test_preprocessing_and_metadata_are_not_read(read):
    conversion = read(
        (
            5,
            f"{DKPRO}.metadata.type.DocumentMetaData",
            {"begin": 0, "end": 29, "documentTitle": "report.txt"},
        ),
        (6, f"{DKPRO}.segmentation.type.Token", {"begin": 3, "end": 6}),
        (7, f"{DKPRO}.segmentation.type.Lemma", {"begin": 3, "end": 6, "value": "orc"}),
        (8, f"{DKPRO}.lexmorph.type.pos.POS_NOUN", {"begin": 3, "end": 6, "PosValue": "NN"}),
        (
            9,
            f"{DKPRO}.syntax.type.dependency.Dependency",
            {"begin": 3, "end": 6, "@Governor": 6, "@Dependent": 6},
        ),
        (10, f"{DKPRO}.ner.type.NamedEntity", {"begin": 3, "end": 6, "value": "protein", "identifier": "Q1"}),
        (11, "my.Relation", {"begin": 3, "end": 6, "@Governor": 8, "@Dependent": 10}),
    )
    assert conversion.texts[0].id == "report.txt" and gold(conversion) == ((ORC,), ())
    assert conversion.report.dropped == {
        "annotations of the layer Lemma": 1,
        "annotations of the layer POS_NOUN": 1,
        "annotations of the layer Dependency": 1,
        "features beside the label": 1,
        "relations of annotations that are not read": 1,
    }
    assert conversion.report.problems == []


def test_the_mentions_of_chains_are_counted(read):
    conversion = read(
        *ENTITIES,
        (5, "my.CorefChain", {"@first": 6}),
        (6, "my.CorefLink", {"begin": 3, "end": 6, "referenceType": "x", "@next": 7}),
        (7, "my.CorefLink", {"begin": 18, "end": 20}),
        (8, "my.HyperLink", {"begin": 18, "end": 20, "value": "url"}),
    )
    assert [one.label for one in gold(conversion)[0]] == ["protein", "chemical", "protein", "url"]
    assert conversion.report.dropped == {"mentions in chains": 2}


def test_relations_of_what_is_not_there_are_problems(read):
    conversion = read(*ENTITIES, (5, "my.Relation", {"begin": 3, "end": 6, "@Governor": 2, "@Dependent": 99}))
    assert gold(conversion)[1] == ()
    assert conversion.report.dropped == {"relations of annotations that are not there": 1}
    ((text_id, what),) = conversion.report.problems
    assert text_id == "doc" and what.endswith(
        "a relation of Relation was dropped, an annotation it joins is not there"
    )


def test_what_is_in_no_index_or_has_no_characters_is_counted(read):
    extra = [(5, "my.Entity", {"begin": 3, "end": 3, "value": "x"}), (6, "my.Entity", {"begin": 3, "end": 6})]
    conversion = read(*ENTITIES, *extra, members=[2, 3, 4, 5])
    assert gold(conversion)[0] == (ORC, ATP, IT)
    assert conversion.report.dropped == {
        "annotations of no characters": 1,
        "annotations that are in no index": 1,
    }


def test_sentences_are_those_of_the_file(read):
    sentences = [
        (number, f"{DKPRO}.segmentation.type.Sentence", {"begin": begin, "end": end})
        for number, begin, end in ((5, 0, 17), (6, 18, 26))
    ]
    conversion = read(*ENTITIES, *sentences, level="sentence", starts=lambda text: [])
    assert [(text.id, text.text) for text in conversion.texts] == [("doc:0", TEXT[:16]), ("doc:1", TEXT[17:])]


def test_further_views_are_counted(read_json_item):
    item = json.loads(as_json(ENTITIES))
    item["%FEATURE_STRUCTURES"] = [
        {"%ID": 8, "%TYPE": "uima.cas.Sofa", "sofaID": "other", "sofaString": "another"},
        {"%ID": 9, "%TYPE": "my.Entity", "@sofa": 8, "begin": 0, "end": 3, "value": "y"},
        *item["%FEATURE_STRUCTURES"],
    ]
    conversion = read_json_item(item)
    assert gold(conversion)[0] == (ORC, ATP, IT)
    assert conversion.report.dropped == {"further views of a document": 1}


def test_structures_may_be_listed_by_their_ids(read_json_item):
    item = json.loads(as_json(ENTITIES))
    item["%FEATURE_STRUCTURES"] = {str(one.pop("%ID")): one for one in item["%FEATURE_STRUCTURES"]}
    assert gold(read_json_item(item))[0] == (ORC, ATP, IT)


@pytest.mark.parametrize(
    ("structures", "found", "expected"),
    [
        (
            [(2, "my.Entity", {"begin": 3, "end": 99})],
            "the span 2 to 98",
            "0 <= start < end <= 25 characters",
        ),
        ([(2, "my.Entity", {"begin": 6, "end": 3})], "the span 5 to 2", "start < end"),
        ([(2, "my.Entity", {"begin": "x", "end": 3})], "'begin': 'x'", "a whole number"),
        ([*ENTITIES, ENTITIES[0]], "the id '2' again", "an id of its own"),
    ],
)
def test_malformed_structures_are_named(read, structures, found, expected):
    with pytest.raises(ConversionError) as error:
        read(*structures)
    for part in ("doc.", ": found " + found, expected, ". "):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("item", "found", "expected"),
    [
        ([], "[]", "the key '%TYPES'"),
        ({"%FEATURE_STRUCTURES": [1]}, "1", "an object with the key '%TYPE'"),
        ({"%FEATURE_STRUCTURES": [{"%TYPE": 1}]}, "'%TYPE': 1", "a value of type str"),
        ({"%FEATURE_STRUCTURES": None}, "'%FEATURE_STRUCTURES': None", "a value of type list"),
        ({"%FEATURE_STRUCTURES": []}, "none", "a text ('sofaString')"),
        ({"%FEATURE_STRUCTURES": [], "%VIEWS": {"a": 1}}, "1", "'%MEMBERS'"),
    ],
)
def test_malformed_json_is_named(read_json_item, item, found, expected):
    with pytest.raises(ConversionError) as error:
        read_json_item(item)
    for part in ("doc.json, ", "found " + found, expected):
        assert part in str(error.value)


def test_xml_entities_are_refused(tmp_path):
    path = tmp_path / "doc.xmi"
    path.write_text('<!DOCTYPE x [<!ENTITY a "b">]><xmi:XMI xmlns:xmi="http://www.omg.org/XMI"/>')
    with pytest.raises(ConversionError, match="found the entity 'a', expected characters"):
        read_cas_xmi(path)

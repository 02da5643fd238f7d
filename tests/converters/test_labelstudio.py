"""Label Studio's JSON export: regions, relations with directions, and which annotation counts."""

import json

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.labelstudio import read_labelstudio
from spacy_bispn.records import Entity, Relation

TEXT = "Google was founded by Larry Page."
GOOGLE, PAGE = Entity(0, 6, "ORG"), Entity(22, 32, "PER")


def region(number, start, end, *labels, text=None):
    value = {"start": start, "end": end, "text": TEXT[start:end] if text is None else text}
    return {"id": number, "type": "labels", "from_name": "label", "value": value | {"labels": [*labels]}}


def link(direction="right", labels=("founder",), start="g", end="p"):
    found = {"type": "relation", "from_id": start, "to_id": end, "direction": direction}
    return found | {"labels": list(labels)}


G, P = region("g", 0, 6, "ORG"), region("p", 22, 32, "PER")


def task(*results, text=TEXT, **changes):
    annotation = {"id": 1, "was_cancelled": False, "result": list(results)}
    return {"id": 5, "data": {"text": text}, "annotations": [annotation], "predictions": []} | changes


@pytest.fixture
def read(tmp_path):
    def read_tasks(*tasks, **settings):
        path = tmp_path / "export.json"
        path.write_text(json.dumps(tasks), encoding="utf-8")
        return read_labelstudio(path, **settings)

    return read_tasks


def said(conversion):
    (text,) = conversion.texts
    return [(x.head.label, x.label, x.tail.label) for x in text.extraction.relations]


def test_regions_and_relations(read):
    (text,) = read(task(link(), G, P)).texts
    assert (text.id, text.text, text.words) == ("5", TEXT, None)
    assert text.extraction.entities == (GOOGLE, PAGE)
    assert text.extraction.relations == (Relation(GOOGLE, PAGE, "founder"),)


@pytest.mark.parametrize(
    ("direction", "relations"),
    [
        ("right", [("ORG", "founder", "PER")]),
        ("left", [("PER", "founder", "ORG")]),
        ("bi", [("ORG", "founder", "PER"), ("PER", "founder", "ORG")]),
    ],
)
def test_the_direction_says_which_end_is_the_head(read, direction, relations):
    assert said(read(task(G, P, link(direction)))) == relations


def test_both_directions_of_a_symmetric_label_are_one_relation(read):
    conversion = read(task(G, P, link("bi")), symmetric=("founder",))
    assert said(conversion) == [("ORG", "founder", "PER")]


def test_several_labels_count_once_each(read):
    conversion = read(task(region("g", 0, 6, "ORG", "FIRM"), P, link(labels=("a", "b"))))
    assert said(conversion) == [(head, label, "PER") for label in ("a", "b") for head in ("ORG", "FIRM")]
    # Two sets of labels on one region are two results with one id.
    assert said(read(task(G, region("g", 0, 6, "FIRM"), P, link()))) == [
        (head, "founder", "PER") for head in ("ORG", "FIRM")
    ]


def test_what_cannot_be_read_as_entity_or_relation_is_counted(read):
    choice = {"id": "p", "type": "choices", "value": {"choices": ["sure"]}}
    box = {"id": "b", "type": "rectanglelabels", "value": {"x": 1}}
    nameless = region("n", 7, 10)
    results = [choice, G, P, box, nameless, link(), link(labels=()), link(end="n"), link(end="b")]
    conversion = read(task(*results))
    assert said(conversion) == [("ORG", "founder", "PER")]
    assert conversion.report.dropped == {
        "regions without a label": 1,
        "relations of regions without a text label": 2,
        "relations without a label": 1,
        "results of type 'choices'": 1,
        "results of type 'rectanglelabels'": 1,
    }


def test_the_first_annotation_that_was_not_cancelled_counts(read):
    cancelled = {"was_cancelled": True, "result": [G]}
    good, other = ({"was_cancelled": False, "result": [each]} for each in (P, G))
    conversion = read(
        task(annotations=[cancelled, good, other, other]), task(annotations=[]), task(annotations=[cancelled])
    )
    assert [text.extraction.entities for text in conversion.texts] == [(PAGE,)]
    assert conversion.report.dropped == {
        "cancelled annotations": 2,
        "further annotations of a text": 2,
        "tasks without an annotation": 2,
    }


def test_offsets_in_utf16_units_are_found_out(read):
    text = "💩 Google 💩 was"
    old, new = region("g", 3, 9, "ORG", text="Google"), region("g", 2, 8, "ORG", text="Google")
    for found in (old, new):
        (entity,) = read(task(found, text=text)).texts[0].extraction.entities
        assert text[entity.start : entity.end] == "Google"


def test_a_region_whose_text_stands_elsewhere_is_a_problem(read):
    report = read(task(region("g", 1, 6, "ORG", text="Google"))).report
    assert report.problems == [("5", "item 0 in line 1: the mention 'Google' marks 'oogle'")]


@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        (task(region("p", 22, 34, "PER", text="Page.")), "22 to 34", "end <= 33 characters"),
        (task(region("p", 4, 4, "PER")), "4 to 4", "start < end"),
        (task(G, region("g", 22, 32, "PER")), "two regions with the id 'g'", "one"),
        (task(G, P, link("up")), "the direction 'up'", "one of right, left, bi"),
        (task(G, P, link(labels=(1,))), "[1]", "a list of [str]"),
        (task(data={"body": TEXT, "title": "A"}), "the keys 'body', 'title' in 'data'", "the key 'text'"),
        (task(data={"text": 5}), "'text': 5", "a value of type str"),
        (task(id=[5]), "'id': [5]", "a string or a whole number"),
        (task(G | {"id": 1.5}), "'id': 1.5", "a string or a whole number"),
        (task(annotations=[1]), "found 1", "an object with the key 'was_cancelled'"),
        (task("x"), "found 'x'", "an object with the key 'type'"),
        (task({"type": "labels", "id": "a", "value": {"start": 1.5}}), "'start': 1.5", "type int"),
    ],
)
def test_malformed_tasks_are_named(read, content, found, expected):
    with pytest.raises(ConversionError) as error:
        read(task(G), content)
    for part in ("export.json, item 1 in line 1", found, expected):
        assert part in str(error.value)

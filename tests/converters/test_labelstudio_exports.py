"""Label Studio's exports of projects of all kinds: whose offsets, whose text, whose annotation."""

import json

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.labelstudio import read_labelstudio

TEXT = "Orla founded Fenwick in Larch."


def region(name, start, marked, label="PER", kind="labels", **more):
    value = {"start": start, "end": start + len(marked), "text": marked, kind: [label]} | more
    return {"id": name, "type": kind, "value": value}


def link(head, tail, label="founded"):
    return {"type": "relation", "from_id": head, "to_id": tail, "direction": "right", "labels": [label]}


def task(text, *results, **changes):
    data = text if isinstance(text, dict) else {"text": text}
    return {"id": 5, "data": data, "annotations": [{"result": [*results]}]} | changes


ORLA, FENWICK = region("o", 0, "Orla"), region("f", 13, "Fenwick", "ORG")


@pytest.fixture(params=[False, True], ids=["strict", "lenient"])
def read(tmp_path, request):
    def read_tasks(*tasks, **options):
        path = tmp_path / "export.json"
        path.write_text(json.dumps(tasks), encoding="utf-8")
        conversion = read_labelstudio(path, lenient=request.param, **options)
        if conversion.report.errors:  # what a lenient reader skips a strict one raises
            raise ConversionError(conversion.report.errors[0])
        return conversion

    return read_tasks


def marked(conversion):
    return [[text.text[x.start : x.end] for x in text.extraction.entities] for text in conversion.texts]


def expect(error, *parts):
    for part in ("export.json, item 0 in line 1: found", *parts):
        assert part in str(error.value)


def test_line_ends_that_a_browser_made_one_character(read):
    text = "A note.\r\n" + TEXT
    shifted = [region("o", 8, "Orla"), region("f", 21, "Fenwick", "ORG")]
    conversion = read(task(text, *shifted, link("o", "f")))
    assert marked(conversion) == [["Orla", "Fenwick"]] and conversion.report.relations == 1
    assert conversion.texts[0].text == "A note.\n" + TEXT
    assert conversion.report.noted == {"texts with CR LF, which is LF in their offsets and in the output": 1}
    right = [region("o", 9, "Orla"), region("f", 22, "Fenwick", "ORG")]
    conversion = read(task(text, *right))
    assert (marked(conversion), conversion.texts[0].text) == ([["Orla", "Fenwick"]], text)
    assert conversion.report.noted == {}


def test_offsets_of_another_text_are_an_error(read):
    with pytest.raises(ConversionError) as error:
        read(task("Now " + TEXT, ORLA, FENWICK))
    expect(
        error, "2 of the 2 mentions in '5' elsewhere", "(here 'Now ' instead of 'Orla')", "expected offsets"
    )
    with pytest.raises(ConversionError, match="2 of the 2 mentions"):  # behind the end too
        read(task("Orl", ORLA, FENWICK))


def test_one_wrong_region_among_right_ones_is_a_problem(read):
    conversion = read(task(TEXT, ORLA, FENWICK, region("x", 23, "Larch")))
    assert marked(conversion) == [["Orla", "Fenwick", "Larc"]]  # the edge's blank is cut off
    assert conversion.report.problems == [("5", "item 0 in line 1: the mention 'Larch' marks ' Larc'")]


def test_regions_whose_text_lost_a_space_are_where_they_are(read):
    rows = [region("o", 0, "Orlafounded") | {"id": name} for name in "ab"]
    for row in rows:
        row["value"]["end"] = 12
    conversion = read(task(TEXT, *rows))
    assert marked(conversion)[0][0] == "Orla founded" and conversion.report.problems == []


@pytest.mark.parametrize("place", ["/data/upload/3/one two.txt", "s3://bucket/a.txt", "https://x.org/a.txt"])
@pytest.mark.parametrize("count", [1, 2])
def test_the_place_of_a_file_is_no_text(read, place, count):
    with pytest.raises(ConversionError) as error:
        read(task(place, *[ORLA, FENWICK][:count]))
    expect(
        error, f"the place of a file, {place!r}", "expected the text itself", "Put the content of the file"
    )


def test_an_upload_that_nobody_annotated_is_no_text_either_but_a_link_may_be(read):
    with pytest.raises(ConversionError, match="the place of a file"):
        read(task("/data/upload/1/a.txt"))
    assert read(task("https://x.org/a")).texts[0].text == "https://x.org/a"
    assert marked(read(task("https://x.org/a", region("a", 8, "x.org")))) == [["x.org"]]


def test_utf16_units_are_told_by_each_task(read):
    old = task("🙂🙂 " + TEXT, region("o", 5, "Orla"), region("f", 18, "Fenwick"))
    new = task("🙂🙂 " + TEXT, region("o", 3, "Orla"), region("f", 16, "Fenwick"), id=6)
    conversion = read(old, new)
    assert marked(conversion) == [["Orla", "Fenwick"]] * 2
    assert conversion.report.noted == {"texts whose offsets count UTF-16 units": 1}
    assert marked(read(old, offsets="utf-16")) == [["Orla", "Fenwick"]]
    with pytest.raises(ConversionError, match="2 of the 2 mentions in '5' elsewhere"):
        read(old, offsets="characters")


def html(name, start, text, kind="hypertextlabels", **more):
    where = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": start, "endOffset": 99}
    spot = {"globalOffsets": {"start": start, "end": start + len(text)}}
    return {"id": name, "type": kind, "value": where | {"text": text, kind: ["PER"]} | spot | more}


@pytest.mark.parametrize(
    ("page", "start", "shown"),
    [
        (f"<p>{TEXT}</p>", 13, TEXT),
        ("<div><b>Orla</b> founded <i class='x'>Fenwick</i> in&nbsp;Larch.</div>", 13, "in\xa0Larch."),
        ("R&amp;D of Fenwick<!-- none -->", 7, "R&D of Fenwick"),
        ("<p>Orla<br>Fenwick</p>", 4, "OrlaFenwick"),
        ("<p>Orla<br/>Fenwick</p>", 5, "Orla\nFenwick"),
        ("plain Fenwick", 6, "plain Fenwick"),
    ],
)
def test_hypertext_is_read_as_it_is_shown(read, page, start, shown):
    conversion = read(task(page, html("f", start, "Fenwick"), link("f", "f")))
    assert marked(conversion) == [["Fenwick"]] and conversion.report.relations == 1
    assert conversion.texts[0].text.endswith(shown)
    assert conversion.report.noted == {"texts of hypertext, without its tags": 1}


def test_hypertext_without_global_offsets_or_elsewhere_is_an_error(read):
    lost = html("f", 13, "Fenwick")
    del lost["value"]["globalOffsets"]
    with pytest.raises(ConversionError) as error:
        read(task(f"<p>{TEXT}</p>", lost))
    expect(
        error,
        "'/p[1]/text()[1]' without 'globalOffsets'",
        "offsets in the whole text",
        "Export the project anew",
    )
    with pytest.raises(ConversionError, match="2 of the 2 mentions"):
        read(task(f"<p>{TEXT}</p>", html("f", 3, "Fenwick"), html("o", 9, "Orla")))


def test_paragraphs_of_dialogues_are_lines(read):
    talk = [{"author": "A", "text": "Orla is 🙂 here."}, {"author": "B", "text": "Who founded Fenwick?"}]
    spots = [("0", 0, "0", 4, "Orla"), ("1", 12, "1", 19, "Fenwick"), (0, 10, 1, 3, "here.\nWho")]
    rows = [
        {
            "id": str(number),
            "type": "paragraphlabels",
            "value": {
                "start": a,
                "startOffset": b,
                "end": c,
                "endOffset": d,
                "text": e,
                "paragraphlabels": ["X"],
            },
        }
        for number, (a, b, c, d, e) in enumerate(spots)
    ]
    conversion = read(task({"dialogue": talk}, *rows, link("0", "1")))
    assert conversion.texts[0].text == "Orla is 🙂 here.\nWho founded Fenwick?"
    assert marked(conversion) == [["Orla", "Fenwick", "here.\nWho"]] and conversion.report.relations == 1
    assert conversion.report.noted == {"texts of dialogues, a paragraph a line, without names": 1}
    rows[0]["value"]["start"] = "2"
    with pytest.raises(ConversionError) as error:
        read(task({"dialogue": talk}, *rows))
    expect(error, "the start '2'", "one of 2 paragraphs, counted from 0", "Correct the region")


def test_a_task_none_of_whose_regions_marks_a_text_is_an_error(read):
    box = {"id": "b", "type": "rectanglelabels", "value": {"x": 1}}
    with pytest.raises(ConversionError) as error:
        read(task(TEXT, box, box))
    expect(
        error, "2 regions, none of which marks a text (rectanglelabels)", "type labels", "Label texts with"
    )
    choice = {"id": "c", "type": "choices", "value": {"choices": ["dull"]}}
    conversion = read(task(TEXT, choice), task(TEXT, box, ORLA, id=6))
    assert marked(conversion) == [[], ["Orla"]]
    assert conversion.report.dropped == {
        "results of type 'choices'": 1,
        "results of type 'rectanglelabels'": 1,
    }


def test_a_relation_to_a_region_that_is_gone_goes_alone(read):
    conversion = read(task(TEXT, ORLA, FENWICK, link("o", "f"), link("o", "zz", "likes"), link("yy", "o")))
    assert marked(conversion) == [["Orla", "Fenwick"]] and conversion.report.relations == 1
    assert conversion.report.dropped == {"relations to regions that are not there": 2}
    said = "item 0 in line 1: the relation {!r} was dropped, there is no region {!r}"
    assert conversion.report.problems == [
        ("5", said.format("likes", "zz")),
        ("5", said.format("founded", "yy")),
    ]


def test_the_text_is_the_only_one_or_the_one_asked_for(read):
    assert marked(read(task({"Full_Text": TEXT, "year": 1990, "empty": ""}, ORLA))) == [["Orla"]]
    two = task({"body": TEXT, "title": "Orla", "text": "none"}, ORLA)
    assert read(two, text_key="body").texts[0].text == TEXT
    with pytest.raises(ConversionError) as error:
        read(task({"body": TEXT, "title": "Orla"}, ORLA))
    expect(error, "the keys 'body', 'title' in 'data'", "the key 'text'", "Pass --text-key")
    with pytest.raises(ConversionError) as error:
        read(two, text_key="content")
    expect(error, "the keys 'body', 'title', 'text' in 'data'", "the key 'content'", "Pass --text-key")


def test_ids_may_be_missing_and_null_is_no_value(read):
    nothing = {"was_cancelled": None, "ground_truth": None, "completed_by": None}
    numbered = [x | {"id": n} for n, x in enumerate((ORLA, FENWICK))]
    tasks = [
        task(TEXT, ORLA),
        task(TEXT, ORLA, id=None),
        task(TEXT, ORLA, id="a"),
        task(TEXT, *numbered, link(0, 1)),
    ]
    del tasks[0]["id"]
    tasks[3]["annotations"][0] |= nothing
    conversion = read(*tasks)
    assert [text.id for text in conversion.texts] == ["0", "1", "a", "5"]
    assert conversion.report.relations == 1


def answers():
    def by(who, *results, **more):
        return {"completed_by": who, "result": [*results]} | more

    whose = {"id": 8, "email": "ann@x.org"}
    return task(
        TEXT,
        annotations=[by(7, ORLA), by(whose, FENWICK), by(9, ORLA, FENWICK, ground_truth=True)],
        predictions=[{}],
    )


@pytest.mark.parametrize(
    ("options", "found", "dropped"),
    [
        ({}, ["Orla", "Fenwick"], {"further annotations of a text": 2, "predictions": 1}),
        ({"annotator": "7"}, ["Orla"], {"annotations of other annotators": 2, "predictions": 1}),
        ({"annotator": "ann@x.org"}, ["Fenwick"], {"annotations of other annotators": 2, "predictions": 1}),
        ({"annotator": "8"}, ["Fenwick"], {"annotations of other annotators": 2, "predictions": 1}),
    ],
)
def test_one_of_several_annotators_is_read(read, options, found, dropped):
    conversion = read(answers(), **options)
    assert (marked(conversion), conversion.report.dropped) == ([found], dropped)


def test_an_annotator_of_nothing_is_named(read):
    with pytest.raises(ConversionError) as error:
        read(answers(), annotator="bob")
    for part in (
        "nothing of the annotator 'bob'",
        "7, 8, 9, ann@x.org",
        "Pass --annotator with one of these",
    ):
        assert part in str(error.value)

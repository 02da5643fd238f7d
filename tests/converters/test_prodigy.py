"""Prodigy's relations: accepted tasks, tokens that are kept, arguments by their spans."""

import json

import pytest
from examples import ITEMS, annotated_texts
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.prodigy import read_prodigy, write_prodigy
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

TEXT = "Smad-dependent Id1."
SMAD, ID1 = Entity(0, 4, "GGP"), Entity(15, 18, "GGP")


def span(start, end, first, last, label="GGP"):
    return {"start": start, "end": end, "token_start": first, "token_end": last, "label": label}


def relation(label="Reg", **changes):
    spans = {"head_span": span(0, 4, 0, 0), "child_span": span(15, 18, 3, 3)}
    return {"head": 0, "child": 3, "label": label, "color": "#ffd882", **spans, **changes}


def task(**changes):
    return {
        "text": TEXT,
        "tokens": [
            {"text": "Smad", "start": 0, "end": 4, "id": 0, "ws": False},
            {"text": "-", "start": 4, "end": 5, "id": 1, "ws": False},
            {"text": "dependent", "start": 5, "end": 14, "id": 2, "ws": True},
            {"text": "Id1", "start": 15, "end": 18, "id": 3, "ws": False},
            {"text": ".", "start": 18, "end": 19, "id": 4, "ws": False},
        ],
        "spans": [span(0, 4, 0, 0), span(15, 18, 3, 3)],
        "relations": [relation()],
        "answer": "accept",
        **changes,
    }


@pytest.fixture
def read(tmp_path):
    def read_tasks(*tasks, **settings):
        path = tmp_path / "annotations.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in tasks), encoding="utf-8")
        return read_prodigy(path, **settings)

    return read_tasks


def test_accepted_tasks_keep_their_tokens(read):
    (text,) = read(task()).texts
    assert (text.id, text.text) == ("0", TEXT)
    assert text.words == ("Smad", "-", "dependent", "Id1", ".")
    assert text.extraction == Extraction((SMAD, ID1), (Relation(SMAD, ID1, "Reg"),))


def test_other_answers_are_counted(read):
    rejected = {"text": "no", "answer": "reject"}  # a task that was sent back may hold nothing else
    unanswered = task(meta={"id": "m-7"})
    del unanswered["answer"]
    conversion = read(rejected, task(), task(answer="ignore"), rejected, unanswered)
    assert [text.id for text in conversion.texts] == ["1", "m-7"]
    assert conversion.report.dropped == {
        "tasks with the answer 'reject'": 2,
        "tasks with the answer 'ignore'": 1,
    }


def test_explicit_negatives_are_no_relations(read):
    relations = [relation("No-rel"), relation("Reg"), relation("None")]
    conversion = read(task(relations=relations))
    assert [x.label for x in conversion.texts[0].extraction.relations] == ["Reg", "None"]
    assert conversion.report.dropped == {"negative relations": 1}
    (text,) = read(task(relations=relations), negative=("None", "Reg")).texts
    assert [x.label for x in text.extraction.relations] == ["No-rel"]


def test_relations_of_tokens_without_a_span_are_counted(read):
    bare = {"start": 5, "end": 14, "token_start": 2, "token_end": 2, "label": None}
    conversion = read(task(relations=[relation(), relation(head=2, head_span=bare)]))
    assert len(conversion.texts[0].extraction.relations) == 1
    assert conversion.report.dropped == {"relations of tokens without a span": 1}


def test_the_last_token_stands_for_a_span_where_no_span_is_given(read):
    last = {"head": 3, "child": 0, "label": "Reg"}
    wide = [span(0, 4, 0, 0), span(5, 18, 2, 3)]
    (text,) = read(task(spans=wide, relations=[last])).texts
    assert text.extraction.relations == (Relation(Entity(5, 18, "GGP"), SMAD, "Reg"),)


def test_spans_that_end_together_are_told_apart_by_their_own_ends(read):
    nested = [span(0, 4, 0, 0), span(15, 18, 3, 3), span(5, 18, 2, 3), span(15, 18, 3, 3, "DNA")]
    ends = [relation(child_span=each) for each in nested[1:]]
    (text,) = read(task(spans=nested, relations=ends)).texts
    tails = [(x.tail.start, x.tail.label) for x in text.extraction.relations]
    assert tails == [(15, "GGP"), (5, "GGP"), (15, "DNA")]
    with pytest.raises(ConversionError, match=r"3 spans whose last token is 3, expected one, .* Add child"):
        read(task(spans=nested, relations=[{"head": 0, "child": 3, "label": "Reg"}]))


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"spans": [span(15, 20, 3, 4)], "relations": []}, "15 to 20", "end <= 19 characters"),
        ({"spans": [span(4, 4, 1, 1)], "relations": []}, "4 to 4", "start < end"),
        ({"spans": [{"start": 0, "end": 4}], "relations": []}, "the keys 'start', 'end'", "the key 'label'"),
        ({"relations": [relation(child=2)]}, "the child token 2", "one of its child_span"),
        ({"relations": [relation(head_span=span(0, 5, 0, 1))]}, "the span 0 to 5", "one of the 0 listed"),
        ({"relations": [relation(head_span=span(0, 4, 0, 0, "DNA"))]}, "label 'DNA'", "one of the 1 listed"),
        (
            {"relations": [{"head": 2, "child": 3, "label": "Reg"}]},
            "0 spans whose last token is 2",
            "the head",
        ),
        ({"relations": [{"head": "a", "child": 3, "label": "Reg"}]}, "'head': 'a'", "type int"),
        ({"tokens": [{"text": "Smad"}]}, "words that do not give the text", "one space after each"),
        ({"tokens": ["Smad"]}, "'Smad'", "an object with the key 'text'"),
        ({"answer": "maybe"}, "the answer 'maybe'", "one of accept, reject, ignore"),
    ],
)
def test_malformed_tasks_are_named(read, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read(task(), task(**change))
    for part in ("annotations.jsonl, line 2", found, expected):
        assert part in str(error.value)


def test_a_written_task_is_what_prodigy_shows(read, tmp_path):
    texts = read(ITEMS["prodigy"]).texts
    write_prodigy(tmp_path / "out.jsonl", texts)
    written = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert written.items() >= ITEMS["prodigy"].items()
    assert written["meta"] == {"id": "0"}


@given(st.lists(annotated_texts(), min_size=1, max_size=3))
def test_reading_gives_back_what_was_written(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "round-trip.jsonl"
    write_prodigy(path, texts)
    assert read_prodigy(path, negative=()).texts == texts


def test_published_counts_of_the_sample(corpora, tmp_path):
    conversion = read_prodigy(corpora / "prodigy" / "annotations.jsonl")
    report = conversion.report
    assert (report.texts, report.entities, report.duplicate_entities) == (149, 466, 0)
    assert report.relations + report.duplicate_relations == 267 - 34
    assert report.dropped == {"negative relations": 34} and not report.problems
    everything = read_prodigy(corpora / "prodigy" / "annotations.jsonl", negative=()).report
    assert (everything.relations, everything.duplicate_relations) == (263, 4)
    write_prodigy(tmp_path / "again.jsonl", conversion.texts)
    assert read_prodigy(tmp_path / "again.jsonl").texts == conversion.texts


def test_characters_say_where_a_span_is_and_tokens_that_differ_are_a_problem(read):
    swapped = [span(0, 4, 3, 3), span(15, 18, 0, 0)]
    conversion = read(task(spans=swapped, relations=[{"head": 0, "child": 3, "label": "Reg"}]))
    assert conversion.texts[0].extraction.relations == (Relation(SMAD, ID1, "Reg"),)
    assert conversion.report.problems == [
        ("0", "the span 0 to 4 names other tokens than those at its characters"),
        ("0", "the span 15 to 18 names other tokens than those at its characters"),
    ]


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"relations": [relation(head=99, head_span={"start": 0, "end": 4})]}, "token 99", "one of 5"),
        ({"relations": [relation(head=2, head_span={"start": 0, "end": 4})]}, "head token 2", "head_span"),
        (
            {"tokens": [{"text": "Smad", "start": 5, "end": 9}]},
            "the token 'Smad' at 5 to 9",
            "'depe', which is there",
        ),
    ],
)
def test_tokens_that_are_elsewhere_are_named(read, change, found, expected):
    with pytest.raises(ConversionError) as caught:
        read(task(**change))
    for part in ("line 1: found", found, expected):
        assert part in str(caught.value)


def test_a_text_without_words_can_be_written(tmp_path):
    write_prodigy(tmp_path / "out.jsonl", [AnnotatedText("0", "", Extraction((), ()), ())])
    assert read_prodigy(tmp_path / "out.jsonl").texts[0].text == ""


def by(*names, first=0, **changes):
    """A task as several annotators answered it, one span each."""
    spans = [span(0, 4, 0, 0), span(15, 18, 3, 3)][first : first + 1]
    keys = ("_session_id", "_annotator_id")
    return task(spans=spans, relations=[], **dict(zip(keys, names, strict=False)), **changes)


def places(conversion):
    return [[one.start for one in text.extraction.entities] for text in conversion.texts]


@pytest.mark.parametrize("lenient", [False, True])
def test_of_several_annotators_of_a_text_the_first_is_read_or_the_one_named(read, lenient):
    rejected = by("rel-cy", "cy", answer="reject")
    tasks = [rejected, by("rel-ann", "ann"), by("rel-bob", "bob", first=1), by("rel-ann", "ann", first=1)]
    conversion = read(*tasks, lenient=lenient)
    assert places(conversion) == [[0], [15]]  # ann's, who answered twice
    assert conversion.report.dropped == {
        "further annotations of a text": 1,
        "tasks with the answer 'reject'": 1,
    }
    for name in ("bob", "rel-bob"):
        conversion = read(*tasks, annotator=name, lenient=lenient)
        assert places(conversion) == [[15]]
        assert conversion.report.dropped["annotations of other annotators"] == 2
    with pytest.raises(ConversionError) as error:
        read(*tasks, annotator="dan", lenient=lenient)
    for part in ("nothing of the annotator 'dan'", "ann, bob, rel-ann, rel-bob", "Pass --annotator"):
        assert part in str(error.value)


def test_one_text_annotated_twice_without_names_is_kept_and_said(read):
    conversion = read(by(), by(first=1), by())
    assert places(conversion) == [[0], [15], [0]]
    assert conversion.report.noted == {"texts annotated otherwise than an earlier copy of them": 1}
    assert conversion.report.problems == [("1", "an earlier text has the same words and other annotations")]


def test_null_is_no_value(read):
    conversion = read(task(answer=None, meta={"id": None}), task(tokens=None, meta=None))
    assert [(text.id, len(text.extraction.relations)) for text in conversion.texts] == [("0", 1), ("1", 1)]


def test_tokens_and_spans_may_count_utf16_units(read):
    token = {"text": "🙂", "start": 0, "end": 2, "id": 0, "ws": False}
    told = {"text": "Id1", "start": 2, "end": 5, "id": 1, "ws": False}
    item = task(text="🙂Id1", tokens=[token, told], spans=[span(2, 5, 1, 1)], relations=[])
    for offsets in ("utf-16", "auto"):
        (text,) = read(item, offsets=offsets).texts
        assert (text.words, text.extraction.entities) == (("🙂", "Id1"), (Entity(1, 4, "GGP"),))
    with pytest.raises(ConversionError, match=r"the token '🙂' at 0 to 2, expected '🙂I', which is there"):
        read(item)

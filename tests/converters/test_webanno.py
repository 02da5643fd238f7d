"""WebAnno TSV: layers, stacks, numbers, parts of tokens, slots, chains, escapes, and texts put together."""

import re

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.webanno import read_webanno
from spacy_bispn.records import Entity, Relation

NAMES = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
POS = "de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS"
DEPENDENCY = "de.tudarmstadt.ukp.dkpro.core.api.syntax.type.dependency.Dependency"
WORDS = [("1-1", 0, "ORC"), ("1-2", 4, "binds"), ("1-3", 10, "ATP")]


def rows(*cells, words=WORDS):
    """The lines of tokens, each with the cells given for it."""
    return "".join(
        "\t".join([number, f"{start}-{start + len(word)}", word, *more, ""]) + "\n"
        for (number, start, word), more in zip(words, cells, strict=True)
    )


@pytest.fixture
def read(tmp_path):
    def read_content(layers, body, text="ORC binds ATP", version="3.3", **settings):
        path = tmp_path / "doc.tsv"
        head = "".join(f"#T_{layer}\n" for layer in layers)
        texts = "".join(f"#Text={line}\n" for line in [text] if line is not None)
        path.write_bytes(f"#FORMAT=WebAnno TSV {version}\n{head}\n\n{texts}{body}".encode())
        return read_webanno(path, **settings)

    return read_content


def gold(conversion):
    (text,) = conversion.texts
    return text.extraction.entities, text.extraction.relations


def test_spans_of_several_tokens_are_put_together_by_their_numbers(read):
    body = rows(["a[1]|b[2]"], ["a[1]|b[2]|c[3]"], ["b[2]"])
    entities, _ = gold(read(["SP=my.Span|value"], body))
    assert set(entities) == {Entity(0, 9, "a"), Entity(0, 13, "b"), Entity(4, 9, "c")}


def test_parts_of_tokens_begin_and_end_spans(read):
    words = [
        ("1-1", 0, "ORC"),
        ("1-1.1", 1, "RC"),
        ("1-2", 4, "binds"),
        ("1-2.1", 4, "bi"),
        ("1-3", 10, "ATP"),
    ]
    body = rows(["_"], ["x[1]"], ["_"], ["x[1]|y"], ["_"], words=words)
    entities, _ = gold(read(["SP=my.Span|value"], body))
    assert set(entities) == {Entity(1, 6, "x"), Entity(4, 6, "y")}


def test_spans_of_no_characters_are_counted(read):
    words = [*WORDS[:1], ("1-1.1", 3, ""), *WORDS[1:]]
    conversion = read(["SP=my.Span|value"], rows(["a"], ["b"], ["_"], ["_"], words=words))
    assert gold(conversion)[0] == (Entity(0, 3, "a"),)
    assert conversion.report.dropped == {"annotations of no characters": 1}


def test_a_relation_stands_at_its_target_and_names_its_source(read):
    layers = ["SP=my.Span|value", "RL=my.Rel|value|BT_my.Span"]
    # stacked at the target; numbers say which, 0 is an end that is not ambiguous
    body = rows(["p", "_", "_"], ["q[1]|r[2]", "x|y", "1-1[0_2]|1-3[0_1]"], ["s", "z", "1-1"])
    p, q, r, s = Entity(0, 3, "p"), Entity(4, 9, "q"), Entity(4, 9, "r"), Entity(10, 13, "s")
    assert gold(read(layers, body)) == (
        (p, q, r, s),
        (Relation(p, r, "x"), Relation(s, q, "y"), Relation(p, s, "z")),
    )


def test_relations_may_have_no_feature_or_no_value(read):
    spans = rows(["p", "_"], ["_", "_"], ["q", "1-1"])
    conversion = read(["SP=my.Span|value", "RL=my.Binds|BT_my.Span"], spans)
    assert [one.label for one in gold(conversion)[1]] == ["Binds"]
    assert conversion.report.noted == {}
    spans = rows(["p", "_", "_"], ["_", "_", "_"], ["*", "*", "1-1"])
    conversion = read(["SP=my.Span|value", "RL=my.Binds|value|BT_my.Span"], spans)
    assert [one.label for one in gold(conversion)[0]] == ["p", "Span"]
    assert [one.label for one in gold(conversion)[1]] == ["Binds"]
    assert conversion.report.noted == {"annotations without a value, labelled by their layer": 2}


@pytest.mark.parametrize("source", ["1-2", "9-9", "1-3[7_0]", "*"])
def test_a_relation_of_an_annotation_that_is_not_there_is_a_problem(read, source):
    body = rows(["p", "_", "_"], ["_", "_", "_"], ["q", "x", source])
    conversion = read(["SP=my.Span|value", "RL=my.Rel|value|BT_my.Span"], body)
    assert gold(conversion) == ((Entity(0, 3, "p"), Entity(10, 13, "q")), ())
    assert conversion.report.dropped == {"relations of annotations that are not there": 1}
    said = "line 9: a relation of Rel was dropped, an annotation it joins is not there"
    assert conversion.report.problems == [("doc", said)]


def test_layers_of_preprocessing_are_counted_not_read(read):
    layers = [
        f"SP={POS}|PosValue",
        f"SP={NAMES}|identifier|value",
        f"RL={DEPENDENCY}|DependencyType|BT_{POS}",
    ]
    body = rows(
        ["NN", "_", "_", "nsubj", "1-2"], ["V", "_", "_", "_", "_"], ["NN", "http://q", "X", "obj", "1-2"]
    )
    conversion = read([*layers, f"RL=my.Rel|value|BT_{POS}"], body.replace("\t\n", "\t_\t_\t\n"))
    assert gold(conversion) == ((Entity(10, 13, "X"),), ())
    assert conversion.report.dropped == {
        "annotations of the layer POS": 3,
        "annotations of the layer Dependency": 2,
        "features beside the label": 1,
    }


def test_a_relation_between_layers_that_are_not_read_is_counted(read):
    body = rows(["NN", "x", "1-3"], ["_", "_", "_"], ["NN", "_", "_"])
    conversion = read([f"SP={POS}|PosValue", f"RL=my.Rel|value|BT_{POS}"], body)
    assert conversion.report.dropped["relations of annotations that are not read"] == 1
    assert conversion.report.problems == []


def test_slots_are_relations_from_the_span_to_what_is_linked(read):
    layers = [
        "SP=my.Thing|",
        "SP=my.Event|ROLE_my.Event:args_my.EventArgsLink|my.Thing|kind",
        "SP=my.Open|ROLE_my.Open:links_my.OpenLinksLink|uima.tcas.Annotation",
    ]
    body = rows(
        ["*[1]", "_", "_", "_", "_", "_"],
        ["*[1]", "agent;*[3]", "1-1[1];1-3[2]", "bind[3]", "_", "_"],
        ["*[2]", "agent;*[3]", "1-1[1];1-3[2]", "bind[3]", "to", "1-2[3]"],
    )
    entities, relations = gold(read(layers, body))
    one, two = Entity(0, 9, "Thing"), Entity(10, 13, "Thing")
    event, opened = Entity(4, 13, "bind"), Entity(10, 13, "Open")
    assert set(entities) == {one, two, event, opened}
    assert relations == (
        Relation(event, one, "agent"),
        Relation(event, two, "args"),
        Relation(opened, event, "to"),
    )


def test_a_span_without_slots_is_a_span(read):
    layers = ["SP=my.Thing|", "SP=my.Event|ROLE_my.Event:args_my.EventArgsLink|my.Thing"]
    entities, relations = gold(read(layers, rows(["_", "_", "*"], ["_", "_", "_"], ["_", "_[1]", "*"])))
    assert entities == (Entity(0, 3, "Event"), Entity(10, 13, "Event")) and relations == ()


def test_the_mentions_of_chains_are_counted_once(read):
    layers = ["CH=my.CorefLink|referenceRelation|referenceType"]
    conversion = read(layers, rows(["*->1-1", "*[1]"], ["x->1-2", "pr[1]"], ["x->1-2|*->2-1", "pr[1]|*[2]"]))
    assert gold(conversion) == ((), ())
    assert conversion.report.dropped == {"mentions in chains": 3}


def test_labels_are_from_the_feature_that_is_named_or_the_likely_one(read):
    layers = ["SP=my.Span|sure|note|label"]
    body = rows(["true", "n1", "A"], ["*", "*", "*"], ["false", "*", "B"])
    conversion = read(layers, body)
    assert [one.label for one in gold(conversion)[0]] == ["A", "Span", "B"]
    assert conversion.report.noted == {
        "labels from the feature 'label' of Span": 2,
        "annotations without a value, labelled by their layer": 1,
    }
    assert conversion.report.dropped == {"features beside the label": 3}
    named = read(layers, body, label_feature="note")
    assert [one.label for one in gold(named)[0]] == ["n1", "Span", "Span"]
    flags = read(
        ["SP=my.Span|sure|count|kind"], rows(["true", "1", "A"], ["false", "2.5", "*"], ["_", "_", "_"])
    )
    assert [one.label for one in gold(flags)[0]] == ["A", "Span"]
    none = read(["SP=my.Span|sure"], rows(["true"], ["false"], ["_"]))
    assert [one.label for one in gold(none)[0]] == ["Span", "Span"] and none.report.noted == {}


def test_escapes_are_read_in_values_and_texts(read):
    words = [("1-1", 0, "a\\b"), ("1-2", 4, "_|"), ("1-3", 7, "[x]")]
    body = rows([r"A\_1\|B\[2\][1]"], [r"A\_1\|B\[2\][1]|C\->\;\*\\"], ["_"], words=words)
    conversion = read(["SP=my.Span|value"], body, text=r"a\\b\t_|\r[x]")
    assert conversion.texts[0].text == "a\\b\t_|\r[x]"
    assert set(gold(conversion)[0]) == {Entity(0, 6, "A_1|B[2]"), Entity(4, 6, "C->;*\\")}


def test_old_versions_escape_as_java_does(read):
    body = rows(
        ["x"], ["_"], words=[("1-1", 0, "\u00e9\U0001f9ea".replace("\U0001f9ea", "??")), ("1-2", 4, "b")]
    )
    body = body.replace("\u00e9??", "\u00e9\U0001f9ea")
    conversion = read(["SP=my.Span|value"], body, text=r"\u00e9\ud83e\uddea b", version="3.1")
    assert conversion.texts[0].text == "\u00e9\U0001f9ea b"
    assert gold(conversion)[0] == (Entity(0, 2, "x"),)


def test_a_text_whose_writer_escapes_nothing_is_taken_as_it_stands(read):
    body = rows(["_"], ["x"], words=[("1-1", 0, "C:\\temp"), ("1-2", 8, "is")])
    conversion = read(["SP=my.Span|value"], body, text="C:\\temp is")
    assert conversion.texts[0].text == "C:\\temp is"
    assert gold(conversion)[0] == (Entity(8, 10, "x"),) and conversion.report.problems == []


TWO = (
    "#Text=ORC \U0001f9ea binds\n#Text=ATP\n"
    "1-1\t{}\tORC\ta\t\n1-2\t{}\t\U0001f9ea\tb\t\n1-3\t{}\tbinds\t_\t\n"
    "1-4\t{}\tATP\tc[1]\t\n\n#Sentence.id=s2\n#Text=It does\n2-1\t{}\tIt\tc[1]\t\n2-2\t{}\tdoes\td\t\n"
)
AS_UNITS = ("0-3", "4-6", "7-12", "13-16", "18-20", "21-25")
SAID = {Entity(0, 3, "a"), Entity(4, 5, "b"), Entity(12, 18, "c"), Entity(19, 23, "d")}


@pytest.mark.parametrize(
    ("offsets", "noted"),
    [
        (AS_UNITS, {}),
        (("0-3", "4-5", "6-11", "12-15", "17-19", "20-24"), {"characters, not UTF-16 units": 1}),
        ((*AS_UNITS[:4], "0-2", "3-7"), {"begin anew": 1}),
        (("5-8", "9-11", "12-17", "18-21", "500000000-500000002", "500000003-500000007"), {}),
    ],
)
def test_sentences_are_put_together_by_their_offsets(read, offsets, noted):
    conversion = read(["SP=my.Span|value"], TWO.format(*offsets), text=None)
    (text,) = conversion.texts
    assert text.text == "ORC \U0001f9ea binds\nATP It does"
    assert set(text.extraction.entities) == SAID
    found = {
        what.split("offsets ")[1].removeprefix("count "): n for what, n in conversion.report.noted.items()
    }
    assert found == noted and conversion.report.problems == []


def test_sentences_are_those_of_the_file(read):
    body = TWO.format(*AS_UNITS).replace("c[1]", "c", 1).replace("c[1]", "_")
    conversion = read(["SP=my.Span|value"], body, text=None, level="sentence", starts=lambda text: [])
    assert [text.text for text in conversion.texts] == ["ORC \U0001f9ea binds\nATP", "It does"]


def test_sentences_without_a_gap_touch_and_space_before_the_first_token_is_kept(read):
    body = "1-1\t0-2\tAb\tx\t\n\n#Text= cd\n2-1\t2-4\tcd\ty\t\n"
    conversion = read(["SP=my.Span|value"], body, text="Ab")
    assert conversion.texts[0].text == "Ab cd"
    assert gold(conversion)[0] == (Entity(0, 2, "x"), Entity(3, 5, "y"))


def test_a_token_that_is_not_where_it_should_be_is_a_problem(read):
    conversion = read(["SP=my.Span|value"], rows(["a"], ["_"], ["_"]).replace("\tORC", "\tORD"))
    assert conversion.report.problems == [("doc", "line 6: the mention 'ORD' marks 'ORC'")]


def test_offsets_of_another_text_are_an_error(read):
    with pytest.raises(ConversionError, match=r"line 6: found 3 of the 3 mentions in 'doc' elsewhere"):
        read(["SP=my.Span|value"], rows(["a"], ["_"], ["_"]), text="The ORC binds ATP")


def test_lines_of_other_tools_are_passed_over(read):
    body = "#Summary1=(human) short\n" + rows(["a"], ["_"], ["_"])
    assert gold(read(["SP=my.Span|value"], body))[0] == (Entity(0, 3, "a"),)


SPAN = ["SP=my.Span|value"]
SLOTS = "SP=my.A|ROLE_my.A:x_my.L"


@pytest.mark.parametrize(
    ("layers", "body", "found", "expected"),
    [
        (SPAN, "1-1\t0-3\tORC\n", "line 6: found 3 columns", "the 1 columns of the header"),
        (SPAN, "1-1\t0:3\tORC\ta\n", "line 6: found '0:3'", "two offsets"),
        (SPAN, "1-1\t0-99\tORC\ta\n", "line 6: found the offsets '0-99'", "which has 13 characters"),
        (SPAN, "1-1\t3-0\tORC\ta\n", "line 6: found the offsets '3-0'", "a token of its sentence"),
        (SPAN, "ORC\tO\n", "line 6: found 'ORC\\tO'", "a token, such as '1-1'"),
        (["SP=my.A|a|b"], "1-1\t0-3\tORC\tx|y\tz\n", "2 and 1 values in the columns of my.A", "as many"),
        (["SP=my.A|v", "SP=my.B|v"], "1-1\t0-3\tORC\tx[1]\ty[1]\n", "the number 1 of two layers", "a number"),
        ([SLOTS], "1-1\t0-3\tORC\t_\n", "the slots 'ROLE_my.A:x_my.L'", "the type of their targets"),
        ([f"{SLOTS}|my.A"], "1-1\t0-3\tORC\tp\t1-1;1-1\n", "1 roles with 2 targets", "a role for each"),
        (SPAN, rows(["_"], ["_"], ["_"]) * 2, "the token '1-1' again", "a number of its own"),
    ],
)
def test_malformed_lines_are_named(read, layers, body, found, expected):
    with pytest.raises(ConversionError) as error:
        read(layers, body)
    for part in ("doc.tsv, line ", found, expected):
        assert part in str(error.value)
    assert re.search(r"\. (Export the|Check the|Escape|Make each)", str(error.value))


def test_other_versions_and_files_without_sentences_are_refused(read, tmp_path):
    with pytest.raises(ConversionError, match=r"found no sentence, expected a line '#Text=\.\.\.'"):
        read(["SP=my.Span|value"], "", text=None)
    with pytest.raises(ConversionError, match=r"line 1: found '#FORMAT=WebAnno TSV 2', expected .*TSV 3"):
        (tmp_path / "old.tsv").write_text("#FORMAT=WebAnno TSV 2\n")
        read_webanno(tmp_path / "old.tsv")

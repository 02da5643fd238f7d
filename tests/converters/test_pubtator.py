"""PubTator: title and abstract become one text, relations between concepts relations between mentions."""

import pytest

from spacy_bispn.converters import ConversionError
from spacy_bispn.converters.formats.pubtator import read_pubtator
from spacy_bispn.records import Entity, Extraction, Relation

TITLE, ABSTRACT = "Naloxone reverses shock.", "Naloxone or clonidine, in shock or low pressure."
HEAD = f"7|t|{TITLE}\n7|a|{ABSTRACT}\n"
MENTIONS = """\
7\t0\t8\tNaloxone\tChemical\tD1
7\t18\t23\tshock\tDisease\tD2
7\t25\t33\tNaloxone\tChemical\tD1
7\t37\t46\tclonidine\tChemical\tD3
7\t51\t56\tshock\tDisease\tD2
"""
TITLE_DRUG, TITLE_SHOCK = Entity(0, 8, "Chemical"), Entity(18, 23, "Disease")
LOST = "relations between concepts without a pair of mentions"
DRUG, CLONIDINE, SHOCK = Entity(25, 33, "Chemical"), Entity(37, 46, "Chemical"), Entity(51, 56, "Disease")


@pytest.fixture
def read(tmp_path):
    def read_content(content, **settings):
        path = tmp_path / "corpus.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_pubtator(path, **settings)

    return read_content


def relations(conversion):
    return conversion.texts[0].extraction.relations


def test_title_and_abstract_are_one_text(read):
    (text,) = read(HEAD + MENTIONS).texts
    assert (text.id, text.text, text.words) == ("7", f"{TITLE} {ABSTRACT}", None)
    assert text.extraction == Extraction((TITLE_DRUG, TITLE_SHOCK, DRUG, CLONIDINE, SHOCK))


def test_a_relation_between_concepts_joins_every_pair_of_their_mentions(read):
    conversion = read(HEAD + MENTIONS + "7\tCID\tD1\tD2\n")
    assert relations(conversion) == (
        Relation(TITLE_DRUG, TITLE_SHOCK, "CID"),
        Relation(TITLE_DRUG, SHOCK, "CID"),
        Relation(DRUG, TITLE_SHOCK, "CID"),
        Relation(DRUG, SHOCK, "CID"),
    )
    assert conversion.report.noted == {"relations between concepts": 1, "pairs of mentions made of them": 4}


def test_or_the_nearest_pair(read):
    conversion = read(HEAD + MENTIONS + "7\tCID\tD1\tD2\n7\tCID\tD3\tD2\n", pairs="nearest")
    # Two characters lie between the abstract's drug and the title's shock.
    assert relations(conversion) == (Relation(DRUG, TITLE_SHOCK, "CID"), Relation(CLONIDINE, SHOCK, "CID"))
    assert conversion.report.noted == {"relations between concepts": 2, "pairs of mentions made of them": 2}
    with pytest.raises(ValueError, match=r"pairs is 'some', expected all or nearest: choose"):
        read(HEAD, pairs="some")


def test_of_equally_near_pairs_the_earliest_counts(read):
    rows = "8\t0\t1\ta\tX\tA\n8\t2\t3\tb\tX\tB\n8\t4\t5\ta\tX\tA\n"
    conversion = read(f"8|t|a b a\n8|a|\n{rows}8\tof\tB\tA\n", pairs="nearest")
    assert relations(conversion) == (Relation(Entity(2, 3, "X"), Entity(0, 1, "X"), "of"),)


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        ("D4|D5", "D5"),
        ("D4;D5", "D4"),
        ("D4,D5", "D5"),
        ("D4", "Disease|D4"),
        ("c|SUB|G|12|T", "c|SUB|G|12|T"),
        ("MESH:D4", "Disease|MESH:D4"),
        (" D4 ", "D4"),
    ],
)
def test_a_mention_belongs_to_each_of_its_concepts(read, ids, named):
    row = f"7\t60\t72\tlow pressure\tDisease\t{ids}\n"
    conversion = read(HEAD + MENTIONS + row + f"7\tCID\tD3\t{named}\n")
    assert relations(conversion) == (Relation(CLONIDINE, Entity(60, 72, "Disease"), "CID"),)


def test_the_mentions_in_a_composite_one_are_not_read(read):
    row = "7\t51\t72\tshock or low pressure\tDisease\tD2|D4\tshock|low pressure\n"
    conversion = read(HEAD + MENTIONS + row + "7\tCID\tD3\tD4\n7\tWith\tD2\tD4")
    composite = Entity(51, 72, "Disease")
    assert relations(conversion)[0] == Relation(CLONIDINE, composite, "CID")
    # Of both concepts of the second relation it is a mention, but not related to itself.
    assert relations(conversion)[1:] == (
        Relation(TITLE_SHOCK, composite, "With"),
        Relation(SHOCK, composite, "With"),
    )


@pytest.mark.parametrize("column", ["\t-", "\t-1", "\t", ""])
def test_a_mention_may_have_no_concept(read, column):
    conversion = read(HEAD + f"7\t0\t8\tNaloxone\tChemical{column}\n7\tCID\t-1\tD2\n")
    assert conversion.texts[0].extraction == Extraction((TITLE_DRUG,))
    assert conversion.report.noted == {"mentions without a concept": 1}
    assert conversion.report.dropped == {LOST: 1}
    assert conversion.report.problems == [
        ("7", "line 4: a 'CID' relation was dropped, no mention of '-1' and 'D2'")
    ]


def test_a_relation_with_a_concept_that_no_mention_has_is_a_problem(read):
    conversion = read(HEAD + MENTIONS + "7\tCID\tD3\tD9\n7\tCID\tD3\tD3\n")
    assert relations(conversion) == ()
    assert conversion.report.dropped == {LOST: 2}
    assert conversion.report.problems == [
        ("7", "line 8: a 'CID' relation was dropped, no mention of 'D9'"),
        ("7", "line 9: a 'CID' relation was dropped, one mention for both ends"),
    ]


def test_columns_that_are_not_read_are_counted(read):
    rows = "7\tAssociation\tD3\tD2\tNovel\n7\tCause\tD3\tD2\t\n"
    mention = "7\t60\t72\tlow pressure\tDisease\tD4\t\tHypo\n"
    conversion = read(HEAD + MENTIONS + rows + mention, pairs="nearest")
    assert relations(conversion) == (
        Relation(CLONIDINE, SHOCK, "Association"),
        Relation(CLONIDINE, SHOCK, "Cause"),
    )
    dropped = {"values in column 5 of relations": 1, "values in column 8 of mentions": 1}
    assert conversion.report.dropped == dropped


GREEK = "8|t|TNF-α binds IL-1β in T cells.\n8|a|β-catenin costs 5 µm.\n"


@pytest.mark.parametrize("lenient", [False, True])
def test_words_that_are_only_spelt_otherwise_are_no_wrong_offsets(read, lenient):
    rows = (
        "8\t0\t5\tTNF-a\tGene\tP1\n8\t12\t17\tIl 1beta\tGene\tP2\n"
        "8\t30\t39\tbeta catenin\tGene\tP3\n8\t46\t50\t5 um\tX\tP4\n8\tbinds\tP1\tP2\n"
    )
    conversion = read(GREEK + rows, lenient=lenient)
    tnf, il = Entity(0, 5, "Gene"), Entity(12, 17, "Gene")
    assert conversion.texts[0].extraction.entities == (tnf, il, Entity(30, 39, "Gene"), Entity(46, 50, "X"))
    assert relations(conversion) == (Relation(tnf, il, "binds"),)
    assert conversion.report.noted["mentions whose own text is spelt otherwise than what they mark"] == 4
    assert conversion.report.problems == []


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    "move",
    [(1, 1), (-1, -1), (0, -1), (1, 0), (0, -2)],  # the last two: ends that are included, starts from 1
)
def test_offsets_that_are_a_character_off_are_still_an_error(read, move, lenient):
    rows = "".join(
        f"7\t{start + move[0]}\t{end + move[1]}\t{ABSTRACT[start - 25 : end - 25].upper()}\tX\t-\n"
        for start, end in ((37, 46), (51, 56), (60, 63))
    )
    if lenient:
        report = read(HEAD + rows, lenient=True).report
        said, texts = report.errors[0], report.texts
    else:
        with pytest.raises(ConversionError) as caught:
            read(HEAD + rows)
        said, texts = str(caught.value), 0
    assert texts == 0 and "found 3 of the 3 mentions in '7' elsewhere than their offsets say" in said
    assert "offsets in characters of the text as it stands" in said and "encoding were changed" in said


@pytest.mark.parametrize(
    ("gap", "said"), [(0, "right behind each other"), (2, "two characters after each other")]
)
def test_title_and_abstract_lie_where_mentions_are_right(read, gap, said):
    text = TITLE + gap * " " + ABSTRACT
    start = text.index("clonidine")
    rows = f"7\t0\t8\tNaloxone\tChemical\tD1\n7\t{start}\t{start + 9}\tclonidine\tChemical\tD3\n"
    conversion = read(HEAD + rows + HEAD.replace("7|", "8|"))
    first, second = conversion.texts
    assert (first.text, second.text) == (text, f"{TITLE} {ABSTRACT}")
    assert first.extraction.entities == (TITLE_DRUG, Entity(start, start + 9, "Chemical"))
    assert conversion.report.noted == {f"texts whose title and abstract lie {said}": 1}
    assert conversion.report.problems == []


def test_words_that_resemble_what_is_there_are_noted_and_named(read):
    conversion = read(HEAD + MENTIONS.replace("\tshock", "\tshack"))
    assert conversion.report.noted["mentions whose own text is spelt otherwise than what they mark"] == 2
    assert conversion.report.problems == [
        ("7", "line 4: the mention 'shack' marks 'shock'"),
        ("7", "line 7: the mention 'shack' marks 'shock'"),
    ]


def test_mentions_without_words_are_noted_not_wrong(read):
    rows = "7\t0\t8\t\tChemical\tD1\n7\t18\t23\t \tDisease\tD2\n"
    report = read(HEAD + rows).report
    assert report.noted == {"mentions whose offsets nothing checks, as no text stands behind them": 2}
    assert (report.entities, report.problems) == (2, [])


def test_texts_are_separated_by_their_titles(read):
    second = "8|t|Rest\n8|a|\n8\t0\t4\tRest\tX\tA"
    for separator in ("", "\n", "\n \n\n"):
        assert [text.id for text in read(HEAD + MENTIONS + separator + second).texts] == ["7", "8"]
    assert read(HEAD + HEAD).report.problems == [("7", "an earlier text has the same id")]


def test_windows_line_ends_byte_order_marks_and_other_separators_do_no_harm(read):
    content = "\ufeff7|t|Zn |a|\u2028😀 \r\n7|a|Mg\x85 Å\r\n7\t10\t12\tMg\tX\tA\r\n7\t14\t15\tÅ\tX\tB\r\n\r\n"
    conversion = read(content)
    (text,) = conversion.texts
    # The space at the end of the title counts.
    assert text.text == "Zn |a|\u2028😀  Mg\x85 Å"
    assert text.extraction.entities == (Entity(10, 12, "X"), Entity(14, 15, "X"))
    assert conversion.report.problems == []


def test_a_mention_that_is_not_where_it_should_be_is_a_problem(read):
    conversion = read(HEAD + MENTIONS.replace("clonidine", "Naloxone"))
    assert conversion.report.problems == [("7", "line 6: the mention 'Naloxone' marks 'clonidine'")]


def test_offsets_made_for_another_text_are_an_error(read):
    with pytest.raises(ConversionError) as error:
        read(f"7|t|A {TITLE}\n7|a|{ABSTRACT}\n" + MENTIONS)
    for part in ("corpus.txt, line 3: found 5 of the 5 mentions in '7'", "instead of 'Naloxone'", "Check"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("line", "found", "expected"),
    [
        ("7\t60\t90\tx\tDisease\tD4", "the span 60 to 90", "end <= 73 characters"),
        ("7\t8\t8\t\tDisease\tD4", "the span 8 to 8", "start < end"),
        ("7\t-1\t8\tNaloxone\tChemical\tD1", "'-1'", "a whole number"),
        ("7\t0\tx\tNaloxone\tChemical\tD1", "'x'", "a whole number"),
        ("7\t0\t8\tNaloxone", "'7\\t0\\t8\\tNaloxone'", "the columns id, start, end, text and label"),
        ("7\t0\t8\tNaloxone\t \tD1", "'7\\t0\\t8", "the columns id, start, end, text and label"),
        ("7\tCID\tD1", "'7\\tCID\\tD1'", "the columns id, label, head and tail"),
        ("7\tCID\tD1\t", "'7\\tCID\\tD1\\t'", "the columns id, label, head and tail"),
        ("7", "'7'", "the columns id, start, end, text and label"),
        ("8\t0\t8\tNaloxone\tChemical\tD1", "'8\\t0\\t8", "a line of the text '7'"),
        ("8|a|Another", "'8|a|Another'", "a line of the text '7'"),
        ("7|a|Another", "a second abstract", "one for each title"),
        ("8|t|Cut off", "a title alone", "the abstract, '8|a|...'"),
    ],
)
def test_malformed_lines_are_named(read, line, found, expected):
    with pytest.raises(ConversionError) as error:
        read(HEAD + MENTIONS + line + "\n")
    for part in ("corpus.txt, line 8: found " + found, expected):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "whole file: found an empty file"),
        ("\n \r\n", "whole file: found an empty file"),
        (b"7|t|\xff", "line 1: found undecodable bytes"),
        (HEAD.encode("utf-16"), "line 1: found undecodable bytes"),
        ('{"id": "7"}', 'line 1: found \'{"id": "7"}\', expected a title'),
        (MENTIONS, "line 1: found '7\\t0\\t8\\tNaloxone"),
        ("7|a|Abstract\n", "line 1: found '7|a|Abstract', expected a title"),
    ],
)
def test_malformed_files_are_named(read, content, found):
    with pytest.raises(ConversionError) as error:
        read(content)
    for part in ("corpus.txt", found):
        assert part in str(error.value)


def test_a_mention_with_a_start_that_is_no_number_is_no_relation(read):
    with pytest.raises(ConversionError) as caught:
        read(HEAD + "7\t1e1\t13\tNaloxone\tChemical\tD1\n")
    for part in ("line 3: found '1e1'", "a whole number", "Check the columns"):
        assert part in str(caught.value)


def test_concepts_of_relations_may_be_numbers(read):
    rows = "7\t0\t8\tNaloxone\tGene\t672\n7\t18\t23\tshock\tDisease\t1\n7\tof\t672\t1\tNovel\n"
    conversion = read(HEAD + rows)
    assert relations(conversion) == (Relation(Entity(0, 8, "Gene"), TITLE_SHOCK, "of"),)


def test_a_last_line_without_an_end_is_noted(read):
    assert read(HEAD + MENTIONS).report.noted == {}
    noted = read((HEAD + MENTIONS).removesuffix("se\tD2\n")).report.noted  # a shorter label, and no concept
    assert noted["files whose last line has no end, as if they were cut off"] == 1


def test_lines_before_the_first_title_are_one_error(read):
    conversion = read("a,b\nc,d\n" * 3 + HEAD + MENTIONS, lenient=True)
    assert len(conversion.texts) == 1
    (error,) = conversion.report.errors
    assert "line 1: found 'a,b', expected a title" in error

"""brat: mentions, relations and events of .txt and .ann pairs, and the way back."""

import re
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError, detect
from spacy_bispn.converters.brat_writing import file_name
from spacy_bispn.converters.formats.brat import read_brat, write_brat
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation, trimmed

TEXT = "B2O3 was melted in argon.\nIt was cooled."
B2O3, MELTED = Entity(0, 4, "Material"), Entity(9, 15, "Operation")
ARGON, COOLED = Entity(19, 24, "Gas"), Entity(33, 39, "Operation")
MENTIONS = """\
T1\tMaterial 0 4\tB2O3
T2\tOperation 9 15\tmelted
T3\tGas 19 24\targon
T4\tOperation 33 39\tcooled
"""


@pytest.fixture
def save(tmp_path):
    def save_pair(annotations, text=TEXT, name="doc"):
        for suffix, content in ((".txt", text), (".ann", annotations)):
            if content is not None:
                content = content if isinstance(content, bytes) else content.encode()
                (tmp_path / f"{name}{suffix}").write_bytes(content)
        return tmp_path

    return save_pair


def test_mentions_and_relations(save):
    (text,) = read_brat(save(MENTIONS + "R1\tInside Arg1:T1 Arg2:T3\t\n")).texts
    assert (text.id, text.text, text.words) == ("doc", TEXT, None)
    assert text.extraction == Extraction((B2O3, MELTED, ARGON, COOLED), (Relation(B2O3, ARGON, "Inside"),))


def test_the_names_of_arguments_not_their_order_give_the_direction(save):
    (text,) = read_brat(save(MENTIONS + "R1\tInside Arg2:T3 Arg1:T1\nR2\tNear Site:T3 Cause:T1")).texts
    assert text.extraction.relations == (Relation(B2O3, ARGON, "Inside"), Relation(ARGON, B2O3, "Near"))


def test_an_event_is_a_relation_from_its_trigger_to_each_argument(save):
    # The event may stand before its mentions, and an event as an argument is its trigger.
    events = "E1\tOperation:T2 Target:T1 Atmosphere:T3\nE2\tOperation:T4 \nR1\tNext Arg1:E1 Arg2:E2\t\n"
    (text,) = read_brat(save(events + MENTIONS)).texts
    assert text.extraction.relations == (
        Relation(MELTED, B2O3, "Target"),
        Relation(MELTED, ARGON, "Atmosphere"),
        Relation(MELTED, COOLED, "Next"),
    )


def test_events_take_events_as_arguments(save):
    (text,) = read_brat(save(MENTIONS + "E1\tOperation:T2 Then:E2\nE2\tOperation:T4")).texts
    assert text.extraction.relations == (Relation(MELTED, COOLED, "Then"),)


@pytest.mark.parametrize(
    ("roles", "labels"),
    [
        ("Theme:T1 Theme2:T3", ["Theme", "Theme"]),
        ("Arg1:T1 Arg2:T3", ["Arg1", "Arg2"]),
        ("Theme:T1 Theme1:T3", ["Theme", "Theme1"]),
        ("Theme:T1 Site2:T3", ["Theme", "Site"]),
        ("Acts-on2:T1 Using15:T3", ["Acts-on", "Using"]),
        ("Theme:T1 CO1:T3", ["Theme", "CO1"]),
    ],
)
def test_a_number_behind_a_role_that_repeats_is_not_part_of_it(save, roles, labels):
    (text,) = read_brat(save(MENTIONS + f"E1\tOperation:T2 {roles}")).texts
    assert [relation.label for relation in text.extraction.relations] == labels


def test_a_role_is_numbered_by_its_corpus_not_by_its_event(save):
    save(MENTIONS + "E1\tOperation:T2 Site:T1 Arg1:T1\n", name="other")
    folder = save(MENTIONS + "E1\tOperation:T2 Site2:T1 Arg2:T3 Using5:T3\n")
    conversion = read_brat(folder)
    labels = [[link.label for link in text.extraction.relations] for text in conversion.texts]
    assert labels == [["Site", "Arg2", "Using"], ["Site", "Arg1"]]
    assert conversion.report.noted == {
        "roles 'Site2' read as 'Site'": 1,
        "roles 'Using5' read as 'Using', which no event has": 1,
        "texts annotated otherwise than an earlier copy of them": 1,
    }
    # alone, nothing says that Arg2 is a role of its own
    (text,) = read_brat(folder / "doc.ann").texts
    assert [link.label for link in text.extraction.relations] == ["Site", "Arg", "Using"]


CONF = """\
[entities]
Theme2\tA:B
[events]
# Ghost:<ENTITY>
<GAS>=Gas|Material
!Process
\tOperation\tTarget*:<ENTITY>, Site{2}:<GAS>, H2O?:Material,Arg1:Gas, Arg2:Gas
[attributes]
Negated\tArg:<EVENT>
"""


@pytest.mark.parametrize("place", [".", ".."])
def test_roles_are_those_that_annotation_conf_declares(save, tmp_path, place):
    folder = tmp_path / "corpus"
    folder.mkdir()
    roles = "Target1:T1 Target12:T1 Site2:T3 H2O:T1 H2O2:T3 Arg1:T1 Arg2:T3 Theme2:T1 Ghost1:T1"
    (folder / "a.txt").write_text(TEXT)
    (folder / "a.ann").write_text(MENTIONS + f"E1\tOperation:T2 {roles}\n")
    (folder / place / "annotation.conf").write_text(CONF)
    conversion = read_brat(folder)
    labels = [link.label for link in conversion.texts[0].extraction.relations]
    assert labels == ["Target", "Site", "H2O", "H2O", "Arg1", "Arg2", "Theme", "Ghost1"]
    assert conversion.report.duplicate_relations == 1  # Target1 and Target12 of the same mention
    assert conversion.report.noted == {
        "roles declared in annotation.conf": 5,
        "roles 'Target1' read as 'Target'": 1,
        "roles 'Target12' read as 'Target'": 1,
        "roles 'Site2' read as 'Site'": 1,
        "roles 'H2O2' read as 'H2O'": 1,
        "roles 'Theme2' read as 'Theme', which no event has": 1,
    }


def test_a_numbered_role_follows_the_corpus_where_nothing_is_declared(save):
    save(MENTIONS + "E1\tOperation:T2 Site:T1 Site1:T3\n", name="other")
    conversion = read_brat(save(MENTIONS + "E1\tOperation:T2 Site2:T1\n"))
    labels = [[link.label for link in text.extraction.relations] for text in conversion.texts]
    assert labels == [["Site"], ["Site", "Site1"]]
    assert conversion.report.noted["roles 'Site1' kept beside 'Site', see --rename"] == 1


def test_what_cannot_be_decoded_is_an_error_of_its_document_alone(save):
    save(b"E1\tOperation:\xff Site:T1", name="bad")
    conversion = read_brat(save(MENTIONS + "E1\tOperation:T2 Site2:T1\n"), lenient=True)
    assert [link.label for link in conversion.texts[0].extraction.relations] == ["Site"]
    (error,) = conversion.report.errors
    assert "bad.ann, whole file: found undecodable bytes" in error


CONTRADICTS = "an earlier text has the same words and other annotations"
EDGES = "mentions whose own text has white space at an edge, which is cut off"
RESPELT = "mentions whose own text is spelt otherwise than what they mark"


@pytest.mark.parametrize("lenient", [False, True])
def test_white_space_at_the_edges_of_the_quoted_text_is_no_wrong_offset(save, lenient):
    annotations = "".join(f"{line} \n" for line in MENTIONS.splitlines()) + "R1\tInside Arg1:T1 Arg2:T3\n"
    conversion = read_brat(save(annotations.replace("\targon", "\t  argon")), lenient=lenient)
    assert conversion.texts[0].extraction.entities == (B2O3, MELTED, ARGON, COOLED)
    assert conversion.texts[0].extraction.relations == (Relation(B2O3, ARGON, "Inside"),)
    assert (conversion.report.noted, conversion.report.problems) == ({EDGES: 4}, [])


def test_columns_behind_those_of_brat_are_counted(save):
    annotations = MENTIONS.replace("melted", "melted\tmelt").replace("argon", "argon\t")
    conversion = read_brat(save(annotations + "R1\tInside Arg1:T1 Arg2:T3\t0.9\n"))
    assert conversion.texts[0].extraction.entities == (B2O3, MELTED, ARGON, COOLED)
    assert conversion.report.problems == []
    assert conversion.report.dropped == {
        "columns of mentions behind their text": 1,
        "values behind the arguments of relations and events": 1,
    }


def test_folders_of_documents_inside_the_folder_are_counted_and_named(save, tmp_path):
    for name in ("train", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "train" / "a.ann").touch()
    report = read_brat(save(MENTIONS)).report
    assert report.dropped == {"folders of documents inside the folder": 1}
    assert report.problems == [("train", f"left out: convert {tmp_path / 'train'} for itself")]


def test_what_is_ignored_is_counted(save):
    lines = [
        "*\tEquiv T1 T3",
        "A1\tNegated E1",
        "M1\tSpeculated T1",
        "N1\tReference T1 Wikipedia:1 boron oxide",
        "#1\tAnnotatorNotes T1\tsee below",
        "# a comment",
    ]
    conversion = read_brat(save(MENTIONS + "\n".join([*lines, ""])))
    assert conversion.report.dropped == {
        "equivalences": 1,
        "attributes": 2,
        "normalisations": 1,
        "notes": 2,
    }
    said = str(conversion.report)
    assert "dropped: 2 attributes, 1 equivalences, 1 normalisations, 2 notes; 0 problems" in said
    assert conversion.report.relations == 0


DISCONTIGUOUS = "T5\tPair 0 4;19 24\tB2O3 argon\nR1\tOf Arg1:T5 Arg2:T2\nR2\tOf Arg1:T1 Arg2:T2\n"


def test_discontiguous_mentions_are_dropped_with_their_relations(save):
    conversion = read_brat(save(MENTIONS + DISCONTIGUOUS))
    assert conversion.texts[0].extraction.entities == (B2O3, MELTED, ARGON, COOLED)
    assert conversion.texts[0].extraction.relations == (Relation(B2O3, MELTED, "Of"),)
    assert conversion.report.dropped == {
        "discontiguous mentions": 1,
        "relations of dropped mentions": 1,
    }
    assert conversion.report.problems == []


def test_discontiguous_mentions_can_be_covered_by_one_span(save):
    conversion = read_brat(save(MENTIONS + DISCONTIGUOUS), discontiguous="cover")
    assert conversion.texts[0].extraction.entities[-1] == Entity(0, 24, "Pair")
    assert len(conversion.texts[0].extraction.relations) == 2
    assert conversion.report.noted == {"discontiguous mentions covered by one span": 1}
    assert conversion.report.as_json()["discontiguous"] == 1
    with pytest.raises(ValueError, match=r"discontiguous is 'both', expected drop or cover: choose"):
        read_brat(save(MENTIONS), discontiguous="both")


@pytest.mark.parametrize("spans", ["19 25;26 28", "26 28;19 25"])
def test_a_mention_cut_at_a_line_end_is_one_span(save, spans):
    conversion = read_brat(save(f"T1\tX {spans}\t{'argon. It' if spans[0] == '1' else 'It argon.'}"))
    assert conversion.texts[0].extraction.entities == (Entity(19, 28, "X"),)
    assert conversion.report.dropped == {}


@pytest.mark.parametrize("marked", ["argon. It", "argon.  It", "argon.\tIt"])
def test_a_mention_over_a_line_end_may_be_quoted_with_any_white_space(save, marked):
    assert read_brat(save(f"T1\tX 19 28\t{marked}")).report.problems == []


def test_offsets_count_the_characters_of_the_text_as_it_stands(save):
    text = "\ufeffZn\r\nÅ\u2028😀 Mg"
    (read,) = read_brat(save("\ufeffT1\tX 1 3\tZn\r\nT2\tX 5 6\tÅ\r\nT3\tX 9 11\tMg\r\n\r\n", text)).texts
    assert read.text == text
    assert [text[one.start : one.end] for one in read.extraction.entities] == ["Zn", "Å", "Mg"]


def test_a_mention_that_is_not_where_it_should_be_is_a_problem(save):
    conversion = read_brat(save(MENTIONS.replace("argon", "neon")))
    assert conversion.report.problems == [("doc", "line 3: the mention 'neon' marks 'argon'")]
    assert ARGON in conversion.texts[0].extraction.entities


def test_one_mention_alone_says_nothing_about_the_text(save):
    conversion = read_brat(save("T1\tMaterial 0 4\tB2O\n"))
    assert conversion.report.problems == [("doc", "line 1: the mention 'B2O' marks 'B2O3'")]


def test_offsets_made_for_another_text_are_an_error(save):
    with pytest.raises(ConversionError) as error:
        read_brat(save(MENTIONS, "\ufeff" + TEXT))
    for part in ("doc.ann, line 1: found 4 of the 4 mentions", "instead of 'B2O3'", "byte order mark"):
        assert part in str(error.value)


def test_mentions_without_a_quoted_text_are_taken_as_they_are_and_counted(save):
    conversion = read_brat(save("T1\tMaterial 0 4\n"))
    assert conversion.texts[0].extraction.entities == (B2O3,)
    unchecked = "mentions whose offsets nothing checks, as no text stands behind them"
    assert conversion.report.noted == {unchecked: 1}


def test_a_document_without_annotations_and_one_by_its_file(save):
    folder = save("")
    save(MENTIONS, name="a.b")
    assert [text.id for text in read_brat(folder).texts] == ["a.b", "doc"]
    for name in ("a.b.ann", "a.b.txt"):
        assert [text.id for text in read_brat(folder / name).texts] == ["a.b"]
    assert read_brat(folder / "doc.ann").texts == [AnnotatedText("doc", TEXT, Extraction())]


def test_brat_is_recognized_by_a_folder_or_an_annotation_file(save, tmp_path):
    (tmp_path / "other").mkdir()
    folder = save(MENTIONS)
    assert detect(folder) == detect(folder / "doc.ann") == "brat"
    for other in (folder / "other", folder / "doc.txt"):
        with pytest.raises(ConversionError, match="Pass --format"):
            detect(other)


def test_a_lenient_reader_skips_documents_and_counts_nothing_of_them(save):
    save(MENTIONS + "*\tEquiv T1 T3\nT5\tX 0 99\tx\n", name="bad")
    folder = save(MENTIONS)
    with pytest.raises(ConversionError, match=r"bad\.ann, line 6"):
        read_brat(folder)
    report = read_brat(folder, lenient=True).report
    assert (report.texts, report.dropped, len(report.errors)) == (1, {}, 1)


def test_symmetric_and_negative_labels(save):
    folder = save(MENTIONS + "R1\tNear Arg1:T3 Arg2:T1\nR2\tNone Arg1:T1 Arg2:T2\n")
    conversion = read_brat(folder, symmetric=("Near",), negative=("None",))
    assert conversion.texts[0].extraction.relations == (Relation(B2O3, ARGON, "Near"),)
    assert conversion.report.dropped == {"negative relations": 1}


def test_the_documented_example_can_be_read(save):
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text("utf-8")
    text, annotations = re.findall(r"```text\n(.*?)```", page.split("\n## brat\n")[1], re.S)[:2]
    report = read_brat(save(annotations, text)).report
    assert (report.entities, report.relations, report.dropped, report.problems) == (3, 2, {}, [])


def test_a_text_without_annotation_file_is_left_out_and_reported(save):
    save(None, name="readme")
    conversion = read_brat(save(MENTIONS))
    assert [text.id for text in conversion.texts] == ["doc"]
    assert conversion.report.problems == [("readme", "left out: there is no readme.ann beside readme.txt")]


@pytest.mark.parametrize(
    ("line", "found", "expected"),
    [
        ("T5\tX 30 90\tx", "the span 30 to 90", "end <= 40 characters"),
        ("T5\tX 4 4\t", "the span 4 to 4", "start < end"),
        ("T5\tX 0 4;30 90\tx", "the span 30 to 90", "end <= 40 characters"),
        ("T5\tX 0", "'X 0'", "a label, a start and an end"),
        ("T5\tX", "'X'", "a label, a start and an end"),
        ("T5\t 0 4\tB2O3", "' 0 4'", "a label, a start and an end"),
        ("T5\tX -1 4\tB2O3", "'-1'", "a whole number"),
        ("T5\tX 0 ٤\tB2O3", "'٤'", "a whole number"),
        ("T5", "'T5'", "and a tab"),
        ("T1\tX 0 4\tB2O3", "the id 'T1' of line 1", "an id of its own"),
        ("R1\tOf Arg1:T1 Arg2:T9", "the id 'T9'", "the id of a T or E line"),
        ("R1\tOf Arg1:T1 Arg2:E1", "the id 'E1'", "the id of a T or E line"),
        ("R1\tOf Arg1:T1", "'Of Arg1:T1'", "two arguments"),
        ("R1\tOf", "'Of'", "Label Arg1:ID Arg2:ID"),
        ("R1\tOf T1 T2", "'Of T1 T2'", "Label Arg1:ID Arg2:ID"),
        ("E1\tOperation:T9", "the id 'T9'", "the id of a T or E line"),
        ("E1\tOperation", "'Operation'", "Type:TRIGGER Role:ID"),
        ("E1\tOperation:T2 Target:", "'Operation:T2 Target:'", "Type:TRIGGER Role:ID"),
        ("A text of its own", "'A text of its own'", "and a tab"),
        ("X1\tOf T1", "'X1\\tOf T1'", "an id that starts with one of"),
        ('{"text": "a"}', '\'{"text": "a"}\'', "an id that starts with one of"),
        ("\tX 0 4", "'\\tX 0 4'", "an id that starts with one of"),
    ],
)
def test_malformed_lines_are_named(save, line, found, expected):
    with pytest.raises(ConversionError) as error:
        read_brat(save(MENTIONS + line + "\n"))
    for part in ("doc.ann, line 5: found " + found, expected):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("annotations", "text", "found"),
    [
        (MENTIONS, "", "doc.txt, whole file: found an empty file"),
        (MENTIONS, b"B2O3 \xff", "doc.txt, whole file: found undecodable bytes"),
        (MENTIONS.encode("utf-16"), TEXT, "doc.ann, whole file: found undecodable bytes"),
        (MENTIONS, None, "doc.txt, whole file: found no such file"),
        (None, TEXT, "no .ann file, expected pairs of .txt and .ann"),
    ],
)
def test_malformed_files_are_named(save, annotations, text, found):
    with pytest.raises(ConversionError) as error:
        read_brat(save(annotations, text))
    assert found in str(error.value)


def test_a_path_that_is_no_brat_corpus_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(ConversionError, match=r"no \.ann file.*folders in this one: train"):
        read_brat(tmp_path)
    with pytest.raises(ConversionError, match=r"the suffix '\.json', expected \.ann or \.txt\. Give"):
        read_brat(tmp_path / "corpus.json")
    with pytest.raises(ConversionError, match=r"no such file.*Add doc\.ann"):
        read_brat(tmp_path / "doc.txt")


GOLD = AnnotatedText("doc", TEXT, Extraction((B2O3, ARGON), (Relation(ARGON, B2O3, "Around"),)))


def test_one_file_for_the_text_and_one_for_its_annotations(tmp_path):
    folder = tmp_path / "new" / "folder"
    write_brat(folder, [GOLD])
    assert (folder / "doc.txt").read_text("utf-8") == TEXT
    assert (folder / "doc.ann").read_text("utf-8") == (
        "T1\tMaterial 0 4\tB2O3\nT2\tGas 19 24\targon\nR1\tAround Arg1:T2 Arg2:T1\t\n"
    )


def renamed(name):
    return AnnotatedText(name, GOLD.text, GOLD.extraction)


FOLDERS = ("..", "../doc", "a/b", "a\\b", "/etc/doc", "C:doc", "a:0", "news/2024:1")
ODD_NAMES = (
    ".",
    "a\0b",
    "a\nb",
    ".doc",
    "doc.",
    " doc",
    "NUL",
    "con.1",
    "a?",
    "\ud800",
    "~",
    "a~3A0",
    "a\u3000",
)


def test_an_id_that_is_no_good_file_name_is_spelt_so_that_it_is_read_again(tmp_path):
    names = sorted(FOLDERS + ODD_NAMES)
    write_brat(tmp_path / "out", [renamed(name) for name in names])
    files = [file.name for file in (tmp_path / "out").iterdir()]
    assert len(files) == 2 * len(names) and {"a~3A0.txt", "news~2F2024~3A1.ann", "~2E~2E.txt"} <= set(files)
    assert all(re.fullmatch(r"[\w~][\w~. ]*[\w]\.(txt|ann)|[\w~]+\.(txt|ann)", name) for name in files)
    conversion = read_brat(tmp_path / "out")
    assert sorted(text.id for text in conversion.texts) == names
    assert not conversion.report.problems


@pytest.mark.parametrize("name", ["a~3a", "a~", "50~41", "~ZZ", "a~FF", "b~20c"])
def test_names_that_are_not_ours_stand_for_themselves(save, name):
    folder = save(MENTIONS)
    for suffix in ("txt", "ann"):
        (folder / f"doc.{suffix}").rename(folder / f"{name}.{suffix}")
    assert [text.id for text in read_brat(folder).texts] == [name]


@pytest.mark.parametrize("name", ["", "a" * 201, "é" * 101, ":" * 67])
def test_an_id_that_gives_no_file_name_is_refused(tmp_path, name):
    folder = tmp_path / "out"
    found = f"found an id of {len(name)} characters, expected 1 to 200 bytes as .* Give the text another id"
    with pytest.raises(ConversionError, match=found):
        write_brat(folder, [GOLD, renamed(name)])
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["doc", "DOC"])
def test_two_texts_with_one_file_name_are_refused(tmp_path, name):
    with pytest.raises(ConversionError, match=r"an id that an earlier text has, expected .* Rename one"):
        write_brat(tmp_path, [GOLD, renamed(name)])


def test_a_file_that_exists_is_not_overwritten(save):
    folder = save(None, "by hand")
    with pytest.raises(ConversionError, match=r"doc\.txt, whole file: found a file of this name.*empty"):
        write_brat(folder, [GOLD])
    assert (folder / "doc.txt").read_text("utf-8") == "by hand"


@pytest.mark.parametrize(
    ("text", "extraction", "message"),
    [
        (TEXT, Extraction((Entity(0, 4, "a b"),)), "the label 'a b', expected a label without white space"),
        (TEXT, Extraction((Entity(0, 4, ""),)), "the label '', expected a label without white space"),
        (TEXT, Extraction((B2O3,), (Relation(B2O3, B2O3, "a\tb"),)), "the label"),
        (TEXT, Extraction((B2O3,), (Relation(B2O3, ARGON, "Of"),)), "Add the entity or leave out"),
        (TEXT, Extraction((Entity(30, 90, "X"),)), "the span 30 to 90, expected .* <= 40"),
        ("", Extraction(), "an empty text"),
    ],
)
def test_what_brat_cannot_express_is_refused(tmp_path, text, extraction, message):
    with pytest.raises(ConversionError, match=message):
        write_brat(tmp_path, [AnnotatedText("doc", text, extraction)])
    assert list(tmp_path.iterdir()) == []


LABELS = st.text(min_size=1).filter(lambda label: label.split() == [label])
NAMES = st.text(alphabet="abcé._- 1/:~3A\n", min_size=1, max_size=8)


@st.composite
def annotated_texts(draw):
    text = draw(st.text(min_size=1))
    starts = st.integers(0, len(text) - 1)
    entity = starts.flatmap(
        lambda start: st.builds(Entity, st.just(start), st.integers(start + 1, len(text)), LABELS)
    )
    found = draw(st.lists(entity, unique=True, max_size=5))
    # white space at an edge is cut off
    entities = [one for one in found if trimmed(text, one.start, one.end) == (one.start, one.end)]
    relation = st.builds(Relation, st.sampled_from(entities), st.sampled_from(entities), LABELS)
    relations = draw(st.lists(relation, unique=True, max_size=5)) if entities else []
    return AnnotatedText(draw(NAMES), text, Extraction(tuple(entities), tuple(relations)))


@given(st.lists(annotated_texts(), min_size=1, max_size=3, unique_by=lambda text: text.id.casefold()))
def test_reading_gives_back_what_was_written(tmp_path_factory, texts):
    folder = Path(mkdtemp(dir=tmp_path_factory.getbasetemp()))
    write_brat(folder, texts)
    conversion = read_brat(folder)
    assert conversion.texts == sorted(texts, key=lambda text: file_name(text.id))
    assert {what for _, what in conversion.report.problems} <= {CONTRADICTS}


def test_published_counts_of_the_materials_corpus(corpora, tmp_path):
    conversion = read_brat(corpora / "brat" / "data")
    report = conversion.report
    assert (report.texts, report.entities) == (30, 2449)
    # 1755 R lines and the 532 arguments of events.
    assert report.relations + report.duplicate_relations == 1755 + 532
    assert report.dropped == {"attributes": 26}
    assert report.problems == []
    labels = Counter(link.label for text in conversion.texts for link in text.extraction.relations)
    assert labels["Next_Operation"] > 0
    assert labels["Recipe_Precursor"] > 0
    write_brat(tmp_path / "again", conversion.texts)
    assert read_brat(tmp_path / "again").texts == conversion.texts


def test_a_last_line_without_an_end_is_noted(save):
    assert read_brat(save(MENTIONS)).report.noted == {}
    noted = read_brat(save(MENTIONS + "R1\tInside Arg1:T1 Arg2:T3")).report.noted  # perhaps of T31
    assert noted == {"files whose last line has no end, as if they were cut off": 1}


def test_lines_that_end_in_cr_alone_are_named(save):
    with pytest.raises(ConversionError) as caught:
        read_brat(save(MENTIONS.replace("\n", "\r")))
    for part in ("doc.ann, whole file: found CR alone", "LF or CR LF", "Convert the ends"):
        assert part in str(caught.value)


def test_a_folder_that_cannot_be_written_to_its_end_has_nothing_of_it(tmp_path, monkeypatch):
    saved = []

    def fill(path, content):
        if len(saved) == 3:
            raise OSError("no room")
        saved.append(path)
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)

    monkeypatch.setattr("spacy_bispn.converters.brat_writing.save", fill)
    with pytest.raises(OSError, match="no room"):
        write_brat(tmp_path / "out", [AnnotatedText(name, "B2O3", Extraction((), ())) for name in "ab"])
    assert len(saved) == 3 and list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def save_parts(tmp_path):
    def save_files(name="doc", text=TEXT, **parts):
        for suffix, content in {"txt": text, **parts}.items():
            (tmp_path / f"{name}.{suffix}").write_text(content)
        return tmp_path

    return save_files


A1, A2 = MENTIONS[: MENTIONS.index("T4")], MENTIONS[MENTIONS.index("T4") :]


def test_a1_and_a2_are_one_document(save_parts):
    # what is given, and what was to be found: triggers, events, relations, equivalences, modifications
    found = A2 + "E1\tOperation:T4 Target:T1\nR1\tInside Arg1:T1 Arg2:T3\n*\tEquiv T1 T3\nM1\tNegation E1\n"
    folder = save_parts(a1=A1, a2=found)
    for path in (folder, folder / "doc.a1", folder / "doc.a2", folder / "doc.txt"):
        conversion = read_brat(path)
        (text,) = conversion.texts
        assert (text.id, text.extraction.entities) == ("doc", (B2O3, MELTED, ARGON, COOLED))
        assert text.extraction.relations == (
            Relation(COOLED, B2O3, "Target"),
            Relation(B2O3, ARGON, "Inside"),
        )
        assert conversion.report.dropped == {"equivalences": 1, "attributes": 1}
        assert conversion.report.noted == {} and conversion.report.problems == []
    assert detect(folder) == "brat"


def test_a1_alone_and_an_empty_a2_have_no_relations(save_parts):
    save_parts("a", a1=A1)
    conversion = read_brat(save_parts("b", a1=A1, a2=""))
    assert [(text.id, len(text.extraction.entities)) for text in conversion.texts] == [("a", 3), ("b", 3)]
    assert conversion.report.noted == conversion.report.dropped == {}


def test_an_ann_goes_before_the_parts_beside_it(save_parts):
    conversion = read_brat(save_parts(ann=MENTIONS, a1=A1, a2=A2))
    assert conversion.report.entities == 4
    assert conversion.report.dropped == {"files beside an .ann of the same name": 2}


def test_an_id_that_both_parts_have_is_an_error(save_parts):
    with pytest.raises(ConversionError, match=r"doc\.a2, line 1: found the id 'T1' of line 1, expected"):
        read_brat(save_parts(a1=A1, a2="T1\tGas 19 24\targon\n"))


def test_parts_that_refer_to_what_is_not_there_are_an_error(save_parts):
    with pytest.raises(ConversionError, match=r"doc\.a2, line 1: found the id 'T9', expected the id of a T"):
        read_brat(save_parts(a1=A1, a2="R1\tInside Arg1:T1 Arg2:T9\n"))

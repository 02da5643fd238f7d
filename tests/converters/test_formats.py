"""What holds for every format: it is recognized, it reads its like, and it says what is wrong."""

import json

import pytest
from examples import DOCUMENTS, ITEMS, LINES, SAID, TEXT, documented, encode

from spacy_bispn.converters import (
    ConversionError,
    all_formats,
    detect,
    get_format,
    get_writer,
)

each_format = pytest.mark.parametrize("form", ITEMS)


@pytest.fixture
def save(tmp_path):
    def save_content(content):
        path = tmp_path / "corpus.data"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return save_content


def renamed(form, name):
    """The example with another text id, where the format has one."""
    return ITEMS[form] | {key: name for key in ("id", "doc_key") if key in ITEMS[form]}


@each_format
def test_every_format_reads_its_example(save, form):
    (text,) = get_format(form).read(save(encode(form, [ITEMS[form]]))).texts
    assert (text.text, text.extraction) == (TEXT, SAID)


@each_format
def test_every_format_is_recognized_by_its_content(save, form):
    assert detect(save(encode(form, [ITEMS[form]]))) == form


@each_format
def test_every_format_is_documented_with_an_example_that_can_be_read(save, form):
    path = save(documented()[form])
    assert detect(path) == form
    report = get_format(form).read(path).report
    assert report.entities and not report.problems


@pytest.mark.parametrize("form", sorted({"doccano", "jsonl", "prodigy", "spert", "biorelex"}))
def test_a_first_text_without_annotation_is_recognized_too(save, form):
    item = ITEMS[form] | {
        key: [] for key in ("entities", "relations", "interactions", "spans") if key in ITEMS[form]
    }
    assert detect(save(encode(form, [item]))) == form


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"text": "a", "labels": []}', "the keys 'text', 'labels'"),
        ("[]", "[]"),
        ("[1, 2]", "1"),
        ("ORC binds ATP.", "'ORC binds ATP.'"),
        ("7|a|ORC binds ATP.", "'7|a|ORC binds ATP.'"),
        ("<html>", "'<html>'"),
        ('{"text": "a", ', '{"text": "a",'),
        ("{}", "{}"),
    ],
)
def test_what_no_format_fits_has_to_be_named(save, content, found):
    with pytest.raises(ConversionError) as error:
        detect(save(content))
    for part in ("corpus.data", found, "bioc, bioc-json, biorelex, brat", "Pass --format"):
        assert part in str(error.value)


def test_what_two_formats_fit_has_to_be_named(save):
    both = json.dumps(ITEMS["dygie"] | ITEMS["glirel"])
    with pytest.raises(ConversionError, match=r"which fits dygie and glirel, .* Pass --format"):
        detect(save(both))


def test_a_folder_is_none_of_these_formats(tmp_path):
    with pytest.raises(ConversionError, match=r"found a folder, .* Pass --format"):
        detect(tmp_path)


def test_a_folder_of_folders_or_of_other_files_says_what_is_in_it(tmp_path):
    for name in (
        "a/x.txt",
        "dev/b.ann",
        "dev/b.txt",
        "train/a.ann",
        "one.json",
        "two.json",
        "LICENSE",
        ".x/a.ann",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    inside = "folders in this one: dev, train, a), or one of its files (2 .json, 1 LICENSE)"
    for look in (detect, get_format("brat").read, get_format("jsonl").read, get_format("bioc").read):
        with pytest.raises(ConversionError) as caught:
            look(tmp_path)
        for part in (
            f"{tmp_path}, whole folder: found ",
            ", expected ",
            "Give the folder that holds",
            inside,
        ):
            assert part in str(caught.value)


@each_format
def test_byte_order_marks_windows_line_ends_and_blank_lines_do_no_harm(save, form):
    content = encode(form, [ITEMS[form]]).replace("\n", "\r\n") + "\r\n\r\n"
    path = save(b"\xef\xbb\xbf" + content.encode())
    assert get_format(form).read(path).texts[0].extraction == SAID
    assert detect(path) == form


@each_format
@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        (b"", "an empty file", "at least one text"),
        (b"\n \n", "an empty file", "at least one text"),
        (b"\xff\xfe{\x00", "found", "UTF-8"),
        (b"{", "found", "the file's format"),
        (b"1", "found", "the file's format"),
        (b"[" * 100_000, "found", "the file's format"),
        (b"{}", "found", "the file's format"),
    ],
)
def test_what_is_no_corpus_is_named(save, form, content, found, expected):
    with pytest.raises(ConversionError) as error:
        get_format(form).read(save(content))
    for part in ("corpus.data", found, expected):
        assert part in str(error.value)


# Between two lines of PubTator nothing tells that more were to come.
@pytest.mark.parametrize("form", sorted(ITEMS.keys() - {"pubtator"}))
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_no_smaller_corpus(save, form, cut):
    content = encode(form, [ITEMS[form]] * 2).rstrip()
    whole = content[content.index("\n") :] if form in LINES else content  # cut the last line
    content = content[: len(content) - len(whole)] + whole[: int(cut * len(whole))]
    with pytest.raises(ConversionError, match=r"corpus\.data, (line 2|whole file): found"):
        get_format(form).read(save(content))


@each_format
@pytest.mark.parametrize("other", ITEMS)
def test_a_file_of_another_format_is_refused(save, form, other):
    if form != other:
        with pytest.raises(ConversionError, match=r"corpus\.data, .*: found .*, expected"):
            get_format(form).read(save(encode(other, [ITEMS[other]])))


@each_format
def test_a_folder_is_no_file(tmp_path, form):
    with pytest.raises(ConversionError, match="found a folder, expected a file"):
        get_format(form).read(tmp_path)


@pytest.mark.parametrize("form", sorted(ITEMS.keys() - {"bioc", "pubtator"}))  # which have no escapes
def test_half_a_surrogate_pair_is_refused(save, form):
    content = encode(form, [ITEMS[form]]).replace("ORC", "\\ud83d")
    with pytest.raises(ConversionError, match=r"surrogates not allowed.*Check the file's format"):
        get_format(form).read(save(content))


@each_format
def test_a_lenient_reader_skips_and_reports_what_it_cannot_read(save, form):
    content = encode(form, [renamed(form, 1), {"broken": True}, ITEMS[form]])
    with pytest.raises(ConversionError):
        get_format(form).read(save(content))
    report = get_format(form).read(save(content), lenient=True).report
    assert (report.texts, len(report.errors)) == (2, 1)
    assert "corpus.data, " in report.errors[0] and "expected" in report.errors[0]
    assert "1 items that could not be read" in str(report)


@pytest.mark.parametrize("form", LINES)
def test_a_lenient_reader_skips_lines_that_cannot_be_parsed(save, form):
    content = encode(form, [ITEMS[form]])
    conversion = get_format(form).read(save(content + content[:20] + "\n" + content), lenient=True)
    assert len(conversion.texts) == 2
    assert len(conversion.report.errors) == 1 and "line 2" in conversion.report.errors[0]


@pytest.mark.parametrize("form", sorted(set(LINES) - {"pubtator"}))
def test_a_line_that_is_no_utf8_spoils_no_other(save, form):
    line = encode(form, [ITEMS[form]]).encode()
    path = save(line + line.replace(b"ORC", b"\xff") + line)
    said = r"corpus.data, line 2: found undecodable bytes.*expected UTF-8 text\. Save the file as UTF-8"
    with pytest.raises(ConversionError, match=said):
        get_format(form).read(path)
    conversion = get_format(form).read(path, lenient=True)
    assert len(conversion.texts) == 2 and len(conversion.report.errors) == 1


@each_format
def test_every_reader_knows_symmetric_and_negative_labels(save, form):
    label = "binds"
    path = save(encode(form, [ITEMS[form]]))
    report = get_format(form).read(path, negative=(label,)).report
    assert (report.relations, report.dropped) == (0, {"negative relations": 1})
    assert get_format(form).read(path, symmetric=(label,)).texts[0].extraction == SAID
    assert label in get_format(form).read(path, symmetric=(label,)).symmetric


def test_the_head_of_a_symmetric_relation_is_the_earlier_entity(save):
    item = ITEMS["jsonl"] | {"relations": [[1, 0, "binds"], [0, 1, "binds"], [1, 0, "cuts"]]}
    conversion = get_format("jsonl").read(save(encode("jsonl", [item])), symmetric=("binds",))
    (text,) = conversion.texts
    assert [(x.head.start, x.label) for x in text.extraction.relations] == [(0, "binds"), (10, "cuts")]
    assert conversion.report.duplicate_relations == 1


@each_format
def test_two_texts_with_one_id_are_a_problem(save, form):
    report = get_format(form).read(save(encode(form, [ITEMS[form]] * 2))).report
    if form in ("glirel", "prodigy", "spert", "text2dt"):
        assert report.problems == []  # ids are positions
    else:
        assert [what for _, what in report.problems] == ["an earlier text has the same id"]


def test_formats_are_found_by_name():
    assert ITEMS.keys() == all_formats().keys() - {"brat", "chemprot", *DOCUMENTS}
    assert get_format("brat").name == "brat" and get_writer("brat") is get_format("brat").write
    with pytest.raises(ValueError, match=r"'conll', expected one of .*spert.*: choose one"):
        get_format("conll")
    with pytest.raises(ValueError, match=r"'conll', expected one of .*spert.*: choose one"):
        get_writer("conll")


@pytest.mark.parametrize("form", sorted(one.name for one in all_formats().values() if one.write))
def test_what_cannot_be_written_leaves_no_file(tmp_path, save, form):
    texts = get_format("prodigy").read(save(encode("prodigy", [ITEMS["prodigy"]]))).texts
    get_writer(form)(tmp_path / "new" / "good", texts)
    assert detect(tmp_path / "new" / "good") == form
    lost = type(texts[0])("b", TEXT, type(SAID)((), SAID.relations), texts[0].words)
    with pytest.raises(ConversionError, match=r"text 'b': found .*, expected"):
        get_writer(form)(tmp_path / "new" / "bad", [*texts, lost])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["good"]


@pytest.mark.parametrize("form", ["doccano", "jsonl", "text2dt"])
def test_formats_with_the_same_keys_are_told_by_the_first_text_that_has_entities(save, form):
    empty = {"text": "Nothing.", "entities": [], "relations": []}
    for first in (empty, empty | {"id": 1}, empty | {"id": "a"}):
        path = save(encode(form, [first] * 3 + [ITEMS[form]]))
        assert detect(path) == form
        conversion = get_format(form).read(path)
        assert [len(text.extraction.entities) for text in conversion.texts] == [0, 0, 0, 2]


@pytest.mark.parametrize(
    ("form", "key"), [("doccano", "id"), ("jsonl", "id"), ("labelstudio", "id"), ("spert", "orig_id")]
)
def test_a_text_without_an_id_has_its_position(save, form, key):
    bare = {name: value for name, value in ITEMS[form].items() if name != key}
    conversion = get_format(form).read(save(encode(form, [bare, bare | {key: None}, bare | {key: "x"}])))
    assert [text.id for text in conversion.texts] == ["0", "1", "x"]

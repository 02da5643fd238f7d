"""What holds for the formats of one document a file: as for the others, and in folders of them."""

import json

import pytest
from examples import ATP, DOCUMENTS, ITEMS, ORC, SAID, TEXT, documented, encode

from spacy_bispn.converters import ConversionError, detect, get_format
from spacy_bispn.records import Extraction, Relation

SUFFIXES = {"cas-json": ".json", "cas-xmi": ".xmi", "webanno": ".tsv"}
each_format = pytest.mark.parametrize("form", DOCUMENTS)


@pytest.fixture
def save(tmp_path):
    def save_content(content, name="corpus.data"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return save_content


@each_format
def test_every_format_reads_its_example_and_is_recognized(save, form):
    path = save(DOCUMENTS[form])
    (text,) = get_format(form).read(path).texts
    assert (text.id, text.text, text.extraction) == ("corpus", TEXT, SAID)
    assert detect(path) == form


@each_format
def test_every_format_is_documented_with_an_example_that_can_be_read(save, form):
    path = save(documented()[form])
    assert detect(path) == form
    report = get_format(form).read(path).report
    assert report.entities and report.relations and not report.problems


@each_format
def test_byte_order_marks_windows_line_ends_and_blank_lines_do_no_harm(save, form):
    path = save(b"\xef\xbb\xbf" + (DOCUMENTS[form].replace("\n", "\r\n") + "\r\n\r\n").encode())
    assert get_format(form).read(path).texts[0].extraction == SAID
    assert detect(path) == form


@each_format
@pytest.mark.parametrize(
    "content", [b"", b"\n \n", b"\xff\xfe{\x00", b"{", b"1", b"[" * 100_000, b"{}", b"<a/>"]
)
def test_what_is_no_document_is_named(save, form, content):
    with pytest.raises(ConversionError, match=r"corpus\.data, .*found .*, expected .*\. [A-Z]"):
        get_format(form).read(save(content))


@each_format
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_no_smaller_corpus(save, form, cut):
    content = DOCUMENTS[form].rstrip()
    with pytest.raises(ConversionError, match=r"corpus\.data, (line \d+|whole file): found"):
        get_format(form).read(save(content[: int(cut * len(content))]))


@each_format
@pytest.mark.parametrize("other", [*ITEMS, *DOCUMENTS])
def test_a_file_of_another_format_is_refused(save, form, other):
    if form != other:
        content = DOCUMENTS[other] if other in DOCUMENTS else encode(other, [ITEMS[other]])
        with pytest.raises(ConversionError, match=r"corpus\.data, .*: found .*, expected"):
            get_format(form).read(save(content))


@each_format
def test_every_reader_knows_symmetric_and_negative_labels(save, form):
    path = save(DOCUMENTS[form])
    report = get_format(form).read(path, negative=("binds",)).report
    assert (report.relations, report.dropped) == (0, {"negative relations": 1})
    backwards = save(DOCUMENTS[form].replace("protein", "x").replace("chemical", "protein"))
    (text,) = get_format(form).read(backwards, symmetric=("binds",)).texts
    assert text.extraction.relations[0].head.start < text.extraction.relations[0].tail.start


@each_format
def test_a_folder_is_read_by_the_names_of_its_files(tmp_path, save, form):
    for name in ("b", "a", ".hidden"):
        save(DOCUMENTS[form], f"{name}{SUFFIXES[form]}")
    save("notes", "notes.txt")
    conversion = get_format(form).read(tmp_path)
    assert [text.id for text in conversion.texts] == ["a", "b"]
    assert detect(tmp_path) == form


@each_format
def test_a_document_that_cannot_be_read_is_skipped_alone(tmp_path, save, form):
    for name in ("a", "c"):
        save(DOCUMENTS[form], f"{name}{SUFFIXES[form]}")
    save("nothing", f"b{SUFFIXES[form]}")
    with pytest.raises(ConversionError, match="b" + SUFFIXES[form]):
        get_format(form).read(tmp_path)
    conversion = get_format(form).read(tmp_path, lenient=True)
    assert [text.id for text in conversion.texts] == ["a", "c"] and len(conversion.report.errors) == 1


@each_format
def test_a_folder_without_documents_names_its_folders(tmp_path, save, form):
    save("", "doc1/anna.other")
    with pytest.raises(ConversionError) as error:
        get_format(form).read(tmp_path)
    for part in ("whole folder: found none", f"files named *{SUFFIXES[form]}", "folders in this one: doc1"):
        assert part in str(error.value)


def test_offsets_count_units_of_utf16(save):
    content = {
        "cas-json": DOCUMENTS["cas-json"].replace(TEXT, "\U0001f9ea " + TEXT),
        "cas-xmi": DOCUMENTS["cas-xmi"].replace(TEXT, "\U0001f9ea " + TEXT),
    }
    cas = json.loads(content["cas-json"])
    for one in cas["%FEATURE_STRUCTURES"][1:]:
        one["begin"], one["end"] = one["begin"] + 3, one["end"] + 3
    content["cas-json"] = json.dumps(cas)
    for before, after in (('"0" end="3', '"3" end="6'), ('"10" end="13', '"13" end="16')):
        content["cas-xmi"] = content["cas-xmi"].replace(before, after)
    moved = [type(one)(one.start + 2, one.end + 2, one.label) for one in (ORC, ATP)]
    for form, document in content.items():
        (text,) = get_format(form).read(save(document)).texts
        assert text.extraction == Extraction(tuple(moved), (Relation(*moved, "binds"),))

"""Text2DT: Python literals, of which nothing is run, and offsets that count the "@"."""

import warnings
from contextlib import suppress

import pytest

from spacy_bispn.converters import ConversionError, detect
from spacy_bispn.converters.formats.text2dt import read_text2dt
from spacy_bispn.records import Entity, Relation

ITEM = {
    "text": "哮喘患者@对于轻度患者，可用沙丁胺醇。",
    "relations": [([0, 4, "哮喘患者"], "治疗药物", [14, 18, "沙丁胺醇"])],
    "entities": [(0, 4, "哮喘患者", "病患"), (14, 18, "沙丁胺醇", "药物")],
}
PATIENT, DRUG = Entity(0, 4, "病患"), Entity(14, 18, "药物")


@pytest.fixture
def read(tmp_path):
    def read_lines(*lines, **settings):
        path = tmp_path / "train_dev.txt"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return read_text2dt(path, **settings)

    return read_lines


def test_a_line_is_a_python_literal(read):
    first, second = read(ITEM, ITEM).texts
    assert (first.id, second.id) == ("0", "1")
    assert (first.text, first.words) == (ITEM["text"], None)
    assert first.extraction.entities == (PATIENT, DRUG)
    assert first.extraction.relations == (Relation(PATIENT, DRUG, "治疗药物"),)


def test_two_labels_of_a_pair_and_unrelated_entities_are_kept(read):
    related = [([0, 4, "哮喘患者"], label, [14, 18, "沙丁胺醇"]) for label in ("治疗药物", "禁用药物")]
    lonely = [*ITEM["entities"], (7, 9, "轻度", "情况"), (0, 4, "哮喘患者", "病患")]
    report = read(ITEM | {"relations": related, "entities": lonely}).report
    assert (report.entities, report.relations, report.duplicate_entities) == (3, 2, 1)


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"entities": [(14, 30, "沙", "药物")]}, "14 to 30", "end <= 19 characters"),
        (
            {"entities": [(0, 4, "哮喘患者", "病患"), (13, 17, "沙丁胺醇", "药物")], "relations": []},
            "(here '用沙丁胺' instead of '沙丁胺醇')",
            "offsets in characters of the text as it stands",
        ),
        ({"entities": [[0, 4, "哮喘患者", "病患"]]}, "[0, 4", "a tuple of [int, int, str, str]"),
        (
            {"relations": [([5, 7, "对于"], "a", [14, 18, "沙丁胺醇"])]},
            "the span (5, 7)",
            "one of the 2 listed",
        ),
        (
            {"relations": [([0, 4, "患者"], "a", [14, 18, "沙丁胺醇"])]},
            "'哮喘患者' instead of '患者'",
            "offsets",
        ),
        ({"relations": [([0, 4], "a", [14, 18])]}, "[0, 4]", "a list of [int, int, str]"),
        ({"text": 1}, "'text': 1", "type str"),
    ],
)
def test_malformed_lines_are_named(read, change, found, expected):
    with pytest.raises(ConversionError) as error:
        read(ITEM, ITEM | change)
    for part in ("train_dev.txt, line 2", found, expected):
        assert part in str(error.value)


@pytest.mark.parametrize(
    "line", ["__import__('os').getcwd()", "[1][0]", "{[]: 1}", "{'text': 'a'", "{'text': '\\ud800'}"]
)
def test_what_is_no_literal_is_not_evaluated(read, line):
    with pytest.raises(
        ConversionError, match=r"train_dev\.txt, line 1: found no Python literal .*expected a"
    ):
        read(line)


def test_spans_that_are_only_spelt_otherwise_are_noted(read):
    marked = [([0, 4, "哮喘患者 "], "治疗药物", [14, 20, "5 ug/kg"])]
    entities = [(0, 4, "哮喘患者 ", "病患"), (14, 20, "5 ug/kg", "用法")]
    item = ITEM | {"text": ITEM["text"][:14] + "5μg/kg", "relations": marked, "entities": entities}
    report = read(item).report
    assert (report.entities, report.relations, report.problems) == (2, 1, [])
    assert report.noted == {  # an argument that repeats its entity counts once
        "mentions whose own text has white space at an edge, which is cut off": 1,
        "mentions whose own text is spelt otherwise than what they mark": 1,
    }


def test_keys_that_are_not_read_are_counted(read):
    report = read(ITEM | {"tree": [{"role": "C"}], "empty": []}).report
    assert report.dropped == {"values of the key 'tree' of texts": 1}


@pytest.mark.parametrize("action", ["error", "default"])
def test_python_warns_of_no_literal_and_of_no_line_that_is_none(tmp_path, recwarn, action):
    warnings.simplefilter(action)
    literal = r"{'text': 'a \d 3in', 'entities': [], 'relations': [], 'x': 1if 1else 2}"
    for line in ("7|t|A rod of 3in steel.", "1if 2", literal, ITEM, r"{'text': '\d', 'entities': [()]}"):
        with suppress(ConversionError):
            detect(write(tmp_path / "in.txt", f"{line}\n"))
    assert not list(recwarn)
    item = read_text2dt(write(tmp_path / "in.txt", r"{'text': '\d', 'entities': [], 'relations': []}")).texts
    assert [text.text for text in item] == [r"\d"] and not list(recwarn)


def test_published_counts_of_text2dt(corpora):
    conversion = read_text2dt(corpora / "text2dt" / "train_dev.txt")
    report = conversion.report
    assert report.texts == 400
    assert (report.entities + report.duplicate_entities, report.duplicate_entities) == (3081, 2)
    assert (report.relations, report.duplicate_relations, report.nested) == (2587, 0, 5)
    assert not report.problems and not report.dropped
    assert all(text.text.count("@") == 1 for text in conversion.texts)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (r"{'text': 'a\U0000d800b', 'entities': [], 'relations': []}", "no Python literal ('utf-8' codec"),
        (f"{{'text': 'a', 'entities': [(0, 0x{'F' * 5000}, 'a', 'x')], 'relations': []}}", "of 20000 bits"),
        ("{'text': 'a', 'text': 'b', 'entities': [], 'relations': []}", "twice in one object"),
    ],
)
def test_literals_that_no_text_can_hold_are_named(tmp_path, line, found):
    (tmp_path / "in.json").write_text(f"{line}\n{{'text': 'a', 'entities': [], 'relations': []}}\n")
    conversion = read_text2dt(tmp_path / "in.json", lenient=True)
    assert [text.text for text in conversion.texts] == ["a"]
    (error,) = conversion.report.errors
    assert "in.json, line 1" in error and found in error and "Check the file's format" in error
    with pytest.raises(ConversionError, match="Pass --format"):
        detect(write(tmp_path / "key.txt", f"{{1: 2, 0x{'F' * 6000}: 1}}\n"))


def write(path, content):
    path.write_text(content)
    return path

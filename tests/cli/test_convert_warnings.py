"""What `spacy bispn convert` says of a corpus that needs a second look, and texts that stand in it twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import Run, docs_in

TEXT = "Orla founded Fenwick."
GOLD = {"entities": [[0, 4, "PER"], [13, 20, "ORG"]], "relations": [[0, 1, "FOUNDED"]]}
NONE = {"entities": [], "relations": []}


def save(path: Path, *items: object) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def said(run: Run, *arguments: object, code: int = 0) -> str:
    return " ".join(run("convert", *arguments, code=code).output.split())


@pytest.mark.parametrize("options", [[], ["--lenient"]])
@pytest.mark.parametrize(
    ("gold", "missing"),
    [(NONE, "no text has an entity"), (GOLD | {"relations": []}, "no text has a relation"), (GOLD, "")],
)
def test_a_corpus_without_gold_is_said_to_be_one(
    run: Run, tmp_path: Path, gold: dict[str, object], missing: str, options: list[str]
) -> None:
    source = save(tmp_path / "in.jsonl", {"text": TEXT, **gold}, {"text": "Nothing.", **NONE})
    output = said(run, source, tmp_path / "out.spacy", *options)
    expected = "expected some in a corpus to train on: check that the export holds the annotations"
    assert (f"{missing}, {expected}" in output) if missing else (expected not in output)


def test_the_first_problems_are_printed(run: Run, tmp_path: Path) -> None:
    copies = [{"id": f"t{number}", "text": TEXT, **NONE} for number in range(7)]
    source = save(tmp_path / "in.jsonl", {"text": TEXT, **GOLD}, *copies)
    report = tmp_path / "report.json"
    output = said(run, source, tmp_path / "out.spacy", "--report", report)
    for number in range(5):
        assert f"t{number}: an earlier text has the same words and other annotations" in output
    assert "t5:" not in output and "2 more problems: --report FILE lists all of them" in output
    assert len(json.loads(report.read_text("utf8"))["problems"]) == 7


@pytest.mark.parametrize("level", ["document", "sentence"])
def test_copies_of_a_text_are_on_one_side_of_a_split(run: Run, tmp_path: Path, level: str) -> None:
    texts = [f"Orla founded Fenwick {number}. It is in Larch." for number in range(8)] * 3
    items = [{"text": text.replace(" ", " " * (1 + place // 8)), **GOLD} for place, text in enumerate(texts)]
    source = save(tmp_path / "in.jsonl", *(item | {"entities": [], "relations": []} for item in items))
    parts = tmp_path / "train.spacy", tmp_path / "dev.spacy"
    said(run, source, parts[0], "--dev", parts[1], "--share", 0.25, "--level", level)
    train, dev = (
        {" ".join(doc.text.split()) for doc in docs_in(part) if "Orla" in doc.text} for part in parts
    )
    assert (len(train), len(dev)) == (6, 2) and not train & dev
    per_text = 2 if level == "sentence" else 1
    assert [len(docs_in(part)) for part in parts] == [18 * per_text, 6 * per_text]
    same = save(tmp_path / "same.jsonl", items[0], items[0])
    output = said(run, same, tmp_path / "a.spacy", "--dev", tmp_path / "b.spacy", code=1)
    assert "there is 1 text, expected at least 2 to hold 1 out: leave out --dev or --test" in output


def test_options_of_annotation_tools(run: Run, tmp_path: Path) -> None:
    rows = [{"id": 1, "label": "ORG", "start_offset": 16, "end_offset": 23}]
    item = {"id": "a", "data": f"🙂 {TEXT}", "entities": rows, "relations": []}
    source = save(tmp_path / "in.jsonl", item)
    base = [source, tmp_path / "out.spacy", "--format", "doccano", "--text-key", "data"]
    for options in ([], ["--offsets", "auto"], ["--offsets", "utf-16"]):
        output = said(run, *base, *options)
        assert "1 texts whose offsets count UTF-16 units" in output
        (doc,) = docs_in(tmp_path / "out.spacy")
        assert [span.text for span in doc.spans["bispn"]] == ["Fenwick"]
    for options, words in (
        (["--offsets", "bytes"], ["offsets is 'bytes'", "auto or characters or utf-16", "choose one"]),
        (["--annotator", "ann"], ["--annotator is ann with the format 'doccano'", "leave out --annotator"]),
    ):
        output = said(run, *base, *options, code=1)
        assert all(word in output for word in words)
    output = said(run, source, tmp_path / "out.spacy", "--format", "spert", "--text-key", "data", code=1)
    assert "--text-key is data with the format 'spert'" in output and "leave out --text-key" in output


@pytest.mark.parametrize("options", [[], ["--lenient"]])
def test_objects_of_several_lines_are_said_to_be_so(run: Run, tmp_path: Path, options: list[str]) -> None:
    source = tmp_path / "in.jsonl"
    for content in (json.dumps({"id": "a", "text": TEXT, **GOLD}, indent=1), json.dumps([GOLD], indent=1)):
        source.write_text(content, encoding="utf-8")
        output = said(run, source, tmp_path / "out.spacy", "--format", "jsonl", *options, code=1)
        for part in (
            "line 1: found invalid JSON",
            "expected JSON with a whole object in each line",
            "jq -c . FILE",
        ):
            assert part in output

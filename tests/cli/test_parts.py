"""The parts of an input: they are whole, apart and the same again, and each becomes a file."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from spacy_bispn import SettingError
from spacy_bispn.batch_inference.annotate import Source
from spacy_bispn.batch_inference.predictor import BatchPredictor
from spacy_bispn.cli import parts
from spacy_bispn.cli.parts import Part, PartWriter, plan
from spacy_bispn.records import AnnotatedText, Extraction


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 100)
    monkeypatch.setattr(parts, "ROWS", 3)

    def predict(self: BatchPredictor, texts: list[Source]) -> Iterator[tuple[AnnotatedText, str]]:
        for text in texts:
            yield AnnotatedText(text.id, text.text, Extraction()), text.error

    monkeypatch.setattr(BatchPredictor, "predict", predict)


def compute(source: Path | str, output: Path) -> list[list[dict[str, Any]]]:
    """The rows of each part of an input."""
    writer = PartWriter(BatchPredictor("model"), str(output))
    planned = plan(str(source), "model")
    counts = [writer({"part": part.to_json()}) for part in planned]
    rows = [parquet.read_table(output / part.name, partitioning=None).to_pylist() for part in planned]
    assert [one["texts"] for one in counts] == [len(part) for part in rows]
    assert [one["failed"] for one in counts] == [
        sum(row["error"] is not None for row in part) for part in rows
    ]
    return rows


def test_each_line_is_in_one_part(tmp_path: Path) -> None:
    texts = [f"text {number} " + "é" * (number % 60) for number in range(90)]
    source = tmp_path / "in.txt"
    source.write_bytes("\n".join(["\ufeff" + texts[0], "", "  ", *texts[1:]]).encode())
    found = compute(source, tmp_path / "out")
    assert len(found) > 30
    rows = [row for part in found for row in part]
    assert [row["text"] for row in rows] == texts
    content = source.read_bytes()
    for row in rows[1:]:
        name, _, at = row["id"].partition(":")
        assert name == "in.txt" and content[int(at) :].startswith(row["text"].encode())


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_lines_at_every_border(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", size)
    (tmp_path / "in.txt").write_bytes(b"a\n\nbc\r\ndef\n\n\ng")
    rows = [row for part in compute(tmp_path / "in.txt", tmp_path / "out") for row in part]
    assert [row["text"] for row in rows] == ["a", "bc", "def", "g"]


def test_objects_keep_their_other_keys_and_bad_lines_their_errors(tmp_path: Path) -> None:
    items = [{"id": 7, "text": "é", "day": "2026-01-01"}, {"text": "b"}, {"text": 3}, {"text": "c", "id": []}]
    lines = [json.dumps(item) for item in items]
    source = tmp_path / "in.jsonl"
    source.write_bytes("\n".join([*lines, "{", ""]).encode() + b'{"text": "\xff"}')
    rows = [row for part in compute(source, tmp_path / "out") for row in part]
    assert [row["text"] for row in rows] == ["é", "b", "", "", "", ""]
    assert rows[0]["id"] == "7" and json.loads(rows[0]["other_keys"]) == {"day": "2026-01-01"}
    assert rows[1]["id"] == f"in.jsonl:{len(lines[0]) + 1}" and rows[1]["other_keys"] is None
    said = [row["error"] or "" for row in rows]
    for error, word in zip(
        said, ["", "", "of type str", "whole number", "invalid JSON", "UTF-8"], strict=True
    ):
        assert word in error and bool(error) == bool(word)


def test_rows_of_parquet_keep_their_columns(tmp_path: Path) -> None:
    table = pyarrow.table({"key": range(50), "text": [f"t{x}" if x % 7 else None for x in range(50)]})
    (tmp_path / "in").mkdir()
    parquet.write_table(table, tmp_path / "in" / "a.parquet", row_group_size=8)
    other = pyarrow.table({"text": ["other"], "more": [[1.5]]})
    parquet.write_table(other, tmp_path / "in" / "b.parquet")
    *found, last = compute(tmp_path / "in", tmp_path / "out")
    rows = [row for part in found for row in part]
    assert len(found) > 5 and [{x: row[x] for x in ("key", "text")} for row in rows] == table.to_pylist()
    assert [row["key"] for row in rows if row["error"]] == list(range(0, 50, 7))
    assert (last[0]["text"], last[0]["more"]) == ("other", [1.5])


def test_a_folder_of_texts_has_one_in_each_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("b/two.txt", "one.txt", ".hidden/x.txt", "_SUCCESS.txt", "empty.txt", "note.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("" if name == "empty.txt" else f"{name}\nsecond line", "utf-8")
    (rows,) = compute(folder, tmp_path / "out")
    assert [row["id"] for row in rows] == ["b/two", "one"]
    assert rows[0]["text"] == "b/two.txt\nsecond line"


def test_globs_and_empty_files(tmp_path: Path) -> None:
    for name in ("a/1.jsonl", "a/b/2.jsonl", "a/b/3.txt", "c/4.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"text": name}), "utf-8")
    (tmp_path / "a" / "0.jsonl").touch()
    rows = [row for part in compute(f"{tmp_path}/a/**/*.jsonl", tmp_path / "out") for row in part]
    assert [(row["text"], row["id"]) for row in rows] == [
        ("a/1.jsonl", "1.jsonl:0"),
        ("a/b/2.jsonl", "b/2.jsonl:0"),
    ]
    assert plan(str(tmp_path / "a" / "0.jsonl"), "model") == []
    (tmp_path / "blank.txt").write_text("\n \n", "utf-8")
    assert compute(tmp_path / "blank.txt", tmp_path / "out") == [[]]


def test_a_part_is_named_after_what_it_is_made_of(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("one\n" * 60, "utf-8")
    names = [part.name for part in plan(str(source), "model")]
    assert len(set(names)) == len(names) == 3
    assert names == [part.name for part in plan(str(source), "model")]
    assert not {part.name for part in plan(str(source), "other")} & set(names)
    source.write_text("two\n" * 60, "utf-8")
    assert not {part.name for part in plan(str(source), "model")} & set(names)
    (part, *_) = plan(str(source), "model")
    assert Part.from_json(part.to_json()) == part


def test_a_part_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.txt").write_text("one\n" * 4, "utf-8")
    (part,) = plan(str(tmp_path / "in.txt"), "model")
    monkeypatch.setattr(BatchPredictor, "predict", lambda self, texts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        PartWriter(BatchPredictor("model"), str(tmp_path / "out"))({"part": part.to_json()})
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_a_killed_worker_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.txt").write_text("one\n" * 9, "utf-8")
    (part,) = plan(str(tmp_path / "in.txt"), "model")
    writer = PartWriter(BatchPredictor("model"), str(tmp_path / "out"))
    predict, calls = BatchPredictor.predict, iter(range(9))

    def killed(self: BatchPredictor, texts: list[Source]) -> Iterator[tuple[AnnotatedText, str]]:
        if next(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return predict(self, texts)

    monkeypatch.setattr(BatchPredictor, "predict", killed)
    process = multiprocessing.get_context("fork").Process(target=writer, args=({"part": part.to_json()},))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert list((tmp_path / "out" / "_temporary").iterdir()) and not list(
        (tmp_path / "out").glob("*.parquet")
    )
    monkeypatch.setattr(BatchPredictor, "predict", predict)
    ((row, *rows),) = compute(tmp_path / "in.txt", tmp_path / "out")
    assert row["text"] == "one" and len(rows) == 8


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], ["none of 0", "one of .parquet, .jsonl, .txt", "glob in quotes"]),
        (["a.csv"], ["none of 1", "one of .parquet, .jsonl, .txt", "glob in quotes"]),
        (["a.txt", "b.txt", "c.jsonl"], ["1 .jsonl, 2 .txt", "one of .parquet", "glob in quotes"]),
    ],
)
def test_a_folder_of_no_kind_or_of_several_is_refused(
    tmp_path: Path, files: list[str], words: list[str]
) -> None:
    for name in files:
        (tmp_path / name).write_text("x", "utf-8")
    with pytest.raises(SettingError) as error:
        plan(str(tmp_path), "model")
    for word in words:
        assert word in str(error.value)

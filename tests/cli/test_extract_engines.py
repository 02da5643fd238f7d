"""`spacy bispn extract --engine`, the engine being a loop: what it plans, continues, counts and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from spacy_bispn.batch_inference.annotate import Source
from spacy_bispn.batch_inference.predictor import BatchPredictor
from spacy_bispn.cli import app, engines, parts
from spacy_bispn.cli.engines import Engine
from spacy_bispn.cli.parts import PartWriter
from spacy_bispn.records import AnnotatedText, Extraction

RAN: list[int] = []


def loop(parts: list[Any], writer: PartWriter, workers: int) -> Iterator[dict[str, int]]:
    RAN.append(len(parts))
    yield from (writer({"part": part.to_json()}) for part in parts)


def predict(self: BatchPredictor, texts: list[Source]) -> Iterator[tuple[AnnotatedText, str]]:
    for text in texts:
        yield AnnotatedText(text.id, text.text, Extraction()), text.error


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    RAN.clear()
    monkeypatch.setattr(engines, "RUN", dict.fromkeys(Engine, loop))
    monkeypatch.setattr(engines, "find_spec", lambda name: name)
    monkeypatch.setattr(engines, "load_pipeline", lambda name: None)
    monkeypatch.setattr(BatchPredictor, "predict", predict)
    monkeypatch.setattr(parts, "PART_BYTES", 100)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"id": x, "text": "text"}) + "\n" for x in range(20)), "utf-8")
    return path


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["extract", "model", *map(str, words), "--engine", "ray"])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def ids(output: Path) -> list[str]:
    return [row["id"] for row in parquet.read_table(output).to_pylist()]


def test_finished_parts_are_not_computed_again(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    said = run(source, output)
    assert "20 texts in 6 new parts" in said and ids(output) == [str(x) for x in range(20)]
    assert sorted(x.name for x in output.iterdir() if not x.name.startswith("part-")) == ["_SUCCESS"]
    first, second, *_ = sorted(output.glob("part-*"))
    first.unlink()
    second.unlink()
    assert "4 are finished, 2 are left" in run(source, output, "--resume")
    assert "6 are finished, 0 are left" in run(source, output, "--resume")
    assert RAN == [6, 2] and ids(output) == [str(x) for x in range(20)]
    run(source, output, "--force")
    assert RAN == [6, 2, 6]


def test_failed_texts_are_counted_and_end_with_1(source: Path, tmp_path: Path) -> None:
    with source.open("a") as file:
        file.write("{\n")
    said = run(source, tmp_path / "out", code=1)
    assert "20 texts in 6 new parts" in said and "1 of 21 texts failed: the column 'error' says why" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["-e", "spark", "-n", "2"],
            ["--n-process is 2 with Spark", "to count its workers", "--num-executors"],
        ),
        (["-e", "spark", "-g", "0"], ["--gpu-id is 0 with Spark", "expected -1", "--engine ray"]),
    ],
)
def test_options_that_spark_decides_are_refused(
    source: Path, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    result = CliRunner().invoke(app, ["extract", "model", str(source), str(tmp_path / "out"), *options])
    assert result.exit_code == 1
    for word in words:
        assert word in " ".join(result.output.split())


def test_an_engine_that_is_not_installed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    said = run(source, tmp_path / "out", code=1)
    assert "there is no ray, expected it to be installed" in said
    assert "pip install 'spacy-bispn[ray]'" in said


def test_outputs_that_cannot_be_continued(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run(source, output)
    said = run(source, output, code=1)
    assert "which has 6 parts, expected a new folder: continue it with --resume" in said
    source.write_text('{"text": "another"}\n', "utf-8")
    said = run(source, output, "--resume", code=1)
    assert "with 6 parts such as part-00000-" in said and "of another input or model" in said
    assert "expected some of the 1 parts of this input: give what they were made of, unchanged" in said
    said = run(source, source, code=1)
    assert "the same as SOURCE or in it, expected another folder: name one" in said
    said = run(tmp_path, tmp_path / "out" / "more", code=1)
    assert "the same as SOURCE or in it, expected another folder: name one" in said
    (tmp_path / "file").write_text("x", "utf-8")
    assert "which is a file, expected a folder: name a folder" in run(source, tmp_path / "file", code=1)
    assert len(list(output.glob("part-*"))) == 6

"""`spacy bispn render`, called in this process."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from pipelines import initialize, make_nlp, make_text
from typer.testing import CliRunner

from spacy_bispn.cli import app
from spacy_bispn.cli.render import read_texts


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["render", *(str(word) for word in words)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = make_nlp()
    initialize(nlp, [make_text("Tem2 binds Dal92.", [("Tem2", "P"), ("Dal92", "P")], [(0, 1, "BINDS")])])
    folder = tmp_path_factory.mktemp("model")
    nlp.to_disk(folder)
    return folder


def test_a_text_becomes_an_image(model: Path, tmp_path: Path) -> None:
    said = run(model, "Tem2 & Dal92", "-o", tmp_path / "new" / "a.svg")
    assert "1 texts in" in said
    image = ElementTree.parse(tmp_path / "new" / "a.svg").getroot()
    assert "&" in "".join(image.itertext())


def test_a_file_becomes_a_page(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "Tem2 sleeps."}\n\n{"text": "Dal92"}\n', encoding="utf8")
    run(model, tmp_path / "in.jsonl", "--output", tmp_path / "a.html")
    html = (tmp_path / "a.html").read_text("utf8")
    assert html.count("<svg") == 2 and "Dal92" in html
    assert run(model, tmp_path / "in.jsonl") == html, "without --output it is printed"


def test_what_is_a_text_and_what_a_file(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf8")
    assert read_texts(str(tmp_path / "in.txt")) == ["one", "two"]
    for text in ("one", "see a.txt", "x" * 5000, "a\0b"):
        assert read_texts(text) == [text]


@pytest.mark.parametrize(
    ("content", "name", "output", "words"),
    [
        (None, "in.txt", "a.html", ["is no file", "expected one with texts", "check the path"]),
        ("\n", "in.txt", "a.html", ["an empty file", "at least one text", "check the path"]),
        ("{", "in.jsonl", "a.html", ["line 1", "invalid JSON", "expected JSON", "Check the file's format"]),
        ("a", "in.csv", "a.html", ["'.csv'", "expected .txt or .jsonl", "one text a line"]),
        ("a", "in.txt", "a.png", ["'.png'", "expected .html or .svg", "the suffix chooses"]),
        ("a\nb", "in.txt", "a.svg", ["for 2 texts", "expected one text for an image", "write .html"]),
    ],
)
def test_render_says_what_is_wrong(
    tmp_path: Path, content: str | None, name: str, output: str, words: list[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf8")
    said = " ".join(run("none", tmp_path / name, "-o", tmp_path / output, code=1).split())
    for word in ["cannot be drawn", *words]:
        assert word in said
    assert not (tmp_path / output).exists()

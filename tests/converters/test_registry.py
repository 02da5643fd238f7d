"""A format is one decorator: what follows from it, in this package and from another one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import catalogue
import pytest
from spacy.tokens import DocBin
from spacy.vocab import Vocab
from typer.testing import CliRunner

from spacy_bispn.cli import app
from spacy_bispn.cli.corpus_source import CorpusSource, takes_corpus
from spacy_bispn.converters import (
    Conversion,
    all_formats,
    corpus_format,
    detect,
    format_options,
    format_rows,
    get_format,
)
from spacy_bispn.records import Entity
from spacy_bispn.settings import SettingError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
# The example of the page, as the module of another package.
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8").split("## Another format")[1], re.S)


@pytest.fixture
def names() -> Iterator[None]:
    """The format "names", for one test."""
    all_formats()
    exec(compile(EXAMPLE, "names.py", "exec"), {"__name__": "names"})
    yield
    catalogue._remove(("spacy_bispn", "formats", "names"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.names"
    path.write_text("NAMES\n", encoding="utf-8")
    return path


@pytest.mark.usefixtures("names")
def test_a_format_is_known_by_its_decorator(source: Path) -> None:
    assert detect(source) == "names" and list(all_formats()) == sorted(all_formats())
    (text,) = get_format("names").read(source, case="upper").texts
    assert text.extraction.entities == (Entity(0, 5, "NAME"),)
    with pytest.raises(SettingError, match=r"case is 'x', expected lower or upper: choose one of these\."):
        get_format("names").read(source, case="x")
    option, owners = format_options()["case"]
    assert (str(option), owners) == ("how labels are written, lower or upper", ("names",))
    assert {
        "format": "[`names`](#names)",
        "of": "A name a line",
        "written": "",
        "tokens": "no",
        "ids": "",
        "options": "`--case`",
    } in format_rows()


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("options", [[], ["--format", "names"]])
def test_the_commands_read_a_format_that_was_registered(source: Path, options: list[str]) -> None:
    output = source.with_name("out.spacy")
    said = CliRunner().invoke(app, ["convert", str(source), str(output), *options])
    assert said.exit_code == 0 and "1 texts in" in said.output and output.is_file()


def read_nothing(path: Path, **rules: Any) -> Conversion:
    raise NotImplementedError


def read_with_list(path: Path, *, columns: Annotated[list[int], "which"], **rules: Any) -> Conversion:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("name", "read", "message"),
    [
        (
            "jsonl",
            read_nothing,
            r"is 'jsonl', expected another name than the one in spacy_bispn.*: rename it\.",
        ),
        ("lists", read_with_list, r"type of columns is list\[int\], expected a Literal.*: change its annot"),
    ],
)
def test_what_cannot_be_registered(name: str, read: Any, message: str) -> None:
    all_formats()
    with pytest.raises(SettingError, match=message):
        corpus_format(name, about="", recognizes=lambda item: False)(read)
    assert "lists" not in all_formats() and all_formats()["jsonl"].about == "this package"


def test_an_option_named_like_another_of_a_command_is_not_offered(names: None) -> None:
    @takes_corpus("source", "A corpus")
    def command(corpus: CorpusSource, case: str = "mine") -> None:
        raise NotImplementedError

    assert next(iter(signature(command).parameters)) == "source"
    assert signature(command).parameters["case"].default == "mine"


def test_level_is_no_option_of_one_format_in_the_table() -> None:
    rows = {row["of"]: row for row in format_rows()}
    assert rows["BioC XML"]["options"] == "`--pairs`, `--discontiguous`, `--offsets`"
    assert not any("level" in row["options"] for row in rows.values())


def install(folder: Path, name: str, content: str) -> None:
    """What a package with one format leaves behind when it is installed."""
    (folder / f"{name}.py").write_text(content, encoding="utf-8")
    told = folder / f"{name}-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(f"[spacy_bispn_formats]\n{name} = {name}:read_{name}\n")


def spacy_bispn(folder: Path, *words: object, code: int = 0) -> str:
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "bispn", *map(str, words)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.slow
def test_an_installed_package_adds_a_format_with_its_option(tmp_path: Path, source: Path) -> None:
    install(tmp_path, "names", EXAMPLE)
    words = ("convert", source, tmp_path / "out.spacy", "--format", "names")
    assert "1 texts in" in spacy_bispn(tmp_path, *words)
    spacy_bispn(tmp_path, *words[:3], "--case", "upper")
    (doc,) = DocBin().from_disk(words[2]).get_docs(Vocab())
    assert [span.label_ for span in doc.spans["bispn"]] == ["NAME"]
    other = spacy_bispn(tmp_path, *words[:3], "--case", "upper", "--format", "jsonl", code=1)
    assert "--case is upper with the format 'jsonl', expected 'names': leave out --case" in other


@pytest.mark.slow
def test_a_package_whose_format_is_broken_is_named_and_stops_nothing(tmp_path: Path, source: Path) -> None:
    install(tmp_path, "names", "import no_such_module")
    source.write_text('{"id": "a", "text": "x", "entities": [], "relations": []}', encoding="utf-8")
    said = spacy_bispn(tmp_path, "convert", source, tmp_path / "out.spacy")
    assert "The format 'names' could not be loaded from names:read_names (ModuleNotFoundError" in said
    assert "Update or uninstall its package" in said and "1 texts" in said

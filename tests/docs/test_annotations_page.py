"""docs/annotations.md: its blocks run in their order, and say what the page says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import DOCS, Block, blocks, quoted, tables
from running import run_blocks
from spacy.tokens.underscore import Underscore

import spacy_bispn
from spacy_bispn import annotations
from spacy_bispn.corpus_reader import create_reader

PAGE = DOCS / "annotations.md"
BLOCKS = blocks(PAGE)


@pytest.fixture(autouse=True)
def names_stay(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Underscore, "doc_extensions", dict(Underscore.doc_extensions))
    monkeypatch.setattr(annotations, "_names", set())
    yield


def of(section: str) -> list[Block]:
    return [block for block in BLOCKS if block.section == section]


def linked(doc: Any) -> list[tuple[str, str, str]]:
    return [(x.head.text, x.label, x.tail.text) for x in spacy_bispn.get_relations(doc)]


def test_the_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {block.language for block in BLOCKS} == {"python"}
    first, second, saved = of("Give gold")
    names: dict[str, Any] = {}
    run_blocks([first], tmp_path, names)
    doc = names["doc"]
    assert linked(doc) == [("Rov - Dal complex", "BINDS", "Tem"), ("Rov", "PART_OF", "Rov - Dal complex")]
    assert [span.text for span in doc.ents] == ["Rov - Dal complex", "Tem"]
    run_blocks([second, saved], tmp_path, names)
    doc = names["doc"]
    assert linked(doc) == [], "Rov is no entity any more"
    assert {doc.text[x.start : x.end] for x in annotations.read(doc).entities} == {"Rov - Dal complex", "Tem"}
    assert len(list(create_reader(tmp_path / "train.spacy")(names["nlp"]))) == 1
    run_blocks(of("Ids of mentions"), tmp_path, names)
    assert names["mentions"] == ["Tem", "It"] and linked(names["known"]) == [("Tem", "BINDS", "Dal")]
    run_blocks(of("Read and make tables"), tmp_path, names)
    assert [(row["doc"], row["head"], row["score"]) for row in names["rows"]] == [(0, "Tem", 0.9)]
    assert capsys.readouterr().out == "Tem 4\n"
    run_blocks(of("What survives what"), tmp_path, names)
    assert capsys.readouterr().out == "1 2\n"
    run_blocks(of("Another name for the attribute"), tmp_path, names)
    assert "BINDS" in capsys.readouterr().out
    run = [block for section in ("Give gold", "Ids of mentions", "Read and make tables", "What survives what",
                                 "Another name for the attribute") for block in of(section)]  # fmt: skip
    assert run == BLOCKS, "every block was run"


def test_the_functions_of_the_page_are_there() -> None:
    cells = [name for row in tables(PAGE)["Entities and relations in Python"] for name in quoted(row["name"])]
    functions = {name.split("(")[0] for name in cells if name.endswith(")") and "." not in name.split("(")[0]}
    assert functions and all(callable(getattr(spacy_bispn, name)) for name in functions)
    other = {"__version__", "attention_map", "compare_pipelines", "create_reader", "render", "set_context"}
    other |= {"to_doc", "to_docbin", "to_networkx"}
    public = {name for name in spacy_bispn.__all__ if name.islower()} - other
    assert functions == public, "all that concerns annotations is on the page"

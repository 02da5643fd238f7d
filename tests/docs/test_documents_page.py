"""docs/documents.md: its commands and its Python run as they stand, on a small corpus of documents."""

from __future__ import annotations

import json
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import srsly
from pages import DOCS, blocks
from pipelines import demo_texts, make_nlp, tiny
from running import run_blocks
from spacy.util import dot_to_object
from test_pages_run import here, write_example

from spacy_bispn.context import context_size

pytestmark = pytest.mark.slow


def write_documents(path: Path) -> None:
    """Documents of three sentences in DyGIE's form; two relations of each join two sentences."""
    words = [text.text.split() for text in demo_texts(24)]
    documents = []
    for number in range(0, len(words), 3):
        sentences = words[number : number + 3]
        starts = [0, len(sentences[0]), len(sentences[0]) + len(sentences[1])]
        spans = [[[start, start, "P"], [start + 1, start + 1, "P"]] for start in starts]
        related = [
            [[start, start, start + 1, start + 1, "R"], [starts[0], starts[0], start + 1, start + 1, "FAR"]]
            for start in starts
        ]
        related[0].pop()
        documents.append(
            {"doc_key": f"d{number}", "sentences": sentences, "ner": spans, "relations": related}
        )
    srsly.write_jsonl(path, documents)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_documents(tmp_path / "train.jsonl")
    write_example("pubtator", tmp_path / "corpus.txt")
    (block,) = (x for x in blocks(DOCS / "documents.md") if x.language == "ini")
    lower = {"type_threshold": 0.0, "relation_threshold": 0.0}
    config = make_nlp(tiny(**lower)).config.copy()
    given = ConfigParser()
    given.read_string(block.content)
    for section in given.sections():
        values = {name: json.loads(value) for name, value in given[section].items()}
        dot_to_object(config, section).update(values)
    for name in ("train", "dev"):
        config["corpora"][name] = {"@readers": "spacy-bispn.Corpus.v1", "path": f"${{paths.{name}}}"}
    config["training"]["optimizer"] = {"@optimizers": "spacy-bispn.AdamW.v1"}
    config.to_disk(tmp_path / "config.cfg")
    return tmp_path


def test_the_page_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = blocks(DOCS / "documents.md")
    names: dict[str, Any] = {}
    said = " ".join(run_blocks([here(x) for x in page if x.language == "bash"], folder).split())
    assert "16 of 40 relations (40.0%) cross sentences" in said
    assert re.search(r"sentences apart relations window for 95 % .*? 0 24 2 tokens", said)
    assert "relations across sentences" in said and "have nothing around them" not in said
    run_blocks([x for x in page if x.language == "python"], folder, names)
    assert capsys.readouterr().out.count("binds") == 1
    assert context_size(names["nlp"]) == 32
    assert srsly.read_json(folder / "report.json")["texts"] == 1

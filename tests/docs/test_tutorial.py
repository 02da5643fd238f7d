"""docs/tutorial.md, from its first command to its last, as a reader would type them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from pages import DOCS, blocks, commands
from pipelines import said as said_on
from running import run_blocks
from spacy.tokens import Doc, DocBin

pytestmark = pytest.mark.slow

PAGE = DOCS / "tutorial.md"


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What the commands print, by section; filled when the page has run."""
    return {}


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the Python of the page defines; filled when the page has run."""
    return {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, said: dict[str, str], names: dict[str, Any]) -> Path:
    """The folder in which everything on the page was run, in its order."""
    place = tmp_path_factory.mktemp("tutorial")
    for block in blocks(PAGE):
        said[block.section] = said.get(block.section, "") + run_blocks([block], place, names)
    return place


def test_prodigy_and_brat_say_the_same(folder: Path) -> None:
    assert len(list(srsly.read_jsonl(folder / "annotations.jsonl"))) == 400
    assert len(list((folder / "annotations").glob("*.ann"))) == 400
    by_tool = [{doc.text: said_on(doc) for doc in corpus(folder, tool)} for tool in ("", "_brat")]
    assert len(by_tool[0]) == 400 and by_tool[0] == by_tool[1]


def corpus(folder: Path, tool: str) -> list[Doc]:
    """All Docs that were made of a tool's annotations."""
    files = [folder / f"{part}{tool}.spacy" for part in ("train", "dev")]
    return [doc for file in files for doc in DocBin().from_disk(file).get_docs(spacy.blank("en").vocab)]


def test_the_report_counts_everything(folder: Path) -> None:
    report = srsly.read_json(folder / "report.json")
    assert report["texts"] == 400 and report["relations"] > 300
    assert report["unplaced"] == []


def test_the_data_are_looked_at(folder: Path, said: dict[str, str]) -> None:
    printed = said["3. Write a config, and look at the data"]
    assert "360 texts" in printed and "recommended" in printed and "Findings" in printed


def test_the_pipeline_has_learnt_something(folder: Path) -> None:
    scores = srsly.read_json(folder / "scores.json")["scores"]["strict"]
    assert scores["entities"]["f"] > 0.6
    assert scores["relations"]["f"] > 0.1
    assert "<table>" in (folder / "report.html").read_text("utf-8")


def test_it_finds_something_in_raw_texts(folder: Path) -> None:
    texts = (folder / "texts.txt").read_text("utf-8").splitlines()
    found = list(srsly.read_jsonl(folder / "found.jsonl"))
    assert [item["text"] for item in found] == texts
    assert all(item["entities"] for item in found)
    with (folder / "found.csv").open(encoding="utf-8") as file:
        kinds = [row["kind"] for row in csv.DictReader(file)]
    assert kinds.count("entity") == sum(len(item["entities"]) for item in found)


def test_it_is_drawn(folder: Path) -> None:
    assert (folder / "drawings.html").read_text("utf-8").count("</svg>") == 2
    assert (folder / "drawing.svg").read_text("utf-8").startswith("<svg")


def test_the_package_is_there_and_names_what_it_needs(folder: Path) -> None:
    (archive,) = (folder / "packages").glob("*/dist/*.tar.gz")
    console = "".join(block.content for block in blocks(PAGE) if block.language == "console")
    assert str(archive.relative_to(folder)) in console
    (meta,) = (folder / "packages").glob("*/en_invented_biomedicine/meta.json")
    assert any(need.startswith("spacy-bispn") for need in srsly.read_json(meta)["requirements"])
    assert spacy.load(meta.parent / "en_invented_biomedicine-1.0.0").pipe_names == ["bispn"]


def test_documents_are_cut_as_recommended(folder: Path, said: dict[str, str]) -> None:
    printed = " ".join(said["9. A corpus of documents"].split())
    assert "recommended: --level sentence: 0 of 716 relations (0.0%) are lost" in printed
    assert "costs about 1/14" in printed and "Training: about" in printed
    levels = srsly.read_json(folder / "cut.json")["levels"]
    assert [one["texts"] for one in levels["compared"]] == [400, 200, 160, 80, 40]
    cut, held_out = (
        list(DocBin().from_disk(folder / name).get_docs(spacy.blank("en").vocab))
        for name in ("cut.spacy", "cut_dev.spacy")
    )
    assert (len(cut), len(held_out)) == (360, 40)


def test_the_page_shows_every_command_of_the_way() -> None:
    scripts = [block.content for block in blocks(PAGE) if block.language == "bash"]
    used = {tuple(words[: 1 + (words[0] == "bispn")]) for script in scripts for words in commands(script)
            if isinstance(words, list)}  # fmt: skip
    ours = (
        "demo",
        "convert",
        "export",
        "init-config",
        "debug-data",
        "train",
        "evaluate",
        "extract",
        "render",
    )
    assert used == {*(("bispn", name) for name in ours), ("find-threshold",), ("package",)}


def test_relations_of_given_entities(folder: Path, names: dict[str, Any]) -> None:
    by_rules, by_ner = names["by_rules"], names["by_ner"]
    assert [str(span) for span in by_rules.spans["bispn"]] == ["Tem2", "Dal92", "Rov5"]
    assert {*map(str, by_ner.ents)} == {*map(str, by_ner.spans["bispn"])} >= {"Tem2"}
    scores = srsly.read_json(folder / "gold.json")["scores"]["strict"]
    assert scores["entities"]["f"] == 1.0
    assert (
        scores["relations"]["f"]
        > srsly.read_json(folder / "scores.json")["scores"]["strict"]["relations"]["f"]
    )

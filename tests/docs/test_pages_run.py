"""The blocks of the pages that need no corpus of somebody else, run as they stand."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from kept import KEPT
from pages import DOCS, REPOSITORY, Block, blocks, commands
from pipelines import PUNCTUATION, demo_texts, initialize, make_nlp, make_text, save_bert, tiny
from running import run_blocks
from spacy.tokens import DocBin
from test_calibration import dev_texts

import spacy_bispn
from spacy_bispn.converters import all_formats
from spacy_bispn.corpus import to_docbin


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands of the pages read: a corpus, a pipeline that says a lot, and texts."""
    place = tmp_path_factory.mktemp("prepared")
    (place / "training").mkdir()
    nlp = spacy.blank("en", config=PUNCTUATION)
    for name in ("train", "dev", "predicted"):
        to_docbin(nlp, demo_texts(12))[0].to_disk(place / f"{name}.spacy")
    zero = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}
    trained = make_nlp(tiny({"queries": "learned", "entity_queries": 8, "relation_queries": 8}, **zero))
    names = [("Tem2", "protein"), ("ATP", "chemical")]
    initialize(trained, [make_text("Tem2 binds ATP.", names, [(0, 1, "binds")])])
    trained.to_disk(place / "training" / "model-best")
    texts = [text.text for text in demo_texts(3)]
    (place / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    srsly.write_jsonl(place / "texts.jsonl", [{"id": text[:4], "text": text} for text in texts])
    return place


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of what was prepared, for commands to work in."""
    return shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)


def here(block: Block) -> Block:
    """A block as it runs here: on the CPU, and no training longer than two steps."""
    script = block.content.replace("--gpu-id 0", "--gpu-id -1")
    return block._replace(content=re.sub(r"( train .*)", r"\1 --training.max_steps 2", script))


def section(page: str, *names: str) -> list[Block]:
    """The bash blocks of some sections of a page."""
    found = [here(x) for x in blocks(DOCS / page) if x.language == "bash" and x.section in names]
    assert found
    return found


@pytest.mark.slow
def test_commands_run(folder: Path) -> None:
    run_blocks(section("commands.md", "demo", "extract", "render"), folder)
    assert len(list(srsly.read_jsonl(folder / "found.jsonl"))) == 3
    assert (folder / "found.csv").read_text("utf-8").startswith("position,id,kind")
    assert "</svg>" in (folder / "drawing.svg").read_text("utf-8")
    assert (folder / "page.html").read_text("utf-8").count("</svg>") == 3


def test_the_python_page_runs(folder: Path) -> None:
    doc = spacy.blank("en")("ORC binds ATP.")
    names: dict[str, Any] = {"doc": doc, "nlp": spacy.load(folder / "training" / "model-best")}
    run_blocks([x for x in blocks(DOCS / "python.md") if x.language == "python"], folder, names)
    assert names["problems"] == []
    assert str(names["drawing"]) == str(spacy_bispn.render(names["doc"], width=500))
    (read,) = DocBin().from_disk(folder / "train.spacy").get_docs(names["nlp"].vocab)
    assert [span.text for span in read.spans["bispn"]] == ["Cdc6", "ORC"]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["bash", "python"])
def test_going_on_runs(folder: Path, language: str) -> None:
    to_docbin(spacy.blank("en", config=PUNCTUATION), demo_texts(16)[12:])[0].to_disk(folder / "new.spacy")
    (folder / "dev").mkdir()
    shutil.copy(folder / "dev.spacy", folder / "dev")
    nlp = spacy.load(folder / "training" / "model-best")
    nlp.config["training"]["optimizer"] = {"@optimizers": "spacy-bispn.AdamW.v1"}
    nlp.to_disk(folder / "training" / "model-best")
    names: dict[str, Any] = {}
    run_blocks([here(x) for x in blocks(DOCS / "going_on.md") if x.language == language], folder, names)
    if language == "python":
        assert names["found"].before.keys() == {"entities", "relations"} and len(names["examples"]) == 8
    else:
        assert (folder / "continued" / "model-best").is_dir()


def test_the_page_of_graphs_runs(folder: Path) -> None:
    (folder / "texts" / "deep").mkdir(parents=True)
    (folder / "predicted.spacy").unlink()
    for place, text in zip(("b.txt", "a.txt", "deep/c.txt"), demo_texts(3), strict=True):
        (folder / "texts" / place).write_text(text.text, encoding="utf-8")
    names: dict[str, Any] = {}
    said = run_blocks(blocks(DOCS / "graphs.md"), folder, names)
    assert said.count("3 texts in graph") == 3 and "mentions are" in said
    graph, again = names["graph"], names["again"]
    assert graph.graph["docs"] == 3 and len(graph) and set(again) == set(graph)
    assert {found["doc"] for found in graph.nodes.values()} == {"a", "b", "c"}
    assert "<urn:spacy-bispn:node/" in (folder / "graph.ttl").read_text("utf-8")
    assert "<graphml" in (folder / "graph.graphml").read_text("utf-8")
    assert names["things"].graph["docs"] == 2


@pytest.mark.slow
def test_preparation_runs(folder: Path) -> None:
    save_bert(folder / "NAME")
    run_blocks(section("preparation.md", "Begin a config: `spacy bispn init-config`"), folder)
    assert (folder / "training" / "model-last").is_dir()
    run_blocks(section("preparation.md", "Look at the data: `spacy bispn debug-data`"), folder)
    assert srsly.read_json(folder / "report.json")["findings"]
    assert (folder / "better.cfg").exists()


def test_a_large_file_becomes_a_folder(folder: Path) -> None:
    write_example("jsonl", folder / "corpus.jsonl")
    run_blocks(section("formats.md", "Large files"), folder)
    assert [path.name for path in (folder / "train").iterdir()] == ["00001.spacy"]


def examples(form: str) -> list[str]:
    """The examples of a format on the page of formats; JSON Lines and the like as one line."""
    found = [x for x in blocks(DOCS / "formats.md") if x.section == form and x.language != "bash"]
    return [x.content if x.language in ("text", "xml") else " ".join(x.content.split()) for x in found]


def write_example(form: str, path: Path) -> None:
    """Write a format's example as the file, or the folder, that a command reads."""
    content = examples(form)
    path.parent.mkdir(parents=True, exist_ok=True)
    names = {"brat": ("a.txt", "a.ann"), "chemprot": ("abstracts.tsv", "entities.tsv", "relations.tsv")}
    if form not in names:
        path.write_text(content[0], encoding="utf-8")
        return
    path.mkdir()
    for name, text in zip(names[form], content, strict=True):
        (path / name).write_text(text, encoding="utf-8")


def write_two(form: str, path: Path) -> None:
    """Write a format's example and one with another word, for a command that holds a text out."""
    write_example(form, path)
    content = path.read_text("utf-8")
    other = content.replace("ORC", "OTC")
    if form == "spert":
        (item,), (second,) = json.loads(content), json.loads(other)
        srsly.write_json(path, [item, second | {"orig_id": 84}])
    else:
        path.write_text(f"{content}\n{other}\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("form", all_formats())
def test_a_format_s_example_is_converted_by_its_command(form: str, folder: Path) -> None:
    found = section("formats.md", form)
    first = next(commands(found[0].content))
    (write_two if "--dev" in found[0].content else write_example)(form, folder / first[2])
    srsly.write_json(folder / "splits.json", {"folds": [{"train": [83, 84], "test": []}]})
    said = " ".join(run_blocks(found, folder).split())
    assert re.search(r"texts +[12] +[12] +0 entities +\d+", said) and "0 problems" in said


@pytest.mark.slow
def test_the_first_commands_of_the_formats_run(folder: Path) -> None:
    write_two("jsonl", folder / "corpus.jsonl")
    run_blocks(section("formats.md", "Formats"), folder)
    assert srsly.read_json(folder / "report.json")["texts"] == 2
    assert srsly.read_json(folder / "dev.json")


@pytest.mark.slow
def test_the_reports_run(folder: Path) -> None:
    files = {
        "biorelex": "dev.json", "spert": "ade_full.json", "dygie": "scierc/test.json",
        "text2dt": "text2dt/test.txt",
    }  # fmt: skip
    for form, path in files.items():
        write_example(form, folder / path)
    srsly.write_json(folder / "splits.json", {"folds": [{"train": [], "test": [83]}]})
    said = run_blocks(section("reports.md", "Reports"), folder)
    for convention in ("strict", "biorelex", "spert", "symmetric-twice", "text2dt"):
        assert convention in said
    assert srsly.read_json(folder / "report.json")["texts"] == 12
    assert "<table>" in (folder / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_the_calibration_page_runs(tmp_path: Path) -> None:
    shutil.copytree(KEPT / "0.1.0" / "model", tmp_path / "training" / "model-best")
    to_docbin(spacy.blank("en", config=PUNCTUATION), dev_texts())[0].to_disk(tmp_path / "dev.spacy")
    found = [x for x in blocks(DOCS / "calibration.md") if x.section != "Measured"]
    names: dict[str, Any] = {}
    said = " ".join(run_blocks(found, tmp_path, names).split())
    assert "for a precision of 0.9" in said and "for a recall of 0.4" in said
    before, after = ((tmp_path / name).read_text("utf-8") for name in ("before.html", "after.html"))
    assert before.count('class="chart"') == after.count('class="chart"') == 4
    changed = spacy.load(tmp_path / "changed").get_pipe("bispn").decoding
    assert (changed.relation_threshold, changed.entity_thresholds) == (0.3, {"PROTEIN": 0.8})


@pytest.mark.parametrize("page", [REPOSITORY / "README.md", DOCS / "index.md"], ids=lambda page: page.name)
def test_the_first_python_runs(page: Path, folder: Path) -> None:
    shutil.copytree(folder / "training", folder / "project" / "training" / "demo")
    names: dict[str, Any] = {}
    run_blocks([next(x for x in blocks(page) if x.language == "python")], folder, names)
    assert names["doc"]._.relations and names["doc"].spans["bispn"].attrs["scores"]

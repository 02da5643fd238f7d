"""docs/many_machines.md: its examples run on the engines and find what `nlp.pipe` finds."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import spacy
from pages import DOCS, Block, blocks, tables
from pipelines import initialize, make_nlp, make_text, tiny
from running import run_blocks

from spacy_bispn.annotations import read
from spacy_bispn.batch_inference.columns import OUTPUTS, arrow_schema

BLOCKS = blocks(DOCS / "many_machines.md")
TEXTS = [f"Tem{number} binds ATP." for number in range(20)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that says a lot, and Parquet files of texts."""
    import pyarrow
    from pyarrow import parquet

    place = tmp_path_factory.mktemp("machines")
    zero = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}
    nlp = make_nlp(tiny({"queries": "learned", "entity_queries": 8, "relation_queries": 8}, **zero))
    initialize(nlp, [make_text("Tem2 binds ATP.", [("Tem2", "P"), ("ATP", "C")], [(0, 1, "binds")])])
    (place / "training").mkdir()
    nlp.to_disk(place / "training" / "model-best")
    (place / "texts").mkdir()
    for number in range(2):
        rows = {"id": range(10), "text": TEXTS[10 * number : 10 * number + 10]}
        parquet.write_table(pyarrow.table(rows), place / "texts" / f"{number}.parquet")
    return place


@pytest.fixture(scope="module", autouse=True)
def engines() -> Iterator[None]:
    """Small clusters, of this Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("RAY_worker_niceness", "0")
        yield


def check(folder: Path, output: str) -> None:
    """Each text is there once, with what `nlp.pipe` finds in it."""
    from pyarrow import parquet

    rows = parquet.read_table(folder / output).to_pylist()
    found = {row["text"]: [(x["start"], x["end"], x["label"]) for x in row["entities"]] for row in rows}
    docs = spacy.load(folder / "training" / "model-best").pipe(TEXTS)
    assert found == {doc.text: [(x.start, x.end, x.label) for x in read(doc).entities] for doc in docs}
    assert len(rows) == len(TEXTS) and {row["error"] for row in rows} == {None}


def section(name: str, language: str) -> list[Block]:
    found = [block for block in BLOCKS if block.section == name and block.language == language]
    assert found
    return found


START_RAY = "import ray; ray.init(num_cpus=3, include_dashboard=False, logging_level='ERROR')\n"


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "module"), [("Ray", "ray"), ("Spark", "pyspark"), ("Dask", "dask")])
def test_the_examples_run(engine: str, module: str, folder: Path) -> None:
    pytest.importorskip(module, reason=f"{engine} is not installed")
    (example,) = section(engine, "python")
    # in a process of its own: an engine that another test has started works in the folder of that test
    program = (START_RAY if engine == "Ray" else "") + example.content
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    check(folder, f"found-{module.removeprefix('py')}")


@pytest.mark.slow
def test_the_commands_run(folder: Path) -> None:
    for name in ("ray", "pyspark"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    import ray

    if not ray.is_initialized():
        ray.init(num_cpus=3, include_dashboard=False, logging_level="ERROR")
    run_blocks(section("One command", "bash"), folder)
    for output in ("found", "found-again"):
        check(folder, output)


def test_a_worker_is_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "texts.txt").write_text("\n".join(TEXTS), "utf-8")
    run_blocks(section("What scales how", "python"), folder)
    said = capsys.readouterr().out
    assert re.search(r"start: [\d.]+ seconds of CPU, \d+ MB\n\d+ texts a second of CPU, \d+ MB", said)


def test_the_types_are_those_of_the_code() -> None:
    rows = {
        row["column"]: row["type in Arrow"] for row in tables(DOCS / "many_machines.md")["What comes out"]
    }
    schema = arrow_schema(OUTPUTS["nested"])
    assert list(schema.names) == [name.strip("`") for name in rows]
    (entities,) = re.findall("`(.*?)`", rows["`entities`"])
    assert str(schema.field("entities").type.value_type) in entities.replace("list<", "", 1)
    assert re.findall(r"`(\w+)`", rows["`relations`"]) == [
        x.name for x in schema.field("relations").type.value_type
    ]


def test_a_job_is_spacy_s_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = section("On a cluster", "python")
    names: dict[str, Any] = {}
    monkeypatch.setattr("sys.argv", ["bispn_job.py", "bispn", "extract", "--help"])
    with pytest.raises(SystemExit) as ended:
        exec(compile(job.content, "bispn_job.py", "exec"), names)
    assert ended.value.code == 0

"""Ray and Spark as they are, each with two workers: nothing is lost, doubled or changed."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import spacy
from models import LONG, TEXTS, save_model
from pipelines import ENCODER
from pyarrow import parquet
from workers import FATAL, Awaited, Killed, Measured

from spacy_bispn import BatchPredictor
from spacy_bispn.annotations import read
from spacy_bispn.cli.engines import Engine, extract_parts

pytestmark = pytest.mark.slow

ENGINES = ["ray", "spark"]
Run = Callable[[BatchPredictor, pyarrow.Table, Path], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that says next to nothing: its texts cost little."""
    encoder = {**ENCODER, "width": 16, "layers": 1, "heads": 2}
    sizes = {"encoder": encoder, "heads": 2, "feedforward": 16, "entity_queries": 2, "relation_queries": 1}
    return save_model(tmp_path_factory.mktemp("small"), sizes)


@pytest.fixture(scope="module", autouse=True)
def paths() -> Iterator[None]:
    """Workers import this module's classes."""
    with pytest.MonkeyPatch.context() as patch:
        here = Path(__file__).parent
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (here, here.parent))))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("RAY_worker_niceness", "0")
        yield


@pytest.fixture(scope="module")
def on_ray() -> Iterator[Run]:
    """Two actors."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'spacy-bispn[ray]'")
    ray.init(num_cpus=3, include_dashboard=False, logging_level="ERROR")

    def run(predictor: BatchPredictor, table: pyarrow.Table, folder: Path) -> list[dict[str, Any]]:
        found = ray.data.from_arrow(pieces(table)).map_batches(
            type(predictor), fn_constructor_kwargs=vars(predictor), batch_format="pyarrow", batch_size=1000,
            compute=ray.data.ActorPoolStrategy(size=2),
        )  # fmt: skip
        found.write_parquet(str(folder))
        return rows_of(folder)

    yield run
    ray.shutdown()


@pytest.fixture(scope="module")
def on_spark() -> Iterator[Run]:
    """Two workers; a task is tried four times, as on a cluster."""
    pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'spacy-bispn[spark]'")
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.sql.execution.arrow.maxRecordsPerBatch": "1000"}
    session = SparkSession.builder.master("local[2, 4]").config(map=settings).getOrCreate()

    def run(predictor: BatchPredictor, table: pyarrow.Table, folder: Path) -> list[dict[str, Any]]:
        files = folder.with_name(f"{folder.name}-in")
        files.mkdir()
        for number, piece in enumerate(pieces(table)):
            parquet.write_table(piece, files / f"{number}.parquet")
        frame = session.read.parquet(str(files)).repartition(4, "id")
        found = frame.mapInPandas(predictor.pipe, predictor.spark_schema(frame.schema))
        found.write.parquet(str(folder))
        return rows_of(folder)

    yield run
    session.stop()


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.getfixturevalue(f"on_{request.param}")
    return found


def pieces(table: pyarrow.Table) -> list[pyarrow.Table]:
    """A table in three, the second of which is empty."""
    half = len(table) // 2
    return [table.slice(0, half), table.slice(0, 0), table.slice(half)]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(folder).to_pylist()
    return sorted(rows, key=lambda row: row["id"])


def found_in(row: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What was found, without scores: they depend a little on the batch."""
    ends = [f"{end}_{name}" for end in ("head", "tail") for name in ("start", "end", "label")]
    entities = [(x["start"], x["end"], x["label"]) for x in row["entities"]]
    return [*entities, *((*(x[end] for end in ends), x["label"]) for x in row["relations"])]


def found_by_pipe(model: Path, texts: list[str]) -> list[list[tuple[Any, ...]]]:
    """The same of `nlp.pipe`."""
    all_found = []
    for doc in spacy.load(model).pipe(texts):
        found = read(doc)
        links = (([end for x in (one.head, one.tail) for end in (x.start, x.end, x.label)], one.label)
                 for one in found.relations)  # fmt: skip
        entities = [(x.start, x.end, x.label) for x in found.entities]
        all_found.append([*entities, *((*ends, label) for ends, label in links)])
    return all_found


@pytest.mark.parametrize("run", ENGINES, indirect=True)
def test_the_answers_are_those_of_nlp_pipe_and_bad_texts_are_rows(
    run: Run, model: Path, tmp_path: Path
) -> None:
    texts = [*TEXTS, None, LONG]
    days = [datetime.date(2026, 1, 1 + number) for number in range(len(texts))]
    rows = run(
        BatchPredictor(str(model)),
        pyarrow.table({"id": range(26), "day": days, "text": texts}),
        tmp_path / "out",
    )
    assert [row["id"] for row in rows] == list(range(26))
    assert [(row["text"], row["day"]) for row in rows] == list(zip(texts, days, strict=True))
    assert [found_in(row) for row in rows[:24]] == found_by_pipe(model, TEXTS)
    assert [row["error"] is not None for row in rows] == [False] * 24 + [True] * 2
    assert "E088" in rows[25]["error"] and rows[25]["entities"] is None


@pytest.mark.parametrize("run", ENGINES, indirect=True)
def test_a_killed_worker_loses_and_doubles_nothing(run: Run, model: Path, tmp_path: Path) -> None:
    predictor = Killed(str(model), notes=str(tmp_path))
    assert FATAL in TEXTS
    rows = run(predictor, pyarrow.table({"id": range(24), "text": TEXTS}), tmp_path / "out")
    assert (tmp_path / "killed").exists()
    assert [row["text"] for row in rows] == TEXTS
    assert [found_in(row) for row in rows] == found_by_pipe(model, TEXTS)


@pytest.mark.parametrize("run", ENGINES, indirect=True)
def test_memory_does_not_grow_with_the_number_of_texts(run: Run, small: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    count = 100_000
    table = pyarrow.table({"id": range(count), "text": [f"Tem{x} binds." for x in range(count)]})
    rows = run(Measured(str(small), batch_size=512, notes=str(notes)), table, tmp_path / "out")
    assert [row["id"] for row in rows] == list(range(count))
    measured = 0
    for path in notes.iterdir():
        sizes = [int(line) for line in path.read_text().splitlines()]
        measured += len(sizes)
        early, late = sizes[len(sizes) // 4], sizes[-1]
        assert late < early + 64 * 2**20, f"{early / 2**20:.0f} MB became {late / 2**20:.0f}"
    assert measured >= 100, "one for each thousand texts"


# the command


def test_two_workers_have_a_part_each(on_ray: Run, model: Path, tmp_path: Path) -> None:
    source, notes = tmp_path / "in", tmp_path / "notes"
    source.mkdir()
    notes.mkdir()
    for number in range(2):
        parquet.write_table(pyarrow.table({"text": TEXTS[number::2]}), source / f"{number}.parquet")
    predictor = Awaited(str(model), notes=str(notes))
    extract_parts(Engine.ray, predictor, str(source), str(tmp_path / "out"), 2, go_on=False, force=False)
    assert len(list(notes.iterdir())) == 2


def extract(*words: object) -> str:
    """`spacy bispn extract` in a process of its own."""
    command = [sys.executable, "-m", "spacy", "bispn", "extract", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


@pytest.fixture(params=["ray", "spark"])
def engine(request: pytest.FixtureRequest) -> list[str]:
    """The options of an engine that is installed."""
    pytest.importorskip(
        {"ray": "ray", "spark": "pyspark"}[request.param], reason="the engine is not installed"
    )
    return ["--engine", request.param, *(["-n", "2"] if request.param == "ray" else [])]


def test_the_command_goes_on_with_the_parts_that_are_left(
    engine: list[str], model: Path, tmp_path: Path
) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(4):
        table = pyarrow.table({"key": range(6), "day": ["a"] * 6, "text": TEXTS[6 * number : 6 * number + 6]})
        parquet.write_table(table, source / f"{number}.parquet")
    assert "24 texts in 4 new parts" in extract(model, source, output, *engine)
    first, *others = sorted(output.glob("*.parquet"))
    whole = parquet.read_table(output).to_pylist()
    assert [found_in(row) for row in whole] == found_by_pipe(model, TEXTS)
    assert {(row["key"], row["day"]) for row in whole} == {(key, "a") for key in range(6)}
    first.unlink()
    (output / "_SUCCESS").unlink()
    before = [path.stat().st_mtime_ns for path in others]
    assert "6 texts in 1 new parts" in extract(model, source, output, *engine, "--resume")
    assert [path.stat().st_mtime_ns for path in others] == before
    assert parquet.read_table(output).to_pylist() == whole and (output / "_SUCCESS").exists()

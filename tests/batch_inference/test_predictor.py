"""`BatchPredictor` on batches of each kind, and the one definition of its columns."""

from __future__ import annotations

import datetime
import pickle
import time
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
import spacy
from models import LONG, TEXTS, save_model

from spacy_bispn import BatchPredictor, SettingError
from spacy_bispn.annotations import read
from spacy_bispn.batch_inference.columns import FIELDS, OUTPUTS, arrow_schema, spark_ddl
from spacy_bispn.records import Entity, Relation

DAY = datetime.date(2026, 1, 1)
BIG = 2**60 + 1  # not a float
CALLER = {"id": [BIG, None, 3], "day": [DAY, None, DAY], "tags": [["a"], [], None], "text": TEXTS[:3]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def expected(model: Path, texts: list[str]) -> list[Any]:
    """Entities and relations that `nlp.pipe` finds, without scores."""
    return [(x.entities, x.relations) for x in map(read, spacy.load(model).pipe(texts))]


def found(row: dict[str, Any]) -> Any:
    """The same of a row with nested columns."""
    entities = tuple(Entity(x["start"], x["end"], x["label"]) for x in row["entities"])
    ends = [
        [Entity(x[f"{e}_start"], x[f"{e}_end"], x[f"{e}_label"]) for e in ("head", "tail")]
        for x in row["relations"]
    ]
    relations = [Relation(*pair, x["label"]) for pair, x in zip(ends, row["relations"], strict=True)]
    return entities, tuple(relations)


def test_a_table_keeps_its_columns_and_gets_what_nlp_pipe_finds(model: Path) -> None:
    table = pyarrow.table(CALLER)
    result = BatchPredictor(str(model))(table)
    assert result.select(table.column_names).equals(table)
    assert result.schema.names[4:] == ["entities", "relations", "error"]
    assert result.schema.field("entities").type == arrow_schema(OUTPUTS["nested"]).field("entities").type
    rows = result.to_pylist()
    assert [found(row) for row in rows] == expected(model, TEXTS[:3])
    assert rows[0]["relations"] and result["error"].null_count == 3
    for entity in rows[1]["entities"]:
        assert entity["text"] == TEXTS[1][entity["start"] : entity["end"]]
        assert 0 <= entity["score"] <= 1


def test_a_record_batch_and_a_frame_get_the_same(model: Path) -> None:
    predictor = BatchPredictor(str(model))
    table = pyarrow.table(CALLER)
    expected = predictor(table)
    (batch,) = table.to_batches()
    assert pyarrow.table(predictor(batch)).equals(expected)
    frame = pandas.DataFrame(CALLER, index=[9, 9, 4])
    result = predictor(frame)
    assert list(result.index) == [9, 9, 4] and result[list(frame)].equals(frame)
    new = pyarrow.Table.from_pandas(result[["entities", "relations", "error"]], preserve_index=False)
    assert new.cast(expected.select(new.column_names).schema).equals(expected.select(new.column_names))


def test_rows_are_those_of_csv(model: Path) -> None:
    nested = BatchPredictor(str(model))(pyarrow.table(CALLER)).to_pylist()
    rows = BatchPredictor(str(model), output="rows")(pyarrow.table(CALLER))
    assert rows.schema.names == ["id", "day", "tags", *list(FIELDS)[2:], "error"]
    items = rows.to_pylist()
    for text in nested:
        mine = [row for row in items if row["id"] == text["id"]]
        entities = [{key: row[key] for key in ("label", "score", "text", "start", "end")} for row in mine
                    if row["kind"] == "entity"]  # fmt: skip
        relations = [
            {key: row[key] for key in text["relations"][0]} for row in mine if row["kind"] == "relation"
        ]
        assert (entities, relations) == (text["entities"], text["relations"])
        assert {str(row["day"]) for row in mine} == {str(text["day"])}


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_bad_text_is_a_row_with_its_error(model: Path, output: str) -> None:
    texts = [TEXTS[0], None, LONG, "", TEXTS[1]]
    table = pyarrow.table({"id": range(5), "text": texts})
    rows = BatchPredictor(str(model), output=output, batch_size=2)(table).to_pylist()
    failed = {row["id"]: row["error"] for row in rows if row["error"]}
    assert failed.keys() == {1, 2}
    assert failed[1] == "found nothing, expected a text: leave the row out, or give it one."
    assert "ValueError: [E088] Text of length 1000001" in failed[2]
    whole = BatchPredictor(str(model), output=output)(table.take([0, 4])).to_pylist()
    assert [row for row in rows if row["id"] in (0, 4)] == whole
    if output == "nested":
        assert [row["entities"] for row in rows][1:4] == [None, None, []]


def test_what_is_no_text_is_shown(model: Path) -> None:
    (row,) = BatchPredictor(str(model))(pyarrow.table({"text": [7]})).to_pylist()
    assert row["error"] == "found 7, expected a text: leave the row out, or give it one."


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_empty_batch_has_the_columns(model: Path, output: str) -> None:
    predictor = BatchPredictor(str(model), output=output)
    empty = pyarrow.table(CALLER).slice(0, 0)
    schema = predictor(pyarrow.table(CALLER)).schema
    assert predictor(empty).schema.equals(schema) and len(predictor(empty)) == 0
    batch = pyarrow.RecordBatch.from_pylist([], schema=empty.schema)
    assert predictor(batch).schema.equals(schema)
    frame = predictor.empty_frame(pandas.DataFrame(CALLER))
    assert len(frame) == 0 and list(frame) == schema.names


def test_streams_of_frames_have_plain_values(model: Path) -> None:
    frames = [pandas.DataFrame(CALLER), pandas.DataFrame({**CALLER, "text": [None] * 3})]
    first, second = BatchPredictor(str(model)).pipe(frames)
    assert first["entities"][0][0]["label"] == "P" and first["error"].tolist() == [None] * 3
    assert second["entities"].tolist() == [None] * 3


def test_a_predictor_is_small_and_a_pipeline_is_loaded_once(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spacy_bispn.batch_inference import predictor as module

    loaded = []
    load = module.load_pipeline
    monkeypatch.setattr(module, "load_pipeline", lambda name: loaded.append(name) or load(name))
    module._load.cache_clear()
    sent = pickle.dumps(BatchPredictor(str(model)))
    assert len(sent) < 1000
    for _ in range(3):
        pickle.loads(sent)(pyarrow.table({"text": TEXTS[:1]}))
    assert loaded == [str(model)]
    time.sleep(0.01)
    (model / "meta.json").touch()  # saved again in the same place
    pickle.loads(sent)(pyarrow.table({"text": TEXTS[:1]}))
    assert loaded == [str(model)] * 2


def test_a_relative_path_is_that_of_the_caller(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    assert BatchPredictor(model.name).model == str(model)
    assert BatchPredictor("en_package").model == "en_package"


def test_the_schema_of_spark_is_that_of_arrow() -> None:
    assert spark_ddl({"a": [{"b": str, "end": int}], "c": float}) == (
        "`a` array<struct<`b`: string, `end`: bigint>>, `c` double"
    )


@pytest.mark.parametrize(
    ("settings", "batch", "words"),
    [
        ({"output": "json"}, None, ["output is 'json'", '"nested", "rows"', "the default is"]),
        ({"batch_size": 0}, None, ["batch_size is 0", "at least 1", "the default is 64"]),
        ({"text": "body"}, {"id": [1]}, ["text is 'body'", "one of the columns id", "name the column"]),
        (
            {},
            {"text": ["a"], "error": [1]},
            ["the column 'error'", "none of those that are added", "rename it"],
        ),
        (
            {"output": "rows"},
            {"text": ["a"], "label": [1]},
            ["the column 'label'", "none of those that are added", "rename it"],
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    model: Path, settings: dict[str, Any], batch: dict[str, Any] | None, words: list[str]
) -> None:
    with pytest.raises(SettingError) as error:
        BatchPredictor(str(model), **settings)(pyarrow.table(batch or {}))
    for word in words:
        assert word in str(error.value)


def test_a_loaded_pipeline_and_a_batch_of_numpy_are_refused(model: Path) -> None:
    with pytest.raises(SettingError, match=r"a loaded pipeline of .*expected the path or the name.*to_disk"):
        BatchPredictor(spacy.load(model))  # type: ignore[arg-type]
    with pytest.raises(
        SettingError, match=r'of the type dict, expected a pandas\.DataFrame.*batch_format="pyarrow"'
    ):
        BatchPredictor(str(model))({"text": TEXTS})

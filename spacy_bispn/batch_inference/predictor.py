"""What Ray, Spark and Dask call with the batches of a data frame.

pyarrow is imported when a batch is converted, pandas and torch where they are needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from spacy import require_gpu
from spacy.language import Language

from spacy_bispn.annotations import read
from spacy_bispn.batch_inference.annotate import Source, annotate, load_pipeline
from spacy_bispn.batch_inference.columns import OUTPUTS, arrow_schema, spark_ddl, to_nested, to_rows
from spacy_bispn.records import AnnotatedText, Extraction
from spacy_bispn.settings import SettingError, Settings, Shown, Values, setting

_predicting = Lock()  # a pipeline is not made for threads, which Dask uses by default


@dataclass(frozen=True)
class BatchPredictor(Settings):
    """Predicts on batches of a data frame, in whatever process they are: the class for `map_batches` of Ray
    Data, and with `pipe` the function for `mapInPandas` and `mapInArrow` of Spark.

    It holds these settings and is small when it is sent to a worker. The pipeline is loaded by the first
    batch, once in each process, and uses as many threads of torch as `OMP_NUM_THREADS` says, which Ray and
    Spark set for their workers, else one.

    model: path or package name of a trained pipeline, as each worker can load it.
    text: the column with the texts.
    output: "nested" adds the columns `entities` and `relations` (lists of structs) and `error`. "rows" gives
        a row for each entity and each relation, with the columns of the CSV of `spacy bispn extract` in the
        place of the text, and one with an `error` for each text that failed.
    batch_size: texts predicted on at once.
    gpu_id: the GPU, counted among those that the worker sees, or -1 for the CPU.

    Raises SettingError for a setting that is not permitted.
    """

    model: str = setting(Values(words="the path or the name of a pipeline"), "")
    text: str = setting(Values(words="the name of a column"), "", default="text")
    output: str = setting(Values(choices=tuple(OUTPUTS)), "", default="nested")
    batch_size: int = setting(Values(least=1, whole=True), "", default=64)
    gpu_id: int = setting(Values(least=-1, whole=True), "", default=-1)

    def __post_init__(self) -> None:
        if isinstance(self.model, Language):
            shown = Shown(f"a loaded pipeline of {', '.join(self.model.pipe_names)}")
            advice = "save it with nlp.to_disk(path) and give the path, each worker loads it"
            raise SettingError("model", shown, "the path or the name of a pipeline", advice)
        path = Path(str(self.model))
        # a worker may run in another folder
        object.__setattr__(self, "model", str(path.absolute() if path.exists() else self.model))
        super().__post_init__()

    def __call__(self, batch: Any) -> Any:
        """A batch with what was found: a `pandas.DataFrame`, a `pyarrow.Table` or a `pyarrow.RecordBatch`.

        The result is of the same kind, with the caller's columns as they were; new columns of a data frame
        have Arrow's types. A text that fails, or is none, has an `error` and null in the new columns.

        Raises SettingError for another kind of batch, where there is no column of texts, and where the batch
        has a column with the name of a new one.
        """
        import pyarrow

        if isinstance(batch, pyarrow.RecordBatch):
            found = self._on_table(pyarrow.Table.from_batches([batch])).combine_chunks()
            # a table without rows has no batch
            return next(iter(found.to_batches()), pyarrow.RecordBatch.from_pylist([], schema=found.schema))
        if isinstance(batch, pyarrow.Table):
            return self._on_table(batch)
        if hasattr(batch, "iloc"):
            return self._on_frame(batch)
        shown = Shown(f"of the type {type(batch).__name__}")
        expected = "a pandas.DataFrame, a pyarrow.Table or a pyarrow.RecordBatch"
        raise SettingError("a batch", shown, expected, 'with Ray, give map_batches batch_format="pyarrow"')

    def pipe(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The same for each of a stream of batches, as `mapInPandas` and `mapInArrow` of Spark call it.

        New columns of data frames have plain Python objects and None in them, which is what Spark can read.
        """
        for batch in batches:
            found = self(batch)
            if hasattr(found, "iloc"):
                new = {name: found[name].astype(object) for name in OUTPUTS[self.output]}
                found = found.assign(
                    **{name: column.where(column.notna(), None) for name, column in new.items()}
                )
            yield found

    def spark_schema(self, schema: Any) -> Any:
        """The schema of the result, a `StructType`, for a data frame with this `StructType`."""
        made = type(schema)
        kept = [field for field in schema.fields if field.name in self._kept(schema.names)]
        return made([*kept, *made.fromDDL(spark_ddl(OUTPUTS[self.output])).fields])

    def empty_frame(self, frame: Any) -> Any:
        """The result for no rows of such a `pandas.DataFrame`: the `meta` of Dask's `map_partitions`."""
        return self._on_frame(frame.iloc[:0])

    def predict(self, texts: Sequence[Source]) -> Iterator[tuple[AnnotatedText, str]]:
        """Each text with what was found in it, or with why it failed, in their order."""
        import torch

        with _predicting:
            nlp = _load(self.model, self.gpu_id, _changed(self.model))
            torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
            for text, found in annotate(nlp, iter(texts), self.batch_size, n_process=1):
                error = found if isinstance(found, str) else ""
                words = text.text if isinstance(found, str) else found.text
                extraction = Extraction() if isinstance(found, str) else read(found).closed()
                yield AnnotatedText(text.id, words, extraction), error

    def columns(self, texts: Sequence[Source]) -> tuple[list[int], Any]:
        """The new columns as a `pyarrow.Table`, and for each of its rows the number of the text."""
        import pyarrow

        numbers: list[int] = []
        rows: list[dict[str, Any]] = []
        for number, (text, error) in enumerate(self.predict(texts) if texts else ()):
            if error:
                found = [{"error": error}]
            else:
                found = [to_nested(text)] if self.output == "nested" else list(to_rows(text))
            rows += found
            numbers += [number] * len(found)
        return numbers, pyarrow.Table.from_pylist(rows, schema=arrow_schema(OUTPUTS[self.output]))

    def _on_table(self, table: Any) -> Any:
        kept = self._kept(table.column_names)
        numbers, new = self.columns(_to_sources(table[self.text].to_pylist()))
        result = (
            table.select(kept).take(numbers) if numbers != list(range(len(table))) else table.select(kept)
        )
        for name in new.column_names:
            result = result.append_column(new.schema.field(name), new[name])
        return result

    def _on_frame(self, frame: Any) -> Any:
        import pandas

        kept = self._kept(frame.columns)
        numbers, new = self.columns(_to_sources(frame[self.text].tolist()))
        result = frame[kept].take(numbers)
        for name, column in new.to_pandas(types_mapper=pandas.ArrowDtype).items():
            result[name] = column.set_axis(result.index)
        return result

    def _kept(self, names: Iterable[str]) -> list[str]:
        """The caller's columns that the result has."""
        names = list(names)
        if self.text not in names:
            expected = f"one of the columns {', '.join(map(str, names)) or '(there are none)'}"
            raise SettingError("text", self.text, expected, 'name the column of texts, as text="body"')
        kept = names if self.output == "nested" else [name for name in names if name != self.text]
        if taken := sorted(OUTPUTS[self.output].keys() & set(kept)):
            shown = Shown(f"one of {', '.join(map(str, names))}")
            expected = f"none of those that are added ({', '.join(OUTPUTS[self.output])})"
            raise SettingError(f"the column {taken[0]!r}", shown, expected, "rename it before")
        return kept


def _to_sources(texts: Iterable[Any]) -> list[Source]:
    """Texts by number; what is no text is one with an error."""
    return [
        Source(number, "", text) if isinstance(text, str) else Source(number, "", "", _no_text(text))
        for number, text in enumerate(texts)
    ]


def _no_text(value: Any) -> str:
    shown = "nothing" if repr(value) in ("None", "nan", "<NA>") else f"{value!r:.80}"
    return f"found {shown}, expected a text: leave the row out, or give it one."


@lru_cache(maxsize=1)
def _load(model: str, gpu_id: int, changed: int) -> Language:
    """The pipeline of this process; one at a time, and none that was saved again since."""
    if gpu_id >= 0:
        require_gpu(gpu_id)
    return load_pipeline(model)


def _changed(model: str) -> int:
    """When a folder was last written to; 0 for a package."""
    return max((path.stat().st_mtime_ns for path in Path(model).rglob("*")), default=0)

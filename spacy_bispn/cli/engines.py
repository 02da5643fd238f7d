"""`spacy bispn extract --engine`: the parts of an input on the workers of Ray or Spark."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

from wasabi import msg

from spacy_bispn.batch_inference.annotate import load_pipeline
from spacy_bispn.batch_inference.predictor import BatchPredictor
from spacy_bispn.cli.parts import SUCCESS, TEMPORARY, Part, PartWriter, open_filesystem, plan
from spacy_bispn.settings import SettingError, Shown

Counts = dict[str, int]


class Engine(StrEnum):
    """What runs the workers."""

    ray = "ray"
    spark = "spark"


def extract_parts(
    engine: Engine,
    predictor: BatchPredictor,
    source: str,
    output: str,
    workers: int,
    go_on: bool,
    force: bool,
) -> None:
    """Write a folder of Parquet files, one for each part of the input that has none; exits as `extract` does.

    Raises SettingError for options that the engine cannot use, and for an output of something else.
    """
    _check(engine, predictor, workers)
    load_pipeline(predictor.model)  # what is wrong with it is said here, not by a worker
    fs, folder = open_filesystem(output)
    if f"{folder}/".startswith(f"{open_filesystem(source)[1]}/"):
        shown = Shown(f"{output}, the same as SOURCE or in it")
        raise SettingError("OUTPUT", shown, "another folder", "name one, or its files would be read as texts")
    parts = plan(source, predictor.model)
    finished = _finished(fs, folder, output, {part.name for part in parts}, go_on, force)
    left = [part for part in parts if part.name not in finished]
    msg.info(f"{len(parts)} parts of {source}: {len(finished)} are finished, {len(left)} are left")
    fs.makedirs(folder, exist_ok=True)
    run = RUN[engine]
    done = list(run(left, PartWriter(predictor, fs.unstrip_protocol(folder)), workers)) if left else []
    if fs.exists(f"{folder}/{TEMPORARY}"):
        fs.rm(f"{folder}/{TEMPORARY}", recursive=True)  # of workers that were killed
    fs.touch(f"{folder}/{SUCCESS}")
    texts, failed = (sum(counts[name] for counts in done) for name in ("texts", "failed"))
    msg.good(f"{texts - failed} texts in {len(left)} new parts of {output}")
    if failed:
        msg.fail(f"{failed} of {texts} texts failed: the column 'error' says why", exits=1)


def _check(engine: Engine, predictor: BatchPredictor, workers: int) -> None:
    needed = {Engine.ray: ("ray", "pyarrow"), Engine.spark: ("pyspark", "pyarrow")}[engine]
    if missing := [name for name in needed if find_spec(name) is None]:
        shown = Shown(f"{engine.value}, but there is no {missing[0]}")
        advice = f"pip install 'spacy-bispn[{engine.value}]'"
        raise SettingError("--engine", shown, "it to be installed, here and for the workers", advice)
    if engine is Engine.spark and workers != 1:
        advice = "leave it out, give spark-submit --master 'local[4]' or --num-executors"
        raise SettingError(
            "--n-process", Shown(f"{workers} with Spark"), "Spark to count its workers", advice
        )
    if engine is Engine.spark and predictor.gpu_id >= 0:
        advice = "use --engine ray, which gives each worker a GPU of its own"
        raise SettingError("--gpu-id", Shown(f"{predictor.gpu_id} with Spark"), "-1", advice)


def _finished(fs: Any, folder: str, output: str, names: set[str], go_on: bool, force: bool) -> set[str]:
    """The parts that need not be computed. Raises SettingError where the output is not to be continued."""
    if fs.isfile(folder):
        advice = "name a folder, each part of the input becomes a file in it"
        raise SettingError("OUTPUT", Shown(f"{output}, which is a file"), "a folder", advice)
    there = {path.rpartition("/")[2]: path for path in fs.glob(f"{folder}/part-*.parquet")}
    if force:
        for path in [*there.values(), *fs.glob(f"{folder}/{SUCCESS}")]:
            fs.rm(path)
        return set()
    if there and not go_on:
        advice = "continue it with --resume, begin anew with --force, or name another"
        raise SettingError("OUTPUT", Shown(f"{output}, which has {len(there)} parts"), "a new folder", advice)
    if foreign := sorted(there.keys() - names):
        shown = Shown(f"{output}, with {len(foreign)} parts such as {foreign[0]} of another input or model")
        advice = "give what they were made of, unchanged, begin anew with --force, or name another"
        raise SettingError("OUTPUT", shown, f"some of the {len(names)} parts of this input", advice)
    return set(there)


def _on_ray(parts: list[Part], writer: PartWriter, workers: int) -> Iterable[Counts]:
    """Actors in the cluster that `RAY_ADDRESS` names, else in one that is started here."""
    import ray

    began = not ray.is_initialized()
    if began:
        ray.init()
    gpus = 1 if writer.predictor.gpu_id >= 0 else 0
    most = int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1))
    size = min(len(parts), workers if workers > 0 else max(most, 1))
    # one part at a time: else the first actor that has started takes those of the others
    strategy = ray.data.ActorPoolStrategy(
        min_size=1, max_size=size, initial_size=size, max_tasks_in_flight_per_actor=1
    )
    rows = ray.data.from_items([{"part": part.to_json()} for part in parts], override_num_blocks=len(parts))
    try:
        yield from rows.map(
            PartWriter, fn_constructor_args=(writer.predictor, writer.output), compute=strategy, num_cpus=1,
            num_gpus=gpus,
        ).iter_rows()  # fmt: skip
    finally:
        if began:
            ray.shutdown()


def _on_spark(parts: list[Part], writer: PartWriter, workers: int) -> Iterable[Counts]:
    """Tasks of the session that `spark-submit` configures, else of a local one on all CPUs."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("spacy bispn extract").getOrCreate()
    rows = [{"part": part.to_json()} for part in parts]
    return list(spark.sparkContext.parallelize(rows, len(rows)).map(writer).collect())


RUN: dict[Engine, Callable[[list[Part], PartWriter, int], Iterable[Counts]]] = {
    Engine.ray: _on_ray,
    Engine.spark: _on_spark,
}

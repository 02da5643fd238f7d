"""`python -m spacy_bispn.bench`: speed and memory of a pipeline, as tables and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.bench.checks import bispn_of, check_steps
from spacy_bispn.bench.clock import peak_memory, reset_peak_memory
from spacy_bispn.bench.figures import Output, number, peaks, spread, write
from spacy_bispn.bench.host import host
from spacy_bispn.bench.measure import growth, loading, page, prediction, training
from spacy_bispn.corpus_reader import find_files, load
from spacy_bispn.settings import SettingError

FEWEST = 16  # texts


def main(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    data: Annotated[Path, typer.Argument(help="A .spacy file with gold", exists=True)],
    limit: Annotated[int, typer.Option(help=f"How many texts are read; at least {FEWEST}")] = 64,
    rounds: Annotated[int, typer.Option(help="How often each figure is measured")] = 5,
    output: Output = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Measure a pipeline's speed and memory against its bare encoder, all in one run."""
    setup_gpu(gpu_id, silent=True)
    nlp = load_model(model)
    try:
        docs = [doc for file in find_files(data) for doc in load(file, nlp.vocab)][:limit]
        figures = run_bench(nlp, docs, rounds)
    except ValueError as error:
        msg.fail("Nothing can be measured", str(error), exits=1)
    show(figures)
    write(output, figures)


def run_bench(nlp: Language, docs: Sequence[Doc], rounds: int) -> dict[str, Any]:
    """Measure everything.

    Raises SettingError for fewer than 16 texts or no round, and ValueError where a fast path changes the
    predictions.
    """
    if len(docs) < FEWEST:
        raise SettingError(
            "the number of texts", len(docs), f"at least {FEWEST}", "raise --limit, or use a larger file"
        )
    if rounds < 1:
        raise SettingError("--rounds", rounds, "at least 1", "the default is 5")
    device = bispn_of(nlp).shim.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
    figures: dict[str, Any] = {
        "device": name, "threads": torch.get_num_threads(), "torch": torch.__version__, "texts": len(docs),
    }  # fmt: skip
    figures["infer"] = prediction(nlp, docs, rounds)
    figures["memory"] = {"prediction": peak_memory()}
    figures["scale"] = growth(nlp, docs, max(rounds // 2, 1))  # before training, which leaves memory behind
    figures["page"] = page(nlp, docs, rounds)
    check_steps(nlp, docs)
    reset_peak_memory()
    figures["train"] = training(nlp, docs, rounds)
    figures["memory"]["training"] = peak_memory()
    figures["host"] = host(nlp, docs, rounds)
    figures["load"] = loading(nlp, rounds)
    return figures


def show(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    infer = figures["infer"]
    rows = [
        (name, spread(infer[name]["sentences_per_second"], 1), spread(infer[name].get("of_floor"), 3))
        for name in infer
    ]
    msg.table(rows, header=("prediction", "sentences a second", "of the floor"), divider=True)
    rows = [
        (name, spread(step["seconds"], 2), spread(step["floor_batches"], 1))
        for name, step in figures["train"].items()
    ]
    msg.table(rows, header=("training step", "seconds", "floor batches"), divider=True)
    load = figures["load"]
    rows = [(name, spread(seconds, 3), "") for name, seconds in load["seconds"].items()]
    rows.append(("pipeline, of encoder and blank", "", spread(load["of_encoder_and_blank"], 2)))
    msg.table(rows, header=("loading", "seconds", "ratio"), divider=True)
    for title, group in (("prediction", infer), ("training step", figures["train"])):
        for name, found in group.items():
            if "parts" in found:
                parts = {part: f"{100 * share:.1f} %" for part, share in found["parts"].items()}
                msg.table(parts, title=f"{title}, {name}")
    for title, sizes in figures["scale"].items():
        rows = [(size, spread(x["seconds"], 3), number(x.get("resident"))) for size, x in sizes.items()]
        msg.table(rows, header=(title, "seconds", "MB resident"), divider=True)
    if found := figures["page"]:
        rows = [("a page", spread(found["seconds"], 3), spread(found["of_floor"], 3))]
        msg.table(rows, header=("many queries", "seconds", "of the floor"), divider=True)
    without = {name: str(count) for name, count in figures["host"]["operations"].items()}
    without["milliseconds a sentence"] = spread(figures["host"]["milliseconds"], 2)
    msg.table(without, title="Tensor operations of a batch of 8, and time without the network")
    msg.table({name: peaks(memory) for name, memory in figures["memory"].items()}, title="Peak memory, MB")


if __name__ == "__main__":
    typer.run(main)

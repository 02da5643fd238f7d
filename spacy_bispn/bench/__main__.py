"""The command line of the bench."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Annotated, Any

import srsly
import torch
import typer
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from wasabi import msg

from ..corpora import find_files, load
from ..files import save
from .checks import bispn_of, check_steps
from .clock import forget_peak, peak_memory
from .measure import growth, loading, prediction, training


def main(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    data: Annotated[Path, typer.Argument(help="A .spacy file with gold", exists=True)],
    limit: Annotated[int, typer.Option(help="How many texts are read; at least 16")] = 64,
    rounds: Annotated[int, typer.Option(help="How often everything is measured in turn")] = 5,
    output: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Measure a pipeline's speed and memory against its bare encoder, all in one run."""
    setup_gpu(gpu_id, silent=True)
    nlp = load_model(model)
    try:
        docs = [doc for file in find_files(data) for doc in load(file, nlp.vocab)][:limit]
        figures = measure(nlp, docs, rounds)
    except ValueError as error:
        msg.fail("Nothing can be measured", str(error), exits=1)
    show(figures)
    if output is not None:
        save(output, srsly.json_dumps(figures, indent=2))


def measure(nlp: Any, docs: list[Any], rounds: int) -> dict[str, Any]:
    """All figures. Raises ValueError for too few texts, and where a fast path changes the answer."""
    if len(docs) < 16:
        raise ValueError(
            f"the data holds {len(docs)} texts, expected at least 16: raise --limit or add some."
        )
    device = bispn_of(nlp).shim.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
    figures: dict[str, Any] = {
        "device": name, "threads": torch.get_num_threads(), "torch": torch.__version__, "texts": len(docs),
    }  # fmt: skip
    figures["infer"] = prediction(nlp, docs, rounds)
    figures["memory"] = {"prediction": peak_memory()}
    figures["scale"] = growth(nlp, docs, max(rounds // 2, 1))  # before training, which leaves memory behind
    check_steps(nlp, docs)
    forget_peak()
    figures["train"] = training(nlp, docs, rounds)
    figures["memory"]["training"] = peak_memory()
    figures["load"] = loading(nlp, rounds)
    return figures


def show(figures: dict[str, Any]) -> None:
    """The figures as tables."""
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
        rows = [(size, spread(x["seconds"], 3), f"{x['resident']:.0f}") for size, x in sizes.items()]
        msg.table(rows, header=(title, "seconds", "MB resident"), divider=True)
    peaks = {name: ", ".join(f"{k} {v:.0f}" for k, v in x.items()) for name, x in figures["memory"].items()}
    msg.table(peaks, title="Peak memory, MB")


def spread(summary: dict[str, float] | None, digits: int) -> str:
    """Median with least and most."""
    if summary is None:
        return ""
    return "{median:.{d}f} ({min:.{d}f} to {max:.{d}f})".format(d=digits, **summary)


if __name__ == "__main__":
    typer.run(main)

"""Run the bench on one trained model; the figures of a GPU do not replace those of the CPU."""

import subprocess
import sys

import srsly
import typer
from options import Corpus, Gpu, Model, Texts
from provenance import metrics_file, this_run, write_metrics


def main(
    corpus: Corpus,
    model: Model,
    data: Texts,
    gpu: Gpu = -1,
) -> None:
    """Measure speed and memory in a process of its own, so that no other work counts."""
    output, run = metrics_file(corpus, "bench", gpu), this_run(gpu, model)
    bench = [sys.executable, "-m", "spacy_bispn.bench", str(model), str(data)]
    subprocess.run([*bench, "--output", str(output), "--gpu-id", str(gpu)], check=True)
    write_metrics(output, srsly.read_json(output), run)


if __name__ == "__main__":
    typer.run(main)

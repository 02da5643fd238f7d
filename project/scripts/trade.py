"""What F1 buys in speed: one trained model with fewer queries or fewer bits, on the development set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from decoding import Changes, in_words, one_at_a_time
from formatting import ratios, summary
from options import Corpus, Gpu, Model, Rounds, Texts
from provenance import metrics_file, this_run, write_metrics
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.bench.clock import in_turns, summarize
from spacy_bispn.corpus_reader import create_reader

SETTINGS: Sequence[Changes] = [
    *one_at_a_time({"proposal_floor": (0.05, 0.1, 0.2, 0.4), "cpu_precision": ("bf16", "int8")}),
    {"proposal_floor": 0.1, "cpu_precision": "int8"},
]


def main(
    corpus: Corpus,
    model: Model,
    data: Texts,
    rounds: Rounds = 5,
    gpu: Gpu = -1,
) -> None:
    """Score and time a model under network settings that need no other weights."""
    setup_gpu(gpu, silent=True)
    run = this_run(gpu, model)
    pipelines = {in_words(changes): load_with(model, changes) for changes in SETTINGS}
    found = measure(pipelines, data, rounds)
    for name, one in found.items():
        msg.text(f"{name}: {summary(one)}, {one['times']['median']:.2f} times as fast")
    write_metrics(metrics_file(corpus, "trade", gpu), {"settings": found}, run)


def load_with(model: Path, changes: Changes) -> Language:
    """A trained pipeline, loaded with other settings of its network."""
    return load_model(model, config={f"components.bispn.model.{name}": x for name, x in changes.items()})


def measure(pipelines: dict[str, Language], data: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Scores of each pipeline, and its speed relative to the first one's in the same round."""
    first = next(iter(pipelines))
    texts = [example.reference.text for example in create_reader(data)(pipelines[first])]
    works = {name: lambda nlp=nlp: list(nlp.pipe(texts)) for name, nlp in pipelines.items()}
    seconds = in_turns(works, rounds)
    return {
        name: {
            **ratios(nlp.evaluate(list(create_reader(data)(nlp)))),
            "sentences_per_second": summarize([len(texts) / one for one in seconds[name]]),
            "times": summarize([a / b for a, b in zip(seconds[first], seconds[name], strict=True)]),
        }
        for name, nlp in pipelines.items()
    }


if __name__ == "__main__":
    typer.run(main)

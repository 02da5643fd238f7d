"""How fast a network of a given size, with random weights, trains and predicts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import typer
from options import Corpus, Gpu, Rounds, Texts
from provenance import metrics_file, this_run, write_metrics
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.training import Example
from spacy.util import load_config, load_model_from_config, minibatch
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.bench.clock import in_turns, peak_memory, reset_peak_memory, summarize
from spacy_bispn.corpus_reader import create_reader
from spacy_bispn.model.architectures import NetworkSettings
from spacy_bispn.model.optimizers import create_adamw
from spacy_bispn.records import Extraction
from spacy_bispn.settings import defaults

BATCH = 8  # texts of a training step
STEPS = 20  # of a round
EPOCHS = 3  # length of the learning rate schedule: the first steps warm up
HALVINGS = 10  # of the range in which a threshold is searched


def main(
    corpus: Corpus,
    train: Texts,
    data: Texts,
    width: Annotated[int, typer.Option(help="Width of the encoder, by default that of BERT-base")] = 768,
    layers: Annotated[int, typer.Option(help="Layers of the encoder")] = 12,
    rounds: Rounds = 7,
    gpu: Gpu = -1,
) -> None:
    """Time training steps, then `nlp.pipe` from raw text with as many predictions as gold has."""
    setup_gpu(gpu, silent=True)
    run = this_run(gpu)
    nlp = build(corpus, width, layers)
    examples = list(create_reader(train)(nlp))
    nlp.initialize(lambda: examples)
    reset_peak_memory()
    taken = in_turns({"steps": steps(nlp, examples)}, rounds)["steps"]
    found: dict[str, Any] = {
        "steps_per_second": summarize([STEPS / one for one in taken]),
        "training": peak_memory(),
    }
    docs = [example.reference for example in create_reader(data)(nlp)]
    texts = [doc.text for doc in docs]
    found["per_sentence"] = match_gold_counts(nlp, texts, [annotations.read(doc) for doc in docs])
    reset_peak_memory()
    works = {str(size): prediction(nlp, texts, size) for size in (BATCH, nlp.batch_size, 4 * nlp.batch_size)}
    found["sentences_per_second"] = {
        size: summarize([len(texts) / one for one in seconds])
        for size, seconds in in_turns(works, rounds).items()
    }
    found["prediction"] = peak_memory()
    for name, value in found.items():
        msg.text(f"{name}: {value}")
    found["encoder"] = {"layers": layers, "width": width}
    write_metrics(metrics_file(corpus, "size", gpu), found, run)


def build(corpus: str, width: int, layers: int) -> Language:
    """The corpus's pipeline around a random encoder."""
    overrides = {f"paths.{name}": "unused" for name in ("train", "dev", "encoder")}
    config = load_config(Path("configs", f"{corpus}.cfg"), overrides, interpolate=True)
    model = config["components"]["bispn"]["model"]
    model["encoder"] = {
        "@misc": "spacy-bispn.RandomEncoder.v1",
        "width": width,
        "layers": layers,
        "heads": model.get("heads", defaults(NetworkSettings)["heads"]),
    }
    model["feedforward"] = 8 * width // 3  # as 1024 is to the 384 of MiniLM
    return load_model_from_config(config, auto_fill=True)


def steps(nlp: Language, examples: Sequence[Example]) -> Callable[[], None]:
    """Some training steps, each over the next texts."""
    batches: Iterator[list[Example]] = cycle(list(minibatch(examples, BATCH)))
    sgd = create_adamw(epochs=EPOCHS)

    def work() -> None:
        for _ in range(STEPS):
            nlp.update(next(batches), sgd=sgd)

    return work


def prediction(nlp: Language, texts: Sequence[str], size: int) -> Callable[[], object]:
    """Prediction from raw text to annotated Docs."""
    return lambda: list(nlp.pipe(texts, batch_size=size))


def match_gold_counts(nlp: Language, texts: Sequence[str], gold: Sequence[Extraction]) -> dict[str, float]:
    """Set the thresholds so that at least as many entities, then relations, are predicted as gold has.

    Random weights predict next to nothing otherwise, and prediction would cost too little.
    Returns the mean number of predicted `entities` and `relations` in a text.
    """
    settings = nlp.get_pipe("bispn").cfg
    settings.update(type_threshold=1.0, relation_threshold=1.0, boundary_threshold=0.0)
    per_text = {}
    for kind, threshold in (("entities", "type_threshold"), ("relations", "relation_threshold")):
        wanted = count(gold, kind)
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            settings[threshold] = (low + high) / 2
            enough = count(map(annotations.read, nlp.pipe(texts)), kind) >= wanted
            low, high = (settings[threshold], high) if enough else (low, settings[threshold])
        settings[threshold] = low
        per_text[kind] = count(map(annotations.read, nlp.pipe(texts)), kind) / len(texts)
    return per_text


def count(found: Iterable[Extraction], kind: str) -> int:
    """The total number of entities or relations."""
    return sum(len(getattr(one, kind)) for one in found)


if __name__ == "__main__":
    typer.run(main)

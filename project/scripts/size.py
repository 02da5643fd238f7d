"""How fast a network of some size learns and reads, whatever it knows: its weights are random."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.training import Example
from spacy.util import load_config, load_model_from_config, minibatch
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.bench.clock import forget_peak, in_turns, peak_memory, summarize
from spacy_bispn.corpora import create_reader
from spacy_bispn.optimizers import create_adamw
from spacy_bispn.records import Extraction

BATCH = 8  # texts of a training step
AT_ONCE = 20  # steps of a round
EPOCHS = 3  # over which the rates would fall: the first steps warm up
HALVINGS = 10  # of the range in which a threshold is sought


def main(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus, whose config is taken")],
    train: Annotated[Path, typer.Argument(help="Training texts, a .spacy file", exists=True)],
    data: Annotated[Path, typer.Argument(help="Texts to read, a .spacy file", exists=True)],
    width: Annotated[int, typer.Option(help="Width of the encoder; that of BERT-base unless given")] = 768,
    layers: Annotated[int, typer.Option(help="Layers of the encoder")] = 12,
    rounds: Annotated[int, typer.Option(help="How often everything is measured")] = 7,
    gpu: Annotated[int, typer.Option(help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Time training steps, then `nlp.pipe` from raw text with as many findings as the gold has."""
    setup_gpu(gpu, silent=True)
    nlp = build(corpus, width, layers)
    examples = list(create_reader(train)(nlp))
    nlp.initialize(lambda: examples)
    forget_peak()
    taken = in_turns({"steps": steps(nlp, examples)}, rounds)["steps"]
    found: dict[str, Any] = {
        "steps_per_second": summarize([AT_ONCE / one for one in taken]),
        "training": peak_memory(),
    }
    docs = [example.reference for example in create_reader(data)(nlp)]
    texts = [doc.text for doc in docs]
    found["said"] = say_as_much(nlp, texts, [annotations.read(doc) for doc in docs])
    forget_peak()
    works = {str(size): reading(nlp, texts, size) for size in (BATCH, nlp.batch_size, 4 * nlp.batch_size)}
    found["sentences_per_second"] = {
        size: summarize([len(texts) / one for one in seconds])
        for size, seconds in in_turns(works, rounds).items()
    }
    found["prediction"] = peak_memory()
    for name, value in found.items():
        msg.text(f"{name}: {value}")
    srsly.write_json(Path("metrics", f"{corpus}_size.json"), found)


def build(corpus: str, width: int, layers: int) -> Language:
    """The corpus's pipeline around a random encoder."""
    overrides = {f"paths.{name}": "unused" for name in ("train", "dev", "encoder")}
    config = load_config(Path("configs", f"{corpus}.cfg"), overrides, interpolate=True)
    model = config["components"]["bispn"]["model"]
    model["encoder"] = {
        "@misc": "spacy-bispn.RandomEncoder.v1", "width": width, "layers": layers, "heads": model["heads"],
        "vocabulary": 4000, "positions": 512, "dropout": 0.1,
    }  # fmt: skip
    model["feedforward"] = 8 * width // 3  # as 1024 is to the 384 of MiniLM
    return load_model_from_config(config, auto_fill=True)


def steps(nlp: Language, examples: Sequence[Example]) -> Callable[[], None]:
    """Some training steps, each over the next texts."""
    batches: Iterator[list[Example]] = cycle(list(minibatch(examples, BATCH)))
    sgd = create_adamw(epochs=EPOCHS)

    def work() -> None:
        for _ in range(AT_ONCE):
            nlp.update(next(batches), sgd=sgd)

    return work


def reading(nlp: Language, texts: Sequence[str], size: int) -> Callable[[], object]:
    """From raw text to annotated Docs."""
    return lambda: list(nlp.pipe(texts, batch_size=size))


def say_as_much(nlp: Language, texts: Sequence[str], gold: Sequence[Extraction]) -> dict[str, float]:
    """Seek the thresholds at which just as many entities are found as the gold has, or a few more, and then
    relations, as far as there are any between those. Returns how many of either are found in a text.
    """
    settings = nlp.get_pipe("bispn").cfg
    settings.update(type_threshold=1.0, relation_threshold=1.0, boundary_threshold=0.0)
    said = {}
    for kind, threshold in (("entities", "type_threshold"), ("relations", "relation_threshold")):
        wanted = count(gold, kind)
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            settings[threshold] = (low + high) / 2
            enough = count(map(annotations.read, nlp.pipe(texts)), kind) >= wanted
            low, high = (settings[threshold], high) if enough else (low, settings[threshold])
        settings[threshold] = low
        said[kind] = count(map(annotations.read, nlp.pipe(texts)), kind) / len(texts)
    return said


def count(found: Iterable[Extraction], kind: str) -> int:
    """How many entities or relations there are in all."""
    return sum(len(getattr(one, kind)) for one in found)


if __name__ == "__main__":
    typer.run(main)

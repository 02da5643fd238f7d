"""What is measured: the bare encoder, prediction, training steps, and how cost grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import torch
from spacy import blank
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model

from .. import annotations as on_doc
from .. import component
from ..bridge import NetworkShim, Reading
from ..component import BiSPN
from ..corpora import bare
from ..nn import objective
from ..nn.network import Network
from ..nn.objective import Objective
from ..optimizers import create_adamw
from ..pretrained import unpooled
from .checks import BATCH, bispn_of, check_answers
from .clock import Place, Stopwatch, forget_peak, in_turns, now, peak_memory, summarize

LENGTHS = (16, 32, 64, 128, 256, 512)  # pieces
QUERIES = (10, 25, 50, 100, 200)
SENTENCES = (1, 5, 20, 50, 100, 200)
BATCHES = (1, 2, 4, 8, 16, 32)


def floor(pipe: BiSPN, docs: Sequence[Doc]) -> Callable[[], object]:
    """The bare encoder over the same texts: batches of 8 in corpus order, padded to their longest.

    Only its forward pass counts; pieces are made before.
    """
    shim = pipe.shim
    assert shim.encoder is not None
    model, windows = shim.require().encoder.model, shim.windows(docs, is_train=True)  # type: ignore[union-attr]
    batches = [
        shim.piecer().batch(windows[first : first + BATCH], shim.device)
        for first in range(0, len(windows), BATCH)
    ]

    @torch.inference_mode()
    def work() -> None:
        model.eval()
        with shim.computing():
            for inputs in batches:
                model(input_ids=inputs.ids, attention_mask=inputs.mask.long())

    return work


def prediction(nlp: Language, docs: Sequence[Doc], rounds: int) -> dict[str, Any]:
    """Sentences a second of `nlp.pipe` from raw text, as such and relative to the floor, and its parts."""
    texts = [doc.text for doc in docs]
    sizes = {"batch 8": BATCH, "default batching": None}
    for size in sizes.values():
        check_answers(nlp, texts, size)
    works: dict[str, Callable[[], object]] = {"floor": floor(bispn_of(nlp), docs)}
    for name, size in sizes.items():
        works[name] = lambda size=size: list(nlp.pipe(texts, batch_size=size))  # type: ignore[misc]
    seconds = in_turns(works, rounds)
    found: dict[str, Any] = {
        name: {"sentences_per_second": summarize([len(texts) / value for value in values])}
        for name, values in seconds.items()
    }
    for name, size in sizes.items():
        ratios = [bare / ours for bare, ours in zip(seconds["floor"], seconds[name], strict=True)]
        found[name]["of_floor"] = summarize(ratios)
        with Stopwatch(prediction_parts(nlp)) as watch:
            started = now()
            list(nlp.pipe(texts, batch_size=size))
            total = now() - started
        found[name]["parts"] = shares(watch, total)
    return found


def prediction_parts(nlp: Language) -> dict[str, list[Place]]:
    """Where prediction spends its time."""
    return {
        "tokenize": [(nlp, "make_doc"), (Reading, "__init__"), (Reading, "inputs")],
        "encoder and proposals": [(Network, "encode")],
        "decoders": [(Network, "share"), (Network, "decode")],
        "pointers": [(Network, "point")],
        "decode": [(component, "extract"), (component, "merge"), (component, "cohere")],
        "annotate": [(on_doc, "write")],
    }


def training(nlp: Language, docs: Sequence[Doc], steps: int) -> dict[str, Any]:
    """Seconds of one optimization step at batch 8, encoder learning and frozen, and its parts.

    The learning rates are 0: the weights stay what they are, the work is the same.
    """
    pipe = bispn_of(nlp)
    examples = [Example(bare(nlp, doc), doc) for doc in docs]
    batches = [examples[first : first + BATCH] for first in range(0, len(examples) - BATCH + 1, BATCH)]
    one = floor(pipe, docs[: BATCH * len(batches)])
    found: dict[str, Any] = {}
    kept = pipe.frozen_epochs
    for name, frozen in (("encoder learning", 0.0), ("encoder frozen", float("inf"))):
        pipe.frozen_epochs = frozen
        sgd = create_adamw(encoder_rate=0.0, decoder_rate=0.0)
        turn = iter(batches * (steps + 2))

        def step(sgd: Any = sgd, turn: Iterator[list[Example]] = turn) -> None:
            nlp.update(next(turn), sgd=sgd)

        seconds = in_turns({"step": step, "floor": one}, steps)
        per_batch = [value / len(batches) for value in seconds["floor"]]
        found[name] = {
            "seconds": summarize(seconds["step"]),
            "floor_batches": summarize([a / b for a, b in zip(seconds["step"], per_batch, strict=True)]),
        }
        with Stopwatch(training_parts()) as watch:
            started = now()
            step()
            found[name]["parts"] = shares(watch, now() - started)
    pipe.frozen_epochs = kept
    pipe.shim.freeze_encoder(False)
    return found


def training_parts() -> dict[str, list[Place]]:
    """Where a training step spends its time; losses include matching."""
    return {
        "tokenize": [(Reading, "__init__"), (Reading, "inputs")],
        "forward": [(Network, "forward")],
        "match": [(objective, "match")],
        "losses": [(Objective, "__call__")],
        "backward": [(torch.Tensor, "backward")],
        "optimizer": [(NetworkShim, "finish_update")],
    }


def shares(watch: Stopwatch, total: float) -> dict[str, float]:
    """Each part's share of the whole; `rest` is what no part has."""
    parts = {name: value / total for name, value in watch.seconds.items()}
    parts["rest"] = 1.0 - sum(value for name, value in parts.items() if name != "match")
    return parts


def loading(nlp: Language, rounds: int) -> dict[str, Any]:
    """Seconds to load the pipeline from disk, beside those of its bare encoder and a blank pipeline."""
    model: Any = bispn_of(nlp).shim.require().encoder.model  # type: ignore[union-attr]
    device = bispn_of(nlp).shim.device
    with TemporaryDirectory() as folder:
        model.save_pretrained(f"{folder}/encoder")
        nlp.to_disk(f"{folder}/pipeline")
        options = unpooled(model.config.model_type)

        def bare_encoder() -> None:
            type(model).from_pretrained(f"{folder}/encoder", **options).to(device)
            blank(nlp.lang)

        works = {"encoder and blank": bare_encoder, "pipeline": lambda: load_model(f"{folder}/pipeline")}
        seconds = in_turns(works, rounds)
    ratios = [ours / bare for bare, ours in zip(*seconds.values(), strict=True)]
    found = {name: summarize(values) for name, values in seconds.items()}
    return {"seconds": found, "of_encoder_and_blank": summarize(ratios)}


def growth(nlp: Language, docs: Sequence[Doc], rounds: int) -> dict[str, dict[str, Any]]:
    """Seconds of prediction and peak memory by length, queries, sentences in a text, and batch size."""
    pipe = bispn_of(nlp)
    words = [token.text for doc in docs for token in doc if not token.is_space]
    sentences = [doc.text.strip() for doc in docs]
    longest = pipe.shim.encoder.longest if pipe.shim.encoder else 0

    def predicted(texts: Sequence[str], size: int = BATCH) -> dict[str, Any]:
        check_answers(nlp, texts, size)
        forget_peak()
        work = in_turns({"": lambda: list(nlp.pipe(texts, batch_size=size))}, rounds)
        return {"seconds": summarize(work[""]), **peak_memory()}

    found: dict[str, dict[str, Any]] = {"length": {}, "queries": {}, "sentences": {}, "batch": {}}
    for length in (length for length in LENGTHS if length <= longest):
        with read_whole(pipe):
            found["length"][str(length)] = predicted([of_length(pipe, nlp, words, length)] * BATCH)
    learned = not hasattr(pipe.shim.require().queries, "entity_limit")  # those have one size only
    for count in () if learned else QUERIES:
        with all_queries(pipe, count):
            found["queries"][str(count)] = predicted(sentences[:BATCH])
    for count in SENTENCES:
        many = sentences * (count // len(sentences) + 1)
        found["sentences"][str(count)] = predicted([" ".join(many[:count])])
    for size in BATCHES:
        found["batch"][str(size)] = predicted(sentences[:32], size)
    return found


def of_length(pipe: BiSPN, nlp: Language, words: Sequence[str], pieces: int) -> str:
    """The longest run of words that has no more than so many pieces."""
    text = ""
    for word in words:
        longer = f"{text} {word}".strip()
        windows = pipe.shim.windows([nlp.make_doc(longer)])
        if sum(len(window.ids) for window in windows) > pieces:
            break
        text = longer
    return text


@contextmanager
def read_whole(pipe: BiSPN) -> Iterator[None]:
    """A text is one window as far as the encoder has positions, however long those of the training were."""
    shim = pipe.shim
    kept = shim.seen, shim.cut
    shim.seen, shim.cut = None, (shim.encoder.longest if shim.encoder else shim.cut[0], shim.cut[1])
    try:
        yield
    finally:
        shim.seen, shim.cut = kept


@contextmanager
def all_queries(pipe: BiSPN, count: int) -> Iterator[None]:
    """As many entity and as many relation queries as asked for, whatever the text proposes."""
    queries: Any = pipe.shim.require().queries
    names = ("entity_limit", "relation_limit", "floor")
    kept = {name: getattr(queries, name) for name in names}
    for name, value in zip(names, (count, count, float("-inf")), strict=True):
        setattr(queries, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(queries, name, value)

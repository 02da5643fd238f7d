"""Measurements: the bare encoder, prediction, training steps, loading, and growth with the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

import torch
from spacy import blank
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model

from spacy_bispn import annotations as on_doc
from spacy_bispn import component
from spacy_bispn.bench.checks import BATCH, bispn_of, check_answers
from spacy_bispn.bench.clock import Stopwatch, Timed, in_turns, now, peak_memory, reset_peak_memory, summarize
from spacy_bispn.component import BiSPN
from spacy_bispn.corpus_reader import bare
from spacy_bispn.model.doc_batch import DocBatch
from spacy_bispn.model.encoders import loading_options
from spacy_bispn.model.optimizers import create_adamw
from spacy_bispn.model.shim import NetworkShim
from spacy_bispn.nn import assignment
from spacy_bispn.nn.network import Network
from spacy_bispn.nn.objective import Objective

LENGTHS = (16, 32, 64, 128, 256, 512)  # pieces
QUERIES = (10, 25, 50, 100, 200)
PAGE_QUERIES = 64, 128  # of entities and of relations, for a text of the greatest length
SENTENCES = (1, 5, 20, 50, 100, 200)
BATCHES = (1, 2, 4, 8, 16, 32)


def floor(pipe: BiSPN, docs: Sequence[Doc]) -> Callable[[], object]:
    """The bare encoder over the same texts: batches of 8 in corpus order, padded to the longest text.

    Only the forward pass is timed; the texts are cut into pieces before.
    """
    shim = pipe.shim
    assert shim.encoder is not None
    encoder, windows = shim.require().encoder, shim.windows(docs, is_train=True)
    assert encoder is not None
    batches = [
        shim.window_tokenizer().batch(windows[first : first + BATCH], shim.device)
        for first in range(0, len(windows), BATCH)
    ]

    @torch.inference_mode()
    def work() -> None:
        encoder.eval()
        with shim.autocast():
            for inputs in batches:
                assert inputs.ids is not None
                encoder.read(inputs.ids, inputs.mask)

    return work


def prediction(nlp: Language, docs: Sequence[Doc], rounds: int) -> dict[str, Any]:
    """Sentences a second of `nlp.pipe` from raw text, relative to the floor too, and each part's share."""
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
    for name in sizes:
        ratios = [bare / ours for bare, ours in zip(seconds["floor"], seconds[name], strict=True)]
        found[name]["of_floor"] = summarize(ratios)
        found[name]["parts"] = shares(prediction_parts(nlp), works[name])
    return found


def prediction_parts(nlp: Language) -> dict[str, list[Timed]]:
    """The functions of each part of prediction."""
    return {
        "tokenize": [(nlp, "make_doc"), (DocBatch, "__init__"), (DocBatch, "inputs")],
        "encoder and proposals": [(Network, "encode")],
        "decoders": [(Network, "share"), (Network, "decode")],
        "pointers": [(Network, "point")],
        "decode": [(component, "extract"), (component, "merge"), (component, "cohere")],
        "annotate": [(on_doc, "write")],
    }


def training(nlp: Language, docs: Sequence[Doc], steps: int) -> dict[str, Any]:
    """Seconds of an optimization step at batch 8, encoder learning and frozen, and each part's share.

    The learning rates are 0: the weights do not change, the work is the same.
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
        found[name]["parts"] = shares(training_parts(), step)
    pipe.frozen_epochs = kept
    pipe.shim.freeze_encoder(False)
    return found


def training_parts() -> dict[str, list[Timed]]:
    """The functions of each part of a training step; losses include matching."""
    return {
        "tokenize": [(DocBatch, "__init__"), (DocBatch, "inputs")],
        "forward": [(Network, "forward")],
        "match": [(assignment, "match")],
        "losses": [(Objective, "__call__")],
        "backward": [(torch.Tensor, "backward")],
        "optimizer": [(NetworkShim, "finish_update")],
    }


def shares(parts: Mapping[str, Sequence[Timed]], work: Callable[[], object]) -> dict[str, float]:
    """Do some work once: each part's share of its time; `rest` is the time outside of all parts."""
    with Stopwatch(parts) as watch:
        started = now()
        work()
        total = now() - started
    found = {name: seconds / total for name, seconds in watch.seconds.items()}
    found["rest"] = 1.0 - sum(share for name, share in found.items() if name != "match")  # part of losses
    return found


def loading(nlp: Language, rounds: int) -> dict[str, Any]:
    """Seconds to load the pipeline from disk, beside those of its bare encoder and a blank pipeline."""
    model: Any = bispn_of(nlp).shim.require().encoder.model  # type: ignore[union-attr]
    device = bispn_of(nlp).shim.device
    with TemporaryDirectory() as folder:
        model.save_pretrained(f"{folder}/encoder")
        nlp.to_disk(f"{folder}/pipeline")
        options = loading_options(model.config)

        def bare_encoder() -> None:
            type(model).from_pretrained(f"{folder}/encoder", **options).to(device)
            blank(nlp.lang)

        works = {"encoder and blank": bare_encoder, "pipeline": lambda: load_model(f"{folder}/pipeline")}
        seconds = in_turns(works, rounds)
    ratios = [ours / bare for bare, ours in zip(*seconds.values(), strict=True)]
    found = {name: summarize(values) for name, values in seconds.items()}
    return {"seconds": found, "of_encoder_and_blank": summarize(ratios)}


def growth(nlp: Language, docs: Sequence[Doc], rounds: int) -> dict[str, dict[str, Any]]:
    """Seconds of prediction and peak memory by length, queries, sentences in a text, and batch size.

    Raises ValueError where the predictions of a size differ from those of its texts alone.
    """
    pipe = bispn_of(nlp)
    words = [token.text for doc in docs for token in doc if not token.is_space]
    sentences = [doc.text.strip() for doc in docs]
    longest = pipe.shim.encoder.longest if pipe.shim.encoder else 0

    def predicted(texts: Sequence[str], size: int = BATCH) -> dict[str, Any]:
        check_answers(nlp, texts, size)
        reset_peak_memory()
        work = in_turns({"": lambda: list(nlp.pipe(texts, batch_size=size))}, rounds)
        return {"seconds": summarize(work[""]), **peak_memory()}

    found: dict[str, dict[str, Any]] = {"length": {}, "queries": {}, "sentences": {}, "batch": {}}
    for length in (length for length in LENGTHS if length <= longest):
        with read_whole(pipe):
            found["length"][str(length)] = predicted([of_length(pipe, nlp, words, length)] * BATCH)
    learned = not hasattr(pipe.shim.require().queries, "entity_limit")  # those have one size only
    for count in () if learned else QUERIES:
        with all_queries(pipe, count, count):
            found["queries"][str(count)] = predicted(sentences[:BATCH])
    for count in SENTENCES:
        many = sentences * (count // len(sentences) + 1)
        found["sentences"][str(count)] = predicted([" ".join(many[:count])])
    for size in BATCHES:
        found["batch"][str(size)] = predicted(sentences[:32], size)
    return found


def page(nlp: Language, docs: Sequence[Doc], rounds: int) -> dict[str, Any]:
    """Seconds of a long text read at once, with many queries of each kind, and relative to its bare encoder.

    Empty where queries are learned, which have one number only. Raises ValueError as `growth` does.
    """
    pipe = bispn_of(nlp)
    if not hasattr(pipe.shim.require().queries, "entity_limit"):
        return {}
    assert pipe.shim.encoder is not None
    length = min(LENGTHS[-1], pipe.shim.encoder.longest)
    words = [token.text for doc in docs for token in doc if not token.is_space]
    with read_whole(pipe), all_queries(pipe, *PAGE_QUERIES):
        text = of_length(pipe, nlp, words * (length // len(words) + 1), length)
        check_answers(nlp, [text], 1)
        works = {"floor": floor(pipe, [nlp.make_doc(text)]), "page": lambda: list(nlp.pipe([text]))}
        seconds = in_turns(works, rounds)
    ratios = [bare / ours for bare, ours in zip(seconds["floor"], seconds["page"], strict=True)]
    return {"seconds": summarize(seconds["page"]), "of_floor": summarize(ratios)}


def of_length(pipe: BiSPN, nlp: Language, words: Sequence[str], pieces: int) -> str:
    """As many of the first words as have at most `pieces` pieces."""
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
    """Make a text one window, as long as the encoder has positions, however long the training texts were."""
    shim = pipe.shim
    kept = shim.training_lengths, shim.windowing
    shim.training_lengths = None
    if shim.encoder:
        shim.windowing = replace(shim.windowing, window=None)
    try:
        yield
    finally:
        shim.training_lengths, shim.windowing = kept


@contextmanager
def all_queries(pipe: BiSPN, entities: int, relations: int) -> Iterator[None]:
    """Use exactly so many entity queries and relation queries, whatever the text proposes."""
    queries: Any = pipe.shim.require().queries
    names = ("entity_limit", "relation_limit", "floor")
    kept = {name: getattr(queries, name) for name in names}
    for name, value in zip(names, (entities, relations, float("-inf")), strict=True):
        setattr(queries, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(queries, name, value)

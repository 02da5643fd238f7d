"""Windows with what stands around them: seen, and never pointed at, predicted, learnt from or counted."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import CNN, demo_texts, initialize, listening, make_nlp, pipe_of, said, tiny, train
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from spacy_bispn.context import context_size, set_context
from spacy_bispn.corpus import to_doc
from spacy_bispn.corpus_reader import bare, give_entities
from spacy_bispn.doc_utils import CONTEXT
from spacy_bispn.model.doc_batch import DocBatch
from spacy_bispn.model.windowing import SpecialPieces, Window, WindowLengths, WindowSettings, WindowTokenizer
from spacy_bispn.model.wordpieces import learn_wordpieces
from spacy_bispn.settings import SettingError

NO_SPECIAL = SpecialPieces((), (), 0)
SPECIAL = SpecialPieces((1,), (2,), 0)
WORDS = ["the", "cell", "binds", "a", "gene", "and", "the", "gene", "binds", "a", "cell", "in", "yeast"]
PIECES = learn_wordpieces([" ".join(WORDS)], 200)
TEXTS = demo_texts(6)


def cutter(context: int, window: int = 16, overlap: int = 4, **others: Any) -> WindowTokenizer:
    return WindowTokenizer(PIECES, SPECIAL, window, overlap, context=context, **others)


def without_context(window: Window) -> tuple[Any, ...]:
    """What a window would be without its context, for comparison."""
    real = window.start >= 0
    return (
        window.text,
        window.ids[real].tolist(),
        window.start[real].tolist(),
        window.end[real].tolist(),
        window.owned,
    )


def sides(window: Window) -> tuple[list[int], list[int]]:
    """The ids before and behind a window's own pieces, without special ones."""
    real = np.flatnonzero(window.start >= 0)
    return window.ids[1 : real[0]].tolist(), window.ids[real[-1] + 1 : -1].tolist()


def encoded(text: str) -> list[int]:
    ids: list[int] = PIECES.encode(text, add_special_tokens=False).ids
    return ids


@pytest.mark.parametrize("context", [0, 1, 3, 100])
def test_a_window_sees_the_last_pieces_before_it_and_the_first_behind(context: int) -> None:
    around = [("a gene in yeast", "and the cell")]
    (window,) = cutter(context).windows(["the cell binds"], [[]], around=around)
    before, behind = encoded(around[0][0]), encoded(around[0][1])
    assert sides(window) == (before[max(len(before) - context, 0) :], behind[:context])
    assert window.context == len(sides(window)[0]) + len(sides(window)[1])
    assert (window.ids[0], window.ids[-1]) == (1, 2)
    (alone,) = cutter(0).windows(["the cell binds"], [[]], around=around)
    assert without_context(window) == without_context(alone)
    assert window.size == len(alone.ids) == alone.size


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 80), st.integers(0, 40), st.booleans(), st.data())
def test_context_changes_nothing_about_a_window_but_what_it_sees(
    length: int, context: int, by_sentences: bool, data: st.DataObject
) -> None:
    text = " ".join(data.draw(st.lists(st.sampled_from(WORDS), min_size=length, max_size=length)))
    before = " ".join(data.draw(st.lists(st.sampled_from(WORDS), max_size=8)))
    behind = " ".join(data.draw(st.lists(st.sampled_from(WORDS), max_size=8)))
    lengths = WindowLengths(10, 12) if by_sentences else None

    def starts(_: int) -> list[int]:
        return [match for match, char in enumerate(text) if char == "g"]

    plain = cutter(0, training_lengths=lengths).windows([text], [[]], starts)
    seeing = cutter(context, training_lengths=lengths).windows([text], [[]], starts, [(before, behind)])
    assert [without_context(window) for window in seeing] == [without_context(window) for window in plain]
    whole, first = encoded(before), len(encoded(before))
    whole += encoded(text) + encoded(behind)
    for window in seeing:
        low = first + encoded_before(text, window)
        high = low + int((window.start >= 0).sum())
        assert sides(window) == (whole[max(low - context, 0) : low], whole[high : high + context])
        assert window.size <= 16


def encoded_before(text: str, window: Window) -> int:
    """How many pieces of a text are before a window."""
    start = int(window.start[window.start >= 0][0])
    return len(encoded(text[:start]))


def test_nothing_is_located_in_the_context() -> None:
    (window,) = cutter(5).windows(["the cell"], [[]], around=[("a gene", "a gene")])
    assert window.locate(0, 3) is not None and window.locate(9, 13) is None
    inputs = cutter(5).batch([window], torch.device("cpu"))
    assert inputs.mask.all() and int(inputs.pointable.sum()) == int((window.start >= 0).sum())


@pytest.mark.parametrize(
    ("window", "context", "longest", "fitted"),
    [
        (256, 0, 512, (256, 64)),
        (256, 128, 512, (256, 64)),
        (600, 0, 512, (512, 64)),
        (None, 0, 512, (512, 64)),
        (None, 100, 512, (312, 64)),
        (64, 8, 80, (64, 31)),
    ],
)
def test_a_window_and_its_context_fit_into_the_encoder(
    window: int | None, context: int, longest: int, fitted: tuple[int, int]
) -> None:
    overlap = 64 if window is None or window > 100 else 40
    found = WindowSettings(window, overlap, context).within(longest, 2)
    assert (found.window, found.overlap) == fitted
    assert (found.window or 0) + 2 * found.context <= longest


@pytest.mark.parametrize(
    ("window", "context", "longest", "words"),
    [
        (
            256,
            129,
            512,
            ["context is 129, expected 0 to 128 with a window of 256", "reads 512", "window to 254"],
        ),
        (None, 300, 512, ["context is 300, expected 0 to 252", "512 pieces", "lower it"]),
        (512, 1, 512, ["context is 1, expected 0 to 0 with a window of 512", "window to 510"]),
    ],
)
def test_a_context_without_room_is_refused(
    window: int | None, context: int, longest: int, words: list[str]
) -> None:
    with pytest.raises(SettingError) as caught:
        WindowSettings(window, 64, context).within(longest, 2)
    assert all(word in str(caught.value) for word in words)


def test_a_component_refuses_a_context_that_its_encoder_cannot_read() -> None:
    encoder = {"@misc": "spacy-bispn.RandomEncoder.v1", "width": 48, "layers": 1, "heads": 4, "positions": 64}
    nlp = make_nlp(tiny({"encoder": encoder, "window": 48, "overlap": 8, "context": 9}))
    with pytest.raises(
        SettingError, match=r"context is 9, expected 0 to 8 .*: lower it, or set window to 46"
    ):
        initialize(nlp, TEXTS)


def test_the_listener_has_a_context_of_its_own() -> None:
    config = listening(CNN)
    config["model"]["context"] = 8
    with pytest.raises(SettingError, match=r"context is 8, expected 0 with the listener, .*: remove it, or"):
        make_nlp(config)
    config["model"]["context"] = 0
    initialize(make_nlp(config), TEXTS)


def passages_of(nlp: Language) -> list[Example]:
    """The texts as passages of one document, with gold."""
    docs = [to_doc(nlp, text)[0] for text in TEXTS]
    set_context(nlp, docs)
    return [Example(bare(nlp, doc), doc) for doc in docs]


def losses_of(nlp: Language, examples: list[Example]) -> float:
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: examples)
    return train(nlp, examples, 2)[-1]


def test_without_the_setting_neighbours_change_no_bit() -> None:
    nlp = make_nlp(tiny())
    examples = passages_of(nlp)
    plain = losses_of(nlp, [Example(bare(nlp, x.reference), x.reference) for x in examples])
    for example in examples:
        for doc in (example.predicted, example.reference):
            doc.user_data[CONTEXT] = ("words before", "words behind")
    assert losses_of(nlp, examples) == plain
    assert not any(window.context for window in pipe_of(nlp).shim.windows([x.predicted for x in examples]))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"query_layer": 0},
        {"query_layer": 1, "queries": "learned", "entity_queries": 12, "relation_queries": 12},
    ],
    ids=["proposed", "queries in the encoder", "learned"],
)
def test_a_model_learns_with_a_context_and_predicts_outside_of_it(settings: dict[str, Any]) -> None:
    nlp = make_nlp(tiny({"context": 16, **settings}))
    examples = passages_of(nlp)
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: examples)
    history = train(nlp, examples, 6)
    assert np.isfinite(history).all() and history[-1] < history[0]
    batch = DocBatch(pipe_of(nlp).model, [x.predicted for x in examples], is_train=False)
    inner = batch.windows[1:-1]
    assert all(window.context == 32 for window in inner)
    for indices in batch.batches(10_000):
        outputs = batch.outputs(indices, 0.0, 0.0)
        for spans, mask in ((outputs.entity, outputs.entity_mask), (outputs.head, outputs.relation_mask)):
            for row, index in enumerate(indices):
                start = batch.windows[index].start
                for logits in (spans.start[row][mask[row]], spans.end[row][mask[row]]):
                    assert (start[logits.argmax(-1).numpy()] >= 0).all()
                    shares = logits.softmax(-1)[:, np.flatnonzero(start < 0)]
                    assert float(shares.sum()) < 1e-6


def test_context_counts_in_what_is_read_at_once() -> None:
    nlp = make_nlp(tiny({"context": 16}))
    examples = passages_of(nlp)
    nlp.initialize(lambda: examples)
    batch = DocBatch(pipe_of(nlp).model, [x.predicted for x in examples], is_train=False)
    longest = max(len(window.ids) for window in batch.windows)
    for indices in batch.batches(2 * longest):
        assert len(indices) * max(len(batch.windows[index].ids) for index in indices) <= 2 * longest
    assert batch.inputs([1]).mask.shape[1] == len(batch.windows[1].ids) == batch.windows[1].size + 32


def test_what_was_seen_in_training_is_counted_without_context() -> None:
    with_context, without = (make_nlp(tiny({"context": context})) for context in (16, 0))
    for nlp in (with_context, without):
        examples = passages_of(nlp)
        nlp.initialize(lambda examples=examples: examples)  # type: ignore[misc]
    assert pipe_of(with_context).shim.training_lengths == pipe_of(without).shim.training_lengths


@pytest.fixture(scope="module")
def seeing() -> Language:
    """Has learnt sentences with their neighbours."""
    nlp = make_nlp(tiny({"context": 12}))
    examples = passages_of(nlp)
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: examples)
    train(nlp, examples, 60)
    return nlp


def scores_of(docs: Iterable[Doc]) -> list[list[float]]:
    return [list(doc.spans["bispn"].attrs["scores"]) for doc in docs]


@pytest.mark.slow
def test_predictions_depend_on_the_context_and_stay_in_their_texts(seeing: Language) -> None:
    docs = [seeing.make_doc(text.text) for text in TEXTS]
    alone = scores_of(seeing.pipe(doc.copy() for doc in docs))
    set_context(seeing, docs)
    near = list(seeing.pipe(doc.copy() for doc in docs))
    assert scores_of(near) != alone and sum(map(len, alone))
    examples = passages_of(seeing)
    assert sum(said(doc) == said(x.reference) for doc, x in zip(near, examples, strict=True)) >= 4
    # in other processes and batches, and from a file
    assert [said(doc) for doc in seeing.pipe([doc.copy() for doc in docs], n_process=2)] == [*map(said, near)]
    stored = DocBin(docs=docs, store_user_data=True).to_bytes()
    again = list(DocBin().from_bytes(stored).get_docs(seeing.vocab))
    assert [said(doc) for doc in seeing.pipe(again, batch_size=1)] == [*map(said, near)]


@pytest.mark.slow
def test_a_document_is_read_by_sentences_that_see_each_other(seeing: Language) -> None:
    doc = seeing.make_doc(" ".join(text.text for text in TEXTS))
    windows = pipe_of(seeing).shim.windows([doc])
    assert len(windows) == len(TEXTS)
    assert [window.context for window in windows] == [12, *[24] * (len(TEXTS) - 2), 12]
    inner = pipe_of(seeing).shim.windows(_linked(seeing))
    assert [x.ids.tolist() for x in inner] == [x.ids.tolist() for x in windows]
    assert len(seeing(doc)._.relations) >= 4


def _linked(nlp: Language) -> list[Doc]:
    docs = [nlp.make_doc(text.text) for text in TEXTS]
    set_context(nlp, docs)
    return docs


@pytest.mark.slow
def test_a_saved_model_keeps_its_context(seeing: Language, tmp_path: Path) -> None:
    seeing.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    both = (scores_of(nlp.pipe(_linked(nlp))) for nlp in (seeing, loaded))
    assert next(both) == next(both)
    off = spacy.load(tmp_path / "model", config={"components": {"bispn": {"model": {"context": 0}}}})
    assert context_size(off) == 0 and scores_of(off.pipe(_linked(off))) != scores_of(
        seeing.pipe(_linked(seeing))
    )


@pytest.mark.parametrize("entities", ["given", "both"])
def test_given_entities_beside_a_context(entities: str) -> None:
    nlp = make_nlp(tiny({"context": 12}, entities=entities))
    examples = passages_of(nlp)
    for example in examples:
        give_entities(example, "given")
    nlp.initialize(lambda: examples)
    train(nlp, examples, 2)
    for doc, example in zip(nlp.pipe([x.predicted for x in examples]), examples, strict=True):
        assert set(said(example.reference)[0]) <= set(said(doc)[0])


def test_windows_of_training_without_neighbours_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    nlp = make_nlp(tiny({"context": 12}))
    with caplog.at_level(logging.INFO, "spacy"):
        initialize(nlp, TEXTS)
        (record,) = [x for x in caplog.records if "context" in x.message]
        assert record.levelno == logging.WARNING
        assert "context = 12: 6 of 6 training windows have nothing around them, expected" in record.message
        assert 'ids such as "a:0"' in record.message and "set context = 0" in record.message
        caplog.clear()
        examples = passages_of(nlp)
        nlp.initialize(lambda: examples)
        assert not [x for x in caplog.records if "context" in x.message]
        examples[0] = Example(bare(nlp, to_doc(nlp, TEXTS[0])[0]), to_doc(nlp, TEXTS[0])[0])
        nlp.initialize(lambda: examples)
        (record,) = [x for x in caplog.records if "context" in x.message]
        assert record.levelno == logging.INFO and "1 of 6" in record.message

"""Windows with what stands around them: seen, and never pointed at, predicted, learnt from or counted."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import CNN, demo_texts, initialize, listening, make_nlp, optimizer, pipe_of, said, tiny, train
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bispn.context import set_context
from spacy_bispn.corpus import to_doc
from spacy_bispn.corpus_reader import bare
from spacy_bispn.model.doc_batch import DocBatch
from spacy_bispn.model.windowing import SpecialPieces, Window, WindowLengths, WindowSettings, WindowTokenizer
from spacy_bispn.model.wordpieces import learn_wordpieces
from spacy_bispn.settings import SettingError

NO_SPECIAL = SpecialPieces((), (), 0)
SPECIAL = SpecialPieces((1,), (2,), 0)
WORDS = "the cell binds a gene and the gene binds a cell in yeast".split()
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
        (256, 129, 512, ["context is 129, expected 0 to 128 with a window of 256", "reads 512", "window to 254"]),
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
    with pytest.raises(SettingError, match="context is 9, expected 0 to 8 .*: lower it, or set window to 46"):
        initialize(nlp, TEXTS)


def test_the_listener_has_a_context_of_its_own() -> None:
    config = listening(CNN)
    config["model"]["context"] = 8
    with pytest.raises(SettingError, match="context is 8, expected 0 with the listener, .*: remove it, or"):
        make_nlp(config)
    config["model"]["context"] = 0
    initialize(make_nlp(config), TEXTS)


def passages_of(nlp: Language, context: bool = True) -> list[Doc]:
    """The texts as passages of one document, with gold."""
    docs = [to_doc(nlp, text)[0] for text in TEXTS]
    if context:
        set_context(nlp, docs)
    return docs

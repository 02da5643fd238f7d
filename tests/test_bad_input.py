"""Texts that nobody would train on: no crash, no warning, and output that holds its promises."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import spacy
from pipelines import CNN, demo_texts, initialize, listening, make_nlp, pipe_of, tiny, train
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

ZERO = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}
TEXTS = {
    "empty": "",
    "space": " ",
    "spaces": " \t\n\r\n  ",
    "no-break spaces": "\u00a0\u3000\u2028",
    "one token": "Tem2",
    "one mark": ".",
    "long": "Tem2 binds Dal92, EG-75 and the kinase KV-487. " * 40,
    "zero-width": "\u200b\u200b \ufeff",
    "zero-width between": "Tem2 \u200b binds \u200b Dal92",
    "control": "\x00\x01\x07 \x1b",
    "control between": "Tem2 \x07 binds\x00 Dal92",
    "emoji": "Tem2 😀 👩\u200d🔬 binds ❤\ufe0f Dal92 🇩🇪",
    "combining": "cafe\u0301 nai\u0308ve Z\u0351\u036b\u0343algo",
    "only combining": "\u0301\u0308",
    "right to left": "שלום Tem2 مرحبا بالعالم \u202edlrow\u202c",
    "Chinese": "蛋白质结合受体。",
    "surrogate-like": "\U0001d4d0\U0001d4d1 \U0010ffff \ufffd",
    "no space": "x" * 10_000,
    "no space, punctuated": "a-" * 300,
    "markup": "<b>Tem2</b> &amp; {binds} \\n %s",
}


@pytest.fixture(scope="module", params=["pieces", "tokens", "learned"])
def nlp(request: pytest.FixtureRequest) -> Language:
    """Hardly trained, and without thresholds: says as much as it can."""
    cut = {"window": 128, "overlap": 32}
    learned = {"queries": "learned", "entity_queries": 12, "relation_queries": 8}
    configs = {
        "pieces": tiny(cut, **ZERO),
        "tokens": listening(CNN, **ZERO),
        "learned": tiny(cut | learned, **ZERO),
    }
    made = make_nlp(configs[request.param])
    train(made, initialize(made, demo_texts(6)), 10)
    if request.param != "learned":
        pipe_of(made).shim.require().queries.pair_bias.data.fill_(9.0)  # every pair is a candidate
    return made


def check(doc: Doc) -> None:
    """What holds for every Doc."""
    group = doc.spans["bispn"]
    members = {(span.start, span.end, span.label_) for span in group}
    for relation in doc._.relations:
        for end in (relation.head, relation.tail):
            assert (end.start, end.end, end.label_) in members
    taken = [token.i for ent in doc.ents for token in ent]
    assert len(taken) == len(set(taken))
    assert all(span.text.strip() for span in group)
    assert all(0 <= score <= 1 for score in group.attrs["scores"])


@pytest.mark.parametrize("name", TEXTS)
def test_no_crash_no_warning(nlp: Language, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doc = nlp(TEXTS[name])
    assert doc.text == TEXTS[name]
    check(doc)


def test_every_window_of_a_long_text_is_heard(nlp: Language) -> None:
    doc = nlp(TEXTS["long"])
    starts = [span.start_char for span in doc.spans["bispn"]]
    assert min(starts) < 200 and max(starts) > len(doc.text) - 200
    assert len(doc._.relations) > 0


def test_one_bad_text_does_not_change_its_neighbours(nlp: Language) -> None:
    alone = {name: nlp(text) for name, text in TEXTS.items()}
    for name, doc in zip(TEXTS, nlp.pipe(TEXTS.values(), batch_size=7), strict=True):
        assert len(doc.spans["bispn"]) == len(alone[name].spans["bispn"])


@pytest.mark.parametrize("coherence", ["snap", "add", "drop"])
def test_ends_are_members_whatever_the_setting(nlp: Language, coherence: str) -> None:
    pipe = pipe_of(nlp)
    kept: dict[str, Any] = pipe.cfg
    pipe.cfg = kept | {"coherence": coherence, "type_threshold": 0.2}
    try:
        for doc in nlp.pipe(TEXTS.values()):
            check(doc)
    finally:
        pipe.cfg = kept


@pytest.mark.slow
@pytest.mark.parametrize("config", [tiny(), listening(CNN)], ids=["pieces", "tokens"])
def test_ten_thousand_tokens(config: dict[str, Any]) -> None:
    nlp = make_nlp(config)
    initialize(nlp, demo_texts(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doc = nlp(Doc(nlp.vocab, words=["Tem2", "binds"] * 5_000))
        check(nlp("蛋" * 10_000))
    assert len(doc) == 10_000
    check(doc)


def test_it_can_be_trained_on(nlp: Language) -> None:
    docs = [nlp.make_doc(text) for text in TEXTS.values() if len(text) < 1000]
    for doc in docs:
        doc._.relations = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses = pipe_of(nlp).update([Example(nlp.make_doc(doc.text), doc) for doc in docs])
    assert losses["bispn"] > 0


def test_other_tokenizers_are_no_obstacle() -> None:
    nlp = spacy.blank("xx")
    nlp.add_pipe("bispn", config=tiny(**ZERO))
    initialize(nlp, demo_texts(2))
    for text in TEXTS.values():
        check(nlp(text[:2000]))

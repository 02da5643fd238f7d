"""Texts that nobody would write: no crash, and answers that hold whatever stands in the text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from pipelines import CNN, demo_texts, initialize, listening, make_nlp, pipe_of, tiny, train
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model
from tries import cases

from spacy_bispn.bench.invariants import check_bytes, check_doc, check_same

# Labels and ends need no probability at all, so that there is a lot to check.
LOW = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}
CUT = {"window": 32, "overlap": 8}
LEARNED = {"queries": "learned", "entity_queries": 10, "relation_queries": 8}
CONFIGS = {
    "pieces": tiny({**CUT, "relation_queries": 120, "entity_queries": 12}, **LOW),
    "tokens": listening(CNN, **LOW),
    "learned": tiny(CUT | LEARNED, **LOW, coherence="add", remove_overlaps=True),
}
FULL = 1_000_000  # characters: spaCy's own limit, `nlp.max_length`


@pytest.fixture(scope="module", params=CONFIGS)
def nlp(request: pytest.FixtureRequest) -> Iterator[Language]:
    """Hardly trained, and what decides is never how a sum was rounded.

    Hence double precision, a sublayer, which has none, that reads one text at a time, and places that
    make equal words differ.
    """
    made = make_nlp(CONFIGS[request.param])
    train(made, initialize(made, demo_texts(6)), 5)
    network = pipe_of(made).shim.require().double()
    if request.param == "tokens":
        network.project.register_forward_pre_hook(lambda _, args: (placed(args[0].double()),))
        one_at_a_time(pipe_of(made).model.get_ref("tok2vec"))
    if request.param != "learned":
        network.queries.span_bias.data.fill_(3.0)  # most spans and all pairs are candidates
        network.queries.pair_bias.data.fill_(9.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        yield made


def placed(states: torch.Tensor) -> torch.Tensor:
    """States `(batch, tokens, width)` that also say where they stand."""
    return states + 1e-3 * torch.arange(states.shape[1], dtype=states.dtype)[:, None]


def one_at_a_time(sublayer: Model[list[Doc], list[Any]]) -> None:
    """Lets a layer read each text alone, so that its neighbours in a batch round none of its sums."""
    read = sublayer._func

    def forward(model: Model[list[Doc], list[Any]], docs: list[Doc], is_train: bool) -> tuple[list[Any], Any]:
        return [read(model, [doc], is_train)[0][0] for doc in docs], None

    sublayer._func = forward


# Every plane, with what is assigned to nobody; half of a surrogate pair is no character.
CHARACTERS = st.characters(exclude_categories=["Cs"])
WORDS = st.sampled_from(
    ["Tem2", "binds", "Dal92-β", "EG-75", "שלום", "مرحبا", "蛋白质", "👩\u200d🔬", "🇩🇪", "e\u0301"]
)
# zero-width, control and formatting characters, marks without a letter, white space of all kinds
SEAMS = st.sampled_from([
    "\x00", "\x07", "\x1b", "\x7f", "\x85", "\u00ad", "\u034f", "\u200b", "\u200c", "\u200d", "\u200e",
    "\u202e", "\u2060", "\u2066", "\ufeff", "\ufe0f", "\ufffe", "\ufffd", "\u0301", "\u0308", "\U000e0041",
    "\U0010ffff", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2028", "\u3000",
])  # fmt: skip
QUOTES = st.sampled_from(['""', "''", "“”", "‘’", "«»", "„“", "``", "()", "[]", "{}", "<>", "\u2067\u2069"])
NESTED = st.builds(
    lambda word, pairs: reduce(lambda inner, pair: pair[0] + inner + pair[1], pairs, word),
    WORDS, st.lists(QUOTES, max_size=40),
)  # fmt: skip
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=60),
    st.lists(st.one_of(WORDS, SEAMS, CHARACTERS), max_size=40).map("".join),
    st.lists(st.one_of(WORDS, WORDS, SEAMS, NESTED), max_size=40).map(" ".join),
    st.text(st.sampled_from(" \t\n\r\u00a0\u2028\u3000"), max_size=200),
    st.builds(lambda character, count: character * count, CHARACTERS, st.integers(1, 600)),
)
BATCHES = st.lists(TEXTS, min_size=1, max_size=6)
SIZES = st.integers(1, 4)


def hold(nlp: Language, batch: list[str], size: int) -> None:
    """Every answer is in order, survives bytes, and is the same alone and in a batch."""
    alone = [nlp(text) for text in batch]
    for text, doc in zip(batch, alone, strict=True):
        assert doc.text == text
        check_doc(doc, nlp.make_doc(text))
        check_bytes(doc)
    together = nlp.pipe(batch, batch_size=size)
    for one, other in zip(alone, together, strict=True):
        check_same(one, other)


@cases("texts")
@given(BATCHES, SIZES)
@example(["", " ", "\x00", "\u0301"], 2)
@example(["\uf773" * 6, "0:\x1b0:0\x1b"], 2)  # one token, six times
def test_answers_hold(nlp: Language, batch: list[str], size: int) -> None:
    hold(nlp, batch, size)


@pytest.mark.slow
@cases("many texts")
@given(BATCHES, SIZES)
def test_many_answers_hold(nlp: Language, batch: list[str], size: int) -> None:
    hold(nlp, batch, size)


def test_there_is_something_to_check(nlp: Language) -> None:
    docs = list(nlp.pipe(text.text for text in demo_texts(8)))
    assert sum(len(doc.spans["bispn"]) for doc in docs) > 16
    assert sum(len(doc._.relations) for doc in docs) > 4


@pytest.mark.slow
@pytest.mark.parametrize("character", ["x", "\u0301"], ids=["letters", "marks"])
def test_a_million_characters_without_a_space(nlp: Language, character: str) -> None:
    text = character * FULL
    doc = nlp(text)
    check_doc(doc, nlp.make_doc(text))
    with pytest.raises(ValueError, match=r"Text of length 1000001 exceeds maximum of 1000000"):
        nlp(text + character)


# Lone surrogates: spaCy's tokenizer refuses them, before any component sees the text.

HALVES = st.characters(categories=["Cs"])
TOKENIZER = make_nlp().tokenizer


@cases("surrogates")
@given(TEXTS, HALVES, TEXTS)
def test_half_of_a_surrogate_pair_is_refused_by_the_tokenizer(before: str, half: str, after: str) -> None:
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        TOKENIZER(before + half + after)


def test_a_refused_text_leaves_the_pipeline_in_order(nlp: Language) -> None:
    with pytest.raises(UnicodeEncodeError):
        nlp("Tem2 \ud800 binds")
    hold(nlp, ["Tem2 binds Dal92."], 1)


# Docs that no tokenizer would make

ANY_WORD = st.one_of(WORDS, SEAMS, st.text(CHARACTERS, min_size=1, max_size=5))
WORD_LISTS = st.lists(ANY_WORD, min_size=1, max_size=20)


@cases("words")
@given(WORD_LISTS, st.data())
def test_any_words_may_be_tokens(nlp: Language, words: list[str], data: st.DataObject) -> None:
    spaces = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    doc = nlp(Doc(nlp.vocab, words=words, spaces=spaces))
    check_doc(doc, Doc(nlp.vocab, words=words, spaces=spaces))
    check_bytes(doc)

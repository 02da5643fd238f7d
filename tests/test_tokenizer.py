"""The punctuation tokenizer: tables of cases, exact texts, a real corpus, spaCy's own ways of saving."""

from __future__ import annotations

import json
import pickle
import unicodedata
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokenizer import Tokenizer

from spacy_bispn.tokenizer import create_punctuation_tokenizer

CONFIG = {"nlp": {"tokenizer": {"@tokenizers": "spacy-bispn.PunctuationTokenizer.v1"}}}
NLP = spacy.blank("en", config=CONFIG)
JOINED = "\u200c\u200d"  # the zero-width joiners


def is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


# Tokens as they should be, joined by "|".
CASES = [
    "",
    "ATP",
    "IL|-|2|-|induced| |p53|(|wt|)",
    "(|ATP|-|bound|)",
    "(|(|a|)|)",
    ".|.|.",
    "Don|'|t|!",
    "_|snake|_|case|_",
    "a|/|b|/|c|,|d",
    "-|x|-",
    "3|.|14|%",
    "10²",
    "http|:|/|/|x|.|org|/|?|q|=|1",
    "e|.|g|.",
    "naïve",
    "nai\u0308ve|-|text",
    "\u0301abc",
    "(\u0301|abc",
    "हिन्दी|।",
    "می\u200cخواهم|.",
    "α|-|catenin|→|β",
    "TNF|-|α|±|5µ",
    "ok|😀|😀|x",
    "❤\ufe0f|!",
    "👩\u200d|👦|.",
    "“|quoted|”|—|dash|…",
    "中文|。|中文",
    "$|5|€|6|^|~|`|+|<|=|>",
]


@pytest.mark.parametrize("case", CASES)
def test_tokens(case: str) -> None:
    expected = [token for token in case.split("|") if token.strip()]
    assert [token.text for token in NLP.make_doc(case.replace("|", ""))] == expected


def test_a_bar_and_white_space() -> None:
    doc = NLP.make_doc("  a|b \t c\n(d)\u00a0e ")
    assert [token.text_with_ws for token in doc] == [
        *("  ", "a", "|", "b ", "\t ", "c", "\n", "(", "d", ")", "\u00a0", "e "),
    ]


@given(st.text() | st.text(alphabet="ab1 _-.()\u0301\u200d\t\n😀中²"))
def test_texts_are_reproduced_and_symbols_stand_alone(text: str) -> None:
    doc = NLP.make_doc(text)
    assert doc.text == text
    for token in doc:
        symbols = [char for char in token.text if not (char.isalnum() or char in JOINED or is_mark(char))]
        assert token.is_space or len(symbols) <= 1, token.text
        assert token.is_space or not symbols or not any(map(str.isalnum, token.text)), token.text


def test_all_mentions_of_a_corpus_are_made_of_tokens(corpora: Path) -> None:
    mentions = [
        (unit["text"], start, end)
        for split in ("train", "dev")
        for unit in json.loads((corpora / "biorelex" / f"{split}.json").read_text(encoding="utf8"))
        for entity in unit["entities"]
        for name in entity["names"].values()
        for start, end in name["mentions"]
    ]
    docs = {text: NLP.make_doc(text) for text, _, _ in mentions}
    lost = [text[start:end] for text, start, end in mentions if docs[text].char_span(start, end) is None]
    assert mentions
    assert not lost


def tokens(nlp: Language, text: str = "IL-2's (p53_x) naïve 😀.") -> list[str]:
    return [token.text for token in nlp.make_doc(text)]


def test_is_a_plain_tokenizer_that_spacy_can_save(tmp_path: Path) -> None:
    expected = tokens(NLP)
    assert expected[:5] == ["IL", "-", "2", "'", "s"]
    assert type(NLP.tokenizer) is Tokenizer

    NLP.to_disk(tmp_path)
    assert tokens(spacy.load(tmp_path)) == expected

    default = spacy.blank("en")
    assert tokens(default) != expected
    default.tokenizer.from_bytes(NLP.tokenizer.to_bytes())
    assert tokens(default) == expected
    assert tokens(spacy.blank("en", config=CONFIG).from_bytes(NLP.to_bytes())) == expected

    default.tokenizer = pickle.loads(pickle.dumps(create_punctuation_tokenizer()(NLP)))
    assert tokens(default) == expected


@pytest.mark.slow
def test_works_in_other_processes() -> None:
    texts = ["IL-2 binds.", "(a/b)", "", "x_y"]
    docs = list(NLP.pipe(texts, n_process=2, batch_size=1))
    assert [[token.text for token in doc] for doc in docs] == [tokens(NLP, text) for text in texts]

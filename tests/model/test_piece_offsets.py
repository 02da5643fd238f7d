"""Characters of pieces, for each kind of tokenizer and for texts that are made to confuse them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pytest
from encoder_folders import byte_pieces, eos_pieces, unigram_pieces, wordpieces
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from spacy_bispn.model.windowing import SpecialPieces, Window, WindowTokenizer
from spacy_bispn.model.wordpieces import plain

SPECIAL = SpecialPieces((1,), (2,), 0)
# ligatures and other forms that NFKC writes with other characters, some of them with more than one
COMPATIBLE = "ﬁﬃ①㌔…½²Å"
PARTS = [
    *"ab1-.,() ", "  ", "\t", "\n", "\u00a0", "\u3000", "中", "文", "。", "é", "e\u0301", "a\u0323\u0301",
    "ñ", "हिन्दी", "می\u200cخواهم", "😀", "👩\u200d🔬", "❤\ufe0f", "🇩🇪", "𝔸", "##a", "Ġ", *COMPATIBLE,
]  # fmt: skip
TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {
    "wordpieces": wordpieces,
    "bytes": byte_pieces,
    "unigram": unigram_pieces,
    "unigram without opening": eos_pieces,
}
texts = st.lists(st.sampled_from(PARTS), max_size=25).map("".join)


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return plain(TOKENIZERS[request.param]().to_str())


def window_of(tokenizer: Tokenizer, text: str) -> Window | None:
    windows = WindowTokenizer(tokenizer, SPECIAL, 512, 0).windows([text], [[]])
    return windows[0] if windows else None


@settings(max_examples=60)
@given(text=texts)
@example(text="ﬁ  ﬁ")
@example(text=" 😀 中")
@example(text="e\u0301e\u0301")
def test_pieces_lie_in_the_text_in_order_and_cover_it(tokenizer: Tokenizer, text: str) -> None:
    window = window_of(tokenizer, text)
    if window is None:
        assert not text.strip()
        return
    spans = list(zip(window.start[1:-1].tolist(), window.end[1:-1].tolist(), strict=True))
    for start, end in spans:
        assert 0 <= start < end <= len(text)
        assert not text[start].isspace() and not text[end - 1].isspace()
    assert spans == sorted(spans), "in order"
    covered = {place for start, end in spans for place in range(start, end)}
    missed = {text[place] for place in range(len(text)) if place not in covered}
    assert all(char.isspace() or unicodedata.category(char) == "Cf" for char in missed)


@settings(max_examples=60)
@given(text=texts)
def test_words_are_found_again_in_their_pieces(tokenizer: Tokenizer, text: str) -> None:
    window = window_of(tokenizer, text)
    for match in re.finditer(r"\S+", text):
        spot = window.locate(*match.span()) if window else None
        if spot is None:  # a word of characters that the tokenizer drops
            assert all(unicodedata.category(char) == "Cf" for char in match[0])
            continue
        assert window is not None
        start, end = int(window.start[spot[0]]), int(window.end[spot[1]])
        assert {*text[start : match.start()], *text[match.end() : end]} <= {"\u200c", "\u200d"}
        left_out = text[match.start() : start] + text[end : match.end()]
        assert all(unicodedata.category(char) == "Cf" for char in left_out)


@pytest.mark.parametrize(
    ("kind", "text", "pieces"),
    [
        ("bytes", "a 中", ["a", "中"]),  # a character of three bytes is that of each of their pieces
        ("bytes", "a 😀b", ["a", "😀", "b"]),
        ("unigram", "ﬁ 2½", ["ﬁ", "2", "½"]),
        ("unigram", "cafe\u0301 x", ["c", "a", "f", "e\u0301", "x"]),
        ("wordpieces", "❤\ufe0f x", ["❤\ufe0f", "x"]),
    ],
)
def test_characters_of_pieces(kind: str, text: str, pieces: list[str]) -> None:
    window = window_of(TOKENIZERS[kind](), text)
    assert window is not None
    found = [text[start:end] for start, end in zip(window.start[1:-1], window.end[1:-1], strict=True)]
    assert list(dict.fromkeys(found)) == pieces

"""Windows of pieces: offsets both ways for every kind of tokenizer, overlaps, ownership, batches."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from spacy_bispn.model.doc_batch import budget
from spacy_bispn.model.windowing import (
    LAST,
    SpecialPieces,
    Window,
    WindowLengths,
    WindowTokenizer,
    with_gold,
)
from spacy_bispn.model.wordpieces import learn_wordpieces, plain
from spacy_bispn.nn.shapes import SpanTargets, Targets
from spacy_bispn.settings import SettingError

# Each text with mentions whose characters every tokenizer must find again.
MENTIONS = [
    ("IL-2 binds ATP.", ["IL-2", "IL", "-", "2", "binds ATP", "ATP", "."]),
    ("((a),[b]) c", ["((a),[b])", "a", ")", "c"]),
    ("中文。文本", ["中", "中文", "。", "文本"]),
    ("ok 😀 x", ["😀", "ok 😀 x"]),
    ("a 👩\u200d🔬 works", ["👩\u200d🔬"]),
    ("i ❤\ufe0f x", ["❤\ufe0f"]),
    ("cafe\u0301 nai\u0308ve é.", ["cafe\u0301", "nai\u0308ve", "é", "."]),
    ("हिन्दी में।", ["हिन्दी", "में"]),
    ("می\u200cخواهم.", ["می\u200cخواهم", "."]),
    ("שלום, עולם", ["שלום", "עולם"]),
    ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
    ("İstanbul ß", ["İstanbul", "ß"]),
    ("  a\t\tb \n c  ", ["a", "b", "a\t\tb", "c"]),
    ("a\u3000b\u00a0c", ["a", "b", "c"]),
]
TEXTS = [text for text, _ in MENTIONS]
SPECIAL, NO_SPECIAL = SpecialPieces((1,), (2,), 0), SpecialPieces((), (), 0)
NO_PIECE = ["", " ", " \t\n\r", "\u3000\u00a0\u2028"]
# What BERT's normalizer throws away: a zero-width space, a byte order mark, control characters.
DROPPED = ["\u200b", "\ufeff", "\x07", "\x00"]


def byte_level(add_prefix_space: bool, trim_offsets: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    return merged(tokenizer, pre_tokenizers.ByteLevel.alphabet())


def metaspace() -> Tokenizer:
    """Pieces as SentencePiece makes them: the space before a word is the word's."""
    tokenizer = Tokenizer(models.BPE(unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return merged(tokenizer, sorted(set("".join(TEXTS))))


def merged(tokenizer: Tokenizer, alphabet: list[str]) -> Tokenizer:
    """Pieces longer than a character are parts of two words only, so that mentions end at pieces."""
    trainer = trainers.BpeTrainer(
        initial_alphabet=alphabet, special_tokens=["?"], min_frequency=2, show_progress=False
    )
    tokenizer.train_from_iterator(["it binds it works"] * 2, trainer)
    return tokenizer


BUILT = {
    "wordpieces": learn_wordpieces(TEXTS, 400),
    "bytes": byte_level(False, False),
    "bytes trimmed": byte_level(False, True),
    "bytes with prefix": byte_level(True, False),
    "bytes with prefix trimmed": byte_level(True, True),
    "metaspace": metaspace(),
}
KINDS = [*BUILT, "minilm"]


@pytest.fixture(params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    if request.param in BUILT:
        return BUILT[request.param]
    folder = request.getfixturevalue("encoders") / "minilm-l6"
    return plain((folder / "tokenizer.json").read_text(encoding="utf8"))


def whole(tokenizer: Tokenizer | None, text: str, tokens: list[tuple[int, int]] | None = None) -> Window:
    """The only window of a short text."""
    special = SPECIAL if tokenizer else NO_SPECIAL
    (window,) = WindowTokenizer(tokenizer, special, 512, 0).windows([text], [tokens or []])
    return window


def there_and_back(window: Window, start: int, end: int) -> tuple[int, int]:
    """The characters of the pieces that a span is located at."""
    spot = window.locate(start, end)
    assert spot is not None
    return int(window.start[spot[0]]), int(window.end[spot[1]])


@pytest.mark.parametrize(("text", "mentions"), MENTIONS)
def test_mentions_come_back_from_pieces(tokenizer: Tokenizer, text: str, mentions: list[str]) -> None:
    window = whole(tokenizer, text)
    for mention in mentions:
        start = text.index(mention)
        first, last = there_and_back(window, start, start + len(mention))
        assert text[first:last] == mention


@pytest.mark.parametrize(("text", "mentions"), MENTIONS)
def test_mentions_come_back_from_tokens(text: str, mentions: list[str]) -> None:
    window = whole(None, text, [match.span() for match in re.finditer(r"\S", text)])
    for mention in mentions:
        start = text.index(mention)
        assert there_and_back(window, start, start + len(mention)) == (start, start + len(mention))


@pytest.mark.parametrize("text", TEXTS)
def test_special_pieces_have_no_characters_and_the_others_are_in_order(
    tokenizer: Tokenizer, text: str
) -> None:
    window = whole(tokenizer, text)
    assert (window.ids[0], window.ids[-1]) == (1, 2)
    assert window.start[[0, -1]].tolist() == window.end[[0, -1]].tolist() == [-1, -1]
    assert (np.diff(window.start[1:-1]) >= 0).all()
    for start, end in zip(window.start[1:-1], window.end[1:-1], strict=True):
        assert text[start:end] and text[start:end] == text[start:end].strip()


@pytest.mark.parametrize("text", NO_PIECE)
def test_a_text_of_white_space_has_no_window(tokenizer: Tokenizer, text: str) -> None:
    window_tokenizer = WindowTokenizer(tokenizer, SPECIAL, 64, 16)
    assert [window.text for window in window_tokenizer.windows(["a", text, "b"], [[]] * 3)] == [0, 2]


@pytest.mark.parametrize("text", NO_PIECE)
def test_white_space_tokens_are_no_positions(text: str) -> None:
    window_tokenizer = WindowTokenizer(None, NO_SPECIAL, 64, 16)
    assert window_tokenizer.windows([text], [[(0, len(text))] if text else []]) == []
    (window,) = window_tokenizer.windows(
        [f"a{text}b"], [[(0, 1), (1, 1 + len(text)), (1 + len(text), 2 + len(text))]]
    )
    assert window.ids.tolist() == [0, 2]  # rows of the Doc's vectors


@pytest.mark.parametrize("dropped", DROPPED)
def test_characters_without_a_piece_are_not_missed(encoders: Path, dropped: str) -> None:
    tokenizer = plain((encoders / "minilm-l6" / "tokenizer.json").read_text(encoding="utf8"))
    text = f"{dropped}ab {dropped} cd{dropped} ef{dropped}"
    window = whole(tokenizer, text)
    at = text.index
    assert there_and_back(window, 0, 3) == (1, 3)
    assert there_and_back(window, at("c"), at("c") + 3) == (at("c"), at("c") + 2)
    assert there_and_back(window, at("e"), at("e") + 3) == (at("e"), at("e") + 2)
    assert window.locate(4, 5) is None, "a token of nothing else has no position"


@pytest.mark.parametrize(
    ("start", "end", "spot"),
    [
        (0, 2, (0, 0)),
        (3, 8, (1, 2)),
        (4, 5, (1, 1)),  # inside a piece: the piece
        (0, 10, (0, 3)),
        (2, 3, None),  # white space
        (10, 20, None),  # behind the text
        (5, 5, None),  # nothing
    ],
)
def test_locate(start: int, end: int, spot: tuple[int, int] | None) -> None:
    #          ab cde fg h
    window = whole(None, "ab cde fgh", [(0, 2), (3, 6), (7, 9), (9, 10)])
    assert window.locate(start, end) == spot


def test_a_span_that_crosses_the_edge_of_a_window_is_not_located() -> None:
    text = "x" * 20
    first, second, *_ = WindowTokenizer(None, NO_SPECIAL, 8, 2).windows(
        [text], [[(i, i + 1) for i in range(20)]]
    )
    assert (first.start[0], first.end[-1], second.start[0], second.end[-1]) == (0, 8, 6, 14)
    assert first.locate(6, 8) == (6, 7)
    assert second.locate(6, 8) == (0, 1)
    assert first.locate(6, 9) is None
    assert second.locate(5, 8) is None


@given(st.integers(8, 20), st.data())
def test_windows_overlap_and_their_ranges_partition_the_text(size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 5))
    widths = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=80))
    ends = np.cumsum(widths).tolist()
    tokens = list(zip([0, *ends[:-1]], ends, strict=True))
    windows = WindowTokenizer(None, NO_SPECIAL, size, overlap).windows(["x" * ends[-1]], [tokens])

    assert windows[0].ids[0] == 0 and windows[-1].ids[-1] == len(tokens) - 1
    assert windows[0].owned[0] == 0 and windows[-1].owned[1] == LAST
    assert all(len(window.ids) <= size for window in windows)
    for left, right in pairwise(windows):
        assert len(left.ids) == size, "only the last window is shorter"
        assert left.ids[len(left.ids) - overlap :].tolist() == right.ids[:overlap].tolist()
        assert left.owned[1] == right.owned[0]
    for index, (start, end) in enumerate(tokens):
        (owner,) = [window for window in windows if window.owns(start)]
        assert index in owner.ids
        assert owner.locate(start, end) is not None


def sentences_of(sizes: list[int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Tokens of one character each, and where sentences of so many tokens start."""
    tokens = [(place, place + 1) for place in range(sum(sizes))]
    return tokens, [0, *np.cumsum(sizes)[:-1].tolist()]


def packed(sizes: list[int], median: int, percentile_95: int, overlap: int) -> list[tuple[int, int]]:
    """First and last token, end exclusive, of each window of a text with sentences of these sizes."""
    tokens, starts = sentences_of(sizes)
    window_tokenizer = WindowTokenizer(None, NO_SPECIAL, 32, overlap, WindowLengths(median, percentile_95))
    windows = window_tokenizer.windows(["x" * len(tokens)], [tokens], lambda _: starts)
    return [(int(window.ids[0]), int(window.ids[-1]) + 1) for window in windows]


@pytest.mark.parametrize(
    ("sizes", "median", "percentile_95", "overlap", "expected"),
    [
        ([5, 5], 5, 10, 0, [(0, 10)]),  # as long as what was learnt from: whole
        ([5, 6], 6, 10, 0, [(0, 5), (5, 11)]),
        ([4, 4, 4, 4], 8, 10, 0, [(0, 8), (8, 16)]),
        ([4, 9, 4], 8, 10, 0, [(0, 4), (4, 13), (13, 17)]),  # a long sentence is not cut
        ([8, 2, 8, 2, 8], 16, 20, 4, [(0, 10), (8, 20), (18, 28)]),  # short sentences are shared
        ([2, 31, 2], 8, 10, 2, [(0, 2), (2, 33), (33, 35)]),  # nothing fits beside it
        ([4, 60, 4], 8, 10, 0, [(0, 4), (4, 36), (36, 64), (64, 68)]),  # longer than a window
    ],
)
def test_a_text_longer_than_those_of_the_training_is_read_by_sentences(
    sizes: list[int], median: int, percentile_95: int, overlap: int, expected: list[tuple[int, int]]
) -> None:
    assert packed(sizes, median, percentile_95, overlap) == expected


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 20), st.data())
def test_sentences_have_one_window_that_answers_for_them(
    sizes: list[int], median: int, data: st.DataObject
) -> None:
    tokens, starts = sentences_of(sizes)
    overlap, more = data.draw(st.integers(0, 10)), data.draw(st.integers(0, 20))
    window_tokenizer = WindowTokenizer(None, NO_SPECIAL, 24, overlap, WindowLengths(median, median + more))
    windows = window_tokenizer.windows(["x" * len(tokens)], [tokens], lambda _: starts)
    assert all(len(window.ids) <= 24 for window in windows)
    for start, size in zip(starts, sizes, strict=True):
        (owner,) = [window for window in windows if window.owns(start)]
        if size <= 24 and len(tokens) > median + more:
            assert owner.locate(start, start + size) is not None, "whole sentences"
    for start, end in tokens:
        (owner,) = [window for window in windows if window.owns(start)]
        assert owner.locate(start, end) is not None


def test_the_lengths_of_a_training_are_its_median_and_what_nearly_all_keep_to() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    made = [Window(0, np.zeros(size, dtype=np.int64), nothing, nothing, (0, 1)) for size in range(1, 101)]
    assert WindowLengths.of(made) == (51, 96)
    assert WindowLengths.of(made[:1]) == (1, 1)


def test_windows_with_special_pieces_keep_within_the_limit(tokenizer: Tokenizer) -> None:
    text = "IL-2 binds ATP. 中文。" * 40
    windows = WindowTokenizer(tokenizer, SPECIAL, 32, 8).windows([text], [[]])
    assert len(windows) > 3
    assert all(len(window.ids) <= 32 and window.ids[0] == 1 and window.ids[-1] == 2 for window in windows)
    assert {start for window in windows for start in window.start} >= {
        place for place, char in enumerate(text) if char in "中文。I."
    }


@pytest.mark.parametrize("char", ["x", "中", "é", "😀"])
def test_ten_thousand_characters_without_a_space(tokenizer: Tokenizer, char: str) -> None:
    windows = WindowTokenizer(tokenizer, SPECIAL, 128, 32).windows([char * 10_000], [[]])
    seen = {
        place
        for window in windows
        for start, end in zip(window.start[1:-1], window.end[1:-1], strict=True)
        for place in range(start, end)
    }
    assert seen == set(range(10_000))
    assert [window.owned[0] for window in windows] == [0, *(window.owned[1] for window in windows[:-1])]


def test_a_batch_is_padded_and_points_at_real_pieces_only() -> None:
    window_tokenizer = WindowTokenizer(BUILT["wordpieces"], SpecialPieces((7,), (8,), 9), 64, 16)
    short, long = window_tokenizer.windows(["IL", "IL - IL"], [[], []])
    inputs = window_tokenizer.batch([short, long], torch.device("cpu"))
    assert inputs.ids is not None and inputs.vectors is None
    assert inputs.ids[0].tolist() == [7, short.ids[1], 8, 9, 9]
    assert inputs.mask.tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert inputs.pointable.tolist() == [[False, True, False, False, False], [False, True, True, True, False]]


def test_gold_is_added_to_inputs() -> None:
    inputs = WindowTokenizer(None, NO_SPECIAL, 8, 0).batch([whole(None, "a", [(0, 1)])], torch.device("cpu"))
    nothing = torch.zeros(1, 0, dtype=torch.long)
    gold = Targets(*[SpanTargets(nothing, nothing, nothing)] * 3, nothing, nothing, nothing)
    assert with_gold(inputs, gold).gold is gold
    assert with_gold(inputs, gold)[:4] == inputs[:4]


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 1000))
def test_budget_keeps_batches_small_and_forgets_no_window(lengths: list[int], pieces: int) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    windows = [Window(0, np.zeros(length, dtype=np.int64), nothing, nothing, (0, 1)) for length in lengths]
    batches = budget(windows, pieces)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert padded <= pieces or len(batch) == 1, "only a window that is too long alone exceeds the budget"
    order = [lengths[index] for batch in batches for index in batch]
    assert order == sorted(order, reverse=True), "neighbours in length share a batch, the longest first"


@pytest.mark.parametrize(
    ("window", "overlap", "words"),
    [
        (7, 0, ["window is 7, expected a whole number (at least 8) or null: ", "the default is 256"]),
        (16, 12, ["overlap is 12, expected 0 to 11 with a window of 16: ", "lower it, or raise window"]),
        (16, -1, ["overlap is -1, expected a whole number (at least 0): ", "the default is 64"]),
    ],
)
def test_impossible_windows_are_refused(window: int, overlap: int, words: list[str]) -> None:
    with pytest.raises(SettingError) as error:
        WindowTokenizer(None, NO_SPECIAL, window, overlap)
    assert all(word in str(error.value) for word in words)

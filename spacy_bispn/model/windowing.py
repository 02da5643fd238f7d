"""Texts to windows of wordpieces (or tokens), and character offsets both ways; no other file knows pieces."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer

from spacy_bispn.nn.shapes import Inputs, Targets
from spacy_bispn.settings import SettingError, Settings, Values, setting

Ints = np.ndarray
JOINERS = "\u200c\u200d"  # the zero-width joiners
LAST = 2**62  # beyond every character
LONGEST_WINDOW = 8192  # pieces of a window that follows the encoder
Sentences = Callable[[int], Sequence[int]] | None


@dataclass(frozen=True)
class WindowSettings(Settings):
    """How long texts are cut. Raises SettingError for values that cannot be used."""

    window: int | None = setting(
        Values(least=8, whole=True, choices=(None,)),
        "The longest stretch of wordpieces that is read at once; at most what the encoder has positions for "
        "is used. `null`: as many as it has, up to 8192. Relations across windows are not found. In "
        "prediction, texts longer than nearly all of the training's are read by sentences "
        "([architecture.md](architecture.md#decided-where-the-paper-is-silent)).",
        default=256,
    )
    overlap: int = setting(
        Values(least=0, whole=True),
        "Wordpieces that neighbouring windows share; at least 5 fewer than `window`, and of more than half a "
        "window just under half is used. Larger where texts are cut and relations are long.",
        default=64,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        # two pieces of a window may be special ones, and at least three have to be new
        if self.window is not None and self.overlap > self.window - 5:
            raise SettingError(
                "overlap", self.overlap, f"0 to {self.window - 5} with a window of {self.window}",
                "lower it, or raise window",
            )  # fmt: skip


class SpecialPieces(NamedTuple):
    """Ids of what opens and closes a window, as many as the tokenizer adds, and the id of padding."""

    opening: tuple[int, ...]
    closing: tuple[int, ...]
    padding: int

    @classmethod
    def of(cls, saved: Sequence[Any]) -> SpecialPieces:
        """From JSON; models of older versions have one number for each."""
        opening, closing = ((ids,) if isinstance(ids, int) else tuple(ids) for ids in saved[:2])
        return cls(opening, closing, saved[2])


class Window(NamedTuple):
    """A stretch of one text that the network reads at once.

    `text` is the text's index; `ids`, `start`, `end` hold one number a position: the piece's id (or
    the token's index) and its characters, end exclusive. Special pieces have `start == end == -1`.
    Windows overlap; `owned` is the range of characters that this window answers for: each start of an entity
    is owned by exactly one window of its text, so that nothing is predicted twice.
    """

    text: int
    ids: Ints
    start: Ints
    end: Ints
    owned: tuple[int, int]

    def locate(self, start: int, end: int) -> tuple[int, int] | None:
        """Inclusive positions of the pieces that cover characters `start` to `end`, None unless all are here.

        Characters that no piece covers are not missed: tokenizers drop control characters.
        """
        real = np.flatnonzero(self.start >= 0)
        inside = real[(self.end[real] > start) & (self.start[real] < end)]
        if not len(inside) or start >= end:
            return None
        first, last = int(inside[0]), int(inside[-1])
        # beyond the window's edge there is a piece that it does not see, unless the text ends there
        before = self.start[first] > start and first == real[0] and self.owned[0] > 0
        after = self.end[last] < end and last == real[-1] and self.owned[1] < LAST
        return None if before or after else (first, last)

    def owns(self, start: int) -> bool:
        """Whether this window, and no other of its text, answers for what starts at `start`."""
        return self.owned[0] <= start < self.owned[1]


class WindowLengths(NamedTuple):
    """How long the windows of the training texts were, in positions: the median and the 95th percentile.

    A network is unreliable in windows that are much longer.
    """

    median: int
    percentile_95: int

    @classmethod
    def of(cls, windows: Sequence[Window]) -> WindowLengths:
        """The lengths of some windows."""
        sizes = [len(window.ids) for window in windows]
        return cls(*(int(np.percentile(sizes, share, method="higher")) for share in (50, 95)))


@dataclass(frozen=True)
class WindowTokenizer:
    """Cuts texts into windows of at most `window` positions, of which `overlap` are shared.

    tokenizer: a fast tokenizer, or None where the positions are the tokens of a Doc.
    special: what opens, closes and pads a window.
    training_lengths: of the windows in training, if there was one: longer texts are read by sentences.
    Raises SettingError for an impossible window or overlap.
    """

    tokenizer: Tokenizer | None
    special: SpecialPieces
    window: int
    overlap: int
    training_lengths: WindowLengths | None = None

    def __post_init__(self) -> None:
        WindowSettings(self.window, self.overlap)  # raises

    def windows(
        self, texts: Sequence[str], tokens: Sequence[Sequence[tuple[int, int]]], sentences: Sentences = None
    ) -> list[Window]:
        """All windows of all texts, in order. A text without any piece has no window.

        tokens: character offsets of each text's tokens; read only without a tokenizer.
        sentences: returns where the sentences of a text start, by the index of the text. It is called only
        for texts that are longer than 95 % of the training windows.
        """
        made: list[Window] = []
        lengths = self.training_lengths
        for index, (ids, offsets) in enumerate(self._pieces(texts, tokens)):
            spans = fit(texts[index], offsets)
            real = [position for position, (start, end) in enumerate(spans) if end > start]
            if real:
                kept = ids[real], np.asarray(spans, dtype=np.int64)[real]
                if lengths and sentences and len(real) > lengths.percentile_95 - self._special_count:
                    made += self._pack(index, *kept, sentences(index), lengths.median)
                else:
                    made += self._stride(index, *kept)
        return made

    @property
    def _special_count(self) -> int:
        """How many special pieces a window has."""
        return len(self.special.opening) + len(self.special.closing)

    def _pieces(
        self, texts: Sequence[str], tokens: Sequence[Sequence[tuple[int, int]]]
    ) -> Iterable[tuple[Ints, Sequence[tuple[int, int]]]]:
        """Ids and character offsets of each text."""
        if self.tokenizer is None:
            for offsets in tokens:
                yield np.arange(len(offsets)), offsets
        else:
            for text in texts:  # one by one: threads of a batch would not survive a fork
                encoded = self.tokenizer.encode(text, add_special_tokens=False)
                yield np.asarray(encoded.ids, dtype=np.int64), encoded.offsets

    def _pack(self, text: int, ids: Ints, offsets: Ints, starts: Sequence[int], length: int) -> list[Window]:
        """Windows of whole sentences, about `length` positions long, that share what is short enough.

        A sentence that two windows share belongs to the first of them.
        """
        # boundaries of sentences as indices of pieces; sentences without a piece fall away
        edges = np.unique([0, *np.searchsorted(offsets[:, 0], starts), len(ids)]).tolist()
        made: list[Window] = []
        first = done = 0  # indices of sentences: the window's first one, and the first that is not owned yet
        while done < len(edges) - 1:
            last = done + 1
            if edges[last] - edges[first] > self.window - self._special_count:
                first = done  # with shared sentences the new one would not fit
            while last < len(edges) - 1 and edges[last + 1] - edges[first] <= length - self._special_count:
                last += 1
            left = int(offsets[edges[done], 0]) if done else 0
            right = int(offsets[edges[last], 0]) if last < len(edges) - 1 else LAST
            here = slice(edges[first], edges[last])
            # a single sentence that is longer than a window is cut further
            made += self._stride(text, ids[here], offsets[here], (left, right))
            first = done = last
            # the next window starts with context, at most a quarter of it, so that most of it is new
            while first and edges[last] - edges[first - 1] <= min(self.overlap, length // 4):
                first -= 1
        return made

    def _stride(
        self, text: int, ids: Ints, offsets: Ints, owned: tuple[int, int] = (0, LAST)
    ) -> list[Window]:
        """Windows of equal length that share `overlap` pieces; together they answer for `owned`."""
        room = self.window - self._special_count
        step = room - self.overlap
        # a window that started within the last `overlap` pieces would hold nothing that is new
        firsts = range(0, max(len(ids) - self.overlap, 1), step) if len(ids) > room else range(1)
        made: list[Window] = []
        for first in firsts:
            last = min(first + room, len(ids))
            # each neighbour owns the half of the overlap further from its edge: it sees more context there
            left = owned[0] if first == 0 else int(offsets[first + self.overlap // 2, 0])
            more = last < len(ids)
            right = int(offsets[first + step + self.overlap // 2, 0]) if more else owned[1]
            start, end = offsets[first:last, 0], offsets[first:last, 1]
            made.append(self._frame(text, ids[first:last], start, end, (left, right)))
            if not more:
                break
        return made

    def _frame(self, text: int, ids: Ints, start: Ints, end: Ints, owned: tuple[int, int]) -> Window:
        """A window with its special pieces, which have no characters. Shape: ids, start, end (P,)."""
        opening, closing, _ = self.special
        before, after = np.full(len(opening), -1), np.full(len(closing), -1)
        return Window(
            text,
            np.concatenate([np.asarray(opening, dtype=np.int64), ids, np.asarray(closing, dtype=np.int64)]),
            np.concatenate([before, start, after]),
            np.concatenate([before, end, after]),
            owned,
        )

    def batch(self, windows: Sequence[Window], device: torch.device) -> Inputs:
        """Pad windows to one size. Shape: B windows -> ids, mask, pointable (B, P).

        Without a tokenizer, `ids` are indices of the Docs' tokens.
        """
        size = max(len(window.ids) for window in windows)
        ids = np.full((len(windows), size), self.special.padding, dtype=np.int64)
        mask = np.zeros((len(windows), size), dtype=bool)
        pointable = np.zeros_like(mask)
        for row, window in enumerate(windows):
            length = len(window.ids)
            ids[row, :length] = window.ids
            mask[row, :length] = True
            pointable[row, :length] = window.start >= 0

        def moved(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(array).to(device)

        return Inputs(moved(ids), None, moved(mask), moved(pointable))


def fit(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Offsets without white space at either end, extended by marks and joiners that no other piece covers.

    Some tokenizers include the space before a word, and uncased ones drop accents.
    """
    fitted = []
    limits = [*(start for start, _ in offsets[1:]), len(text)]
    for (start, end), limit in zip(offsets, limits, strict=False):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        while start < end < limit and _attached(text[end]):
            end += 1
        fitted.append((start, end))
    return fitted


def _attached(char: str) -> bool:
    """Whether a character belongs to the one before it."""
    return not char.isascii() and (char in JOINERS or unicodedata.category(char).startswith("M"))


def with_gold(inputs: Inputs, gold: Targets) -> Inputs:
    """The same inputs, with gold that may steer the proposals."""
    return inputs._replace(gold=gold)


def budget(windows: Sequence[Window], pieces: int) -> list[list[int]]:
    """Indices of windows, sorted by length, in batches of at most `pieces` padded positions.

    The longest come first: later batches then fit into the memory that earlier ones have left.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(windows)), key=lambda index: -len(windows[index].ids)):
        if batches and (len(batches[-1]) + 1) * len(windows[batches[-1][0]].ids) <= pieces:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches

"""The only file that knows wordpieces: texts to windows of pieces, character offsets both ways."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer

from .bounds import within
from .nn.shapes import Inputs, Targets

Ints = np.ndarray
JOINERS = "\u200c\u200d"  # the zero-width joiners
LAST = 2**62  # beyond every character
Sentences = Callable[[int], Sequence[int]] | None


class Window(NamedTuple):
    """A stretch of one text that the network reads at once.

    `text` is the text's index; `ids`, `start`, `end` hold one number a position: the piece's id (or
    the token's index) and its characters, end exclusive. Special pieces have `start == end == -1`.
    Windows overlap; `owned` is the range of characters that this window answers for.
    """

    text: int
    ids: Ints
    start: Ints
    end: Ints
    owned: tuple[int, int]

    def locate(self, start: int, end: int) -> tuple[int, int] | None:
        """Inclusive positions of the pieces that cover characters `start` to `end`, if all are here.

        Characters that no piece covers, as a tokenizer drops control characters, are not missed.
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


class Lengths(NamedTuple):
    """How long the windows were that a network learnt from, in positions: the median, and what 19 of 20
    keep to. It cannot be trusted with much longer ones.
    """

    usual: int
    most: int

    @classmethod
    def of(cls, windows: Sequence[Window]) -> Lengths:
        """The lengths of these windows."""
        sizes = [len(window.ids) for window in windows]
        return cls(*(int(np.percentile(sizes, share, method="higher")) for share in (50, 95)))


@dataclass(frozen=True)
class Piecer:
    """Cuts texts into windows of at most `window` positions, of which `overlap` are shared.

    tokenizer: a fast tokenizer, or None where the positions are the tokens of a Doc.
    special: ids that open and close a window, and the id of padding.
    seen: what the network learnt from, if it did: longer texts are read by sentences.
    """

    tokenizer: Tokenizer | None
    special: tuple[int, int, int]
    window: int
    overlap: int
    seen: Lengths | None = None

    def __post_init__(self) -> None:
        if not within(self.window, 8):
            raise ValueError(f"window is {self.window!r}: give a number of pieces of at least 8.")
        if not within(self.overlap, 0, self.window - 5):
            raise ValueError(
                f"overlap is {self.overlap!r} with a window of {self.window}: "
                f"give a number of pieces from 0 to {self.window - 5}."
            )

    def windows(
        self, texts: Sequence[str], tokens: Sequence[Sequence[tuple[int, int]]], sentences: Sentences = None
    ) -> list[Window]:
        """All windows of all texts, in order. A text without any piece has no window.

        `tokens` gives the character offsets of each text's tokens, `sentences` tells where the sentences of
        the text of that number start; it is asked only about texts that are longer than those `seen`.
        """
        made: list[Window] = []
        for index, (ids, offsets) in enumerate(self._pieces(texts, tokens)):
            spans = fit(texts[index], offsets)
            real = [place for place, (start, end) in enumerate(spans) if end > start]
            if real:
                kept = ids[real], np.asarray(spans, dtype=np.int64)[real]
                if self.seen is None or sentences is None or len(real) <= self.seen.most - self._framing:
                    made += self._stride(index, *kept)
                else:
                    made += self._pack(index, *kept, sentences(index), self.seen.usual)
        return made

    @property
    def _framing(self) -> int:
        """How many special pieces a window has."""
        return 2 if self.tokenizer else 0

    def _pieces(
        self, texts: Sequence[str], tokens: Sequence[Sequence[tuple[int, int]]]
    ) -> Iterable[tuple[Ints, Sequence[tuple[int, int]]]]:
        if self.tokenizer is None:
            for offsets in tokens:
                yield np.arange(len(offsets)), offsets
        else:
            for text in texts:  # one by one: threads of a batch would not survive a fork
                encoded = self.tokenizer.encode(text, add_special_tokens=False)
                yield np.asarray(encoded.ids, dtype=np.int64), encoded.offsets

    def _pack(
        self, text: int, ids: Ints, offsets: Ints, starts: Sequence[int], usual: int
    ) -> list[Window]:
        """Windows of whole sentences, about as long as `usual`, that share what is short enough.

        A sentence that two windows share belongs to the first of them.
        """
        edges = np.unique([0, *np.searchsorted(offsets[:, 0], starts), len(ids)]).tolist()
        made: list[Window] = []
        first = done = 0  # sentences: the window's first, and how many earlier windows have read
        while done < len(edges) - 1:
            last = done + 1
            if edges[last] - edges[first] > self.window - self._framing:
                first = done  # nothing can be shared
            while last < len(edges) - 1 and edges[last + 1] - edges[first] <= usual - self._framing:
                last += 1
            left = int(offsets[edges[done], 0]) if done else 0
            right = int(offsets[edges[last], 0]) if last < len(edges) - 1 else LAST
            here = slice(edges[first], edges[last])
            made += self._stride(text, ids[here], offsets[here], (left, right))
            first = done = last
            while first and edges[last] - edges[first - 1] <= min(self.overlap, usual // 4):
                first -= 1
        return made

    def _stride(
        self, text: int, ids: Ints, offsets: Ints, owned: tuple[int, int] = (0, LAST)
    ) -> list[Window]:
        """Windows of equal length that share `overlap` pieces; together they answer for `owned`."""
        room = self.window - self._framing
        step = room - self.overlap
        firsts = range(0, max(len(ids) - self.overlap, 1), step) if len(ids) > room else range(1)
        made: list[Window] = []
        for first in firsts:
            last = min(first + room, len(ids))
            # half of each overlap belongs to either neighbour
            left = owned[0] if first == 0 else int(offsets[first + self.overlap // 2, 0])
            more = last < len(ids)
            right = int(offsets[first + step + self.overlap // 2, 0]) if more else owned[1]
            start, end = offsets[first:last, 0], offsets[first:last, 1]
            made.append(self._frame(text, ids[first:last], start, end, (left, right)))
            if not more:
                break
        return made

    def _frame(self, text: int, ids: Ints, start: Ints, end: Ints, owned: tuple[int, int]) -> Window:
        if self.tokenizer is None:
            return Window(text, ids, start, end, owned)
        opening, closing, _ = self.special
        return Window(
            text,
            np.concatenate([[opening], ids, [closing]]),
            np.concatenate([[-1], start, [-1]]),
            np.concatenate([[-1], end, [-1]]),
            owned,
        )

    def batch(self, windows: Sequence[Window], device: torch.device) -> Inputs:
        """Pad windows to one size. Without a tokenizer, `ids` are rows of the Docs' own vectors."""
        size = max(len(window.ids) for window in windows)
        ids = np.full((len(windows), size), self.special[2], dtype=np.int64)
        mask = np.zeros((len(windows), size), dtype=bool)
        pointable = np.zeros_like(mask)
        for row, window in enumerate(windows):
            length = len(window.ids)
            ids[row, :length] = window.ids
            mask[row, :length] = True
            pointable[row, :length] = window.start >= 0
        tensors = (torch.from_numpy(x).to(device) for x in (ids, mask, pointable))
        return Inputs(next(tensors), None, next(tensors), next(tensors))


def fit(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Offsets without white space at either end, and with marks and joiners that no other piece has.

    Some tokenizers count the space before a word as the word's, and uncased ones drop accents.
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

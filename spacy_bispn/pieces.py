"""The only file that knows wordpieces: texts to windows of pieces, character offsets both ways."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
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


@dataclass(frozen=True)
class Piecer:
    """Cuts texts into windows of at most `window` positions, of which `overlap` are shared.

    tokenizer: a fast tokenizer, or None where the positions are the tokens of a Doc.
    special: ids that open and close a window, and the id of padding.
    """

    tokenizer: Tokenizer | None
    special: tuple[int, int, int]
    window: int
    overlap: int

    def __post_init__(self) -> None:
        if not within(self.window, 8):
            raise ValueError(f"window is {self.window!r}: give a number of pieces of at least 8.")
        if not within(self.overlap, 0, self.window - 5):
            raise ValueError(
                f"overlap is {self.overlap!r} with a window of {self.window}: "
                f"give a number of pieces from 0 to {self.window - 5}."
            )

    def windows(
        self, texts: Sequence[str], tokens: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Window]:
        """All windows of all texts, in order. A text without any piece has no window.

        `tokens` gives the character offsets of each text's tokens.
        """
        made: list[Window] = []
        for index, (ids, offsets) in enumerate(self._pieces(texts, tokens)):
            spans = fit(texts[index], offsets)
            real = [place for place, (start, end) in enumerate(spans) if end > start]
            if real:
                made += self._cut(index, ids[real], np.asarray(spans, dtype=np.int64)[real])
        return made

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

    def _cut(self, text: int, ids: Ints, offsets: Ints) -> list[Window]:
        room = self.window - (2 if self.tokenizer else 0)
        step = room - self.overlap
        firsts = range(0, max(len(ids) - self.overlap, 1), step) if len(ids) > room else range(1)
        made: list[Window] = []
        for first in firsts:
            last = min(first + room, len(ids))
            # half of each overlap belongs to either neighbour
            left = 0 if first == 0 else int(offsets[first + self.overlap // 2, 0])
            more = last < len(ids)
            right = int(offsets[first + step + self.overlap // 2, 0]) if more else LAST
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
    """Indices of windows, sorted by length, in batches of at most `pieces` padded positions."""
    order = sorted(range(len(windows)), key=lambda index: len(windows[index].ids))
    batches: list[list[int]] = []
    for index in order:
        if batches and (len(batches[-1]) + 1) * len(windows[index].ids) <= pieces:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches

"""Texts to windows of wordpieces (or tokens), and character offsets both ways; no other file knows pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer

from spacy_bispn.model.wordpieces import fit
from spacy_bispn.nn.shapes import Inputs, Targets
from spacy_bispn.settings import SettingError, Settings, Values, setting

Ints = np.ndarray
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
    context: int = setting(
        Values(least=0, whole=True),
        "Wordpieces around a window that are read with it, at most so many on either side: of the same Doc, "
        "and of the Docs before and behind it in its document ([documents.md](documents.md)). Nothing is "
        "predicted in them. Not with the listener, whose vectors have a context already.",
        default=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        # two pieces of a window may be special ones, and at least three have to be new
        if self.window is not None and self.overlap > self.window - 5:
            raise SettingError(
                "overlap", self.overlap, f"0 to {self.window - 5} with a window of {self.window}",
                "lower it, or raise window",
            )  # fmt: skip

    def within(self, longest: int, special: int) -> WindowSettings:
        """As they are used with an encoder that reads `longest` positions, `special` of them special pieces.

        Raises SettingError where the encoder has no room for the context.
        """
        most = longest - 2 * self.context  # what is left for a window
        window = min(self.window, longest) if self.window else max(min(most, LONGEST_WINDOW), 8)
        if window > most:
            room = f"with a window of {window} and an encoder that reads {longest} pieces"
            advice = f"lower it, or set window to {most}" if most >= 8 else "lower it"
            raise SettingError("context", self.context, f"0 to {(longest - window) // 2} {room}", advice)
        return WindowSettings(window, min(self.overlap, (window - special) // 2), self.context)


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
    is owned by exactly one window of its text, so that nothing is predicted twice. `context` is how many
    positions are pieces around the window: they have no characters either, so that nothing is found in them.
    """

    text: int
    ids: Ints
    start: Ints
    end: Ints
    owned: tuple[int, int]
    context: int = 0

    @property
    def size(self) -> int:
        """How many positions there are without the context."""
        return len(self.ids) - self.context

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
        sizes = [window.size for window in windows]
        return cls(*(int(np.percentile(sizes, share, method="higher")) for share in (50, 95)))


Span = tuple[int, int, tuple[int, int]]  # first and last piece of a window, end exclusive, and what it owns


class Pieces(NamedTuple):
    """The pieces of a text: ids (N,) and characters (N, 2), and the ids of those before and behind it."""

    text: int
    ids: Ints
    offsets: Ints
    before: Ints
    after: Ints


@dataclass(frozen=True)
class WindowTokenizer:
    """Cuts texts into windows of at most `window` positions, of which `overlap` are shared.

    A window sees up to `context` pieces on either side beside these.

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
    context: int = 0

    def __post_init__(self) -> None:
        WindowSettings(self.window, self.overlap, self.context)  # raises

    def windows(
        self,
        texts: Sequence[str],
        tokens: Sequence[Sequence[tuple[int, int]]],
        sentences: Sentences = None,
        around: Sequence[tuple[str, str]] = (),
    ) -> list[Window]:
        """All windows of all texts, in order. A text without any piece has no window.

        tokens: character offsets of each text's tokens; read only without a tokenizer.
        sentences: returns where the sentences of a text start, by the index of the text. It is called only
        for texts that are longer than 95 % of the training windows.
        around: what stands before and behind each text; read only if there is a `context`.
        """
        made: list[Window] = []
        lengths = self.training_lengths
        for text in self._pieces(texts, tokens, around):
            if lengths and sentences and len(text.ids) > lengths.percentile_95 - self._special_count:
                spans = self._pack(text.offsets, sentences(text.text), lengths.median)
            else:
                spans = self._stride(text.offsets, 0, len(text.ids))
            made += (self._frame(text, *span) for span in spans)
        return made

    @property
    def _special_count(self) -> int:
        """How many special pieces a window has."""
        return len(self.special.opening) + len(self.special.closing)

    def _pieces(
        self,
        texts: Sequence[str],
        tokens: Sequence[Sequence[tuple[int, int]]],
        around: Sequence[tuple[str, str]],
    ) -> Iterator[Pieces]:
        """The pieces of each text that has some."""
        for index, text in enumerate(texts):
            ids, offsets = self._encode(text, tokens[index] if self.tokenizer is None else ())
            before = after = ids[:0]
            if around and self.context:
                before, after = (self._encode(side)[0] for side in around[index])
            if len(ids):
                yield Pieces(index, ids, offsets, before[-self.context :], after[: self.context])

    def _encode(self, text: str, tokens: Sequence[tuple[int, int]] = ()) -> tuple[Ints, Ints]:
        """Ids and characters of the pieces of a text that have characters. Shape: (N,), (N, 2)."""
        ids, offsets = np.arange(len(tokens)), tokens
        if self.tokenizer is not None:  # text by text: threads of a batch would not survive a fork
            encoded = self.tokenizer.encode(text, add_special_tokens=False)
            ids, offsets = np.asarray(encoded.ids, dtype=np.int64), encoded.offsets
        spans = np.asarray(fit(text, offsets), dtype=np.int64).reshape(-1, 2)
        real = spans[:, 1] > spans[:, 0]
        return ids[real], spans[real]

    def _pack(self, offsets: Ints, starts: Sequence[int], length: int) -> Iterator[Span]:
        """Windows of whole sentences, about `length` positions long, that share what is short enough.

        A sentence that two windows share belongs to the first of them.
        """
        # boundaries of sentences as indices of pieces; sentences without a piece fall away
        edges = np.unique([0, *np.searchsorted(offsets[:, 0], starts), len(offsets)]).tolist()
        first = done = 0  # indices of sentences: the window's first one, and the first that is not owned yet
        while done < len(edges) - 1:
            last = done + 1
            if edges[last] - edges[first] > self.window - self._special_count:
                first = done  # with shared sentences the new one would not fit
            while last < len(edges) - 1 and edges[last + 1] - edges[first] <= length - self._special_count:
                last += 1
            left = int(offsets[edges[done], 0]) if done else 0
            right = int(offsets[edges[last], 0]) if last < len(edges) - 1 else LAST
            # a single sentence that is longer than a window is cut further
            yield from self._stride(offsets, edges[first], edges[last], (left, right))
            first = done = last
            # the next window begins with sentences of this one, at most a quarter of it is not new
            while first and edges[last] - edges[first - 1] <= min(self.overlap, length // 4):
                first -= 1

    def _stride(
        self, offsets: Ints, low: int, high: int, owned: tuple[int, int] = (0, LAST)
    ) -> Iterator[Span]:
        """Windows of equal length over pieces, that share `overlap`; together they answer for `owned`."""
        room = self.window - self._special_count
        step = room - self.overlap
        # a window that started within the last `overlap` pieces would hold nothing that is new
        firsts = range(low, max(high - self.overlap, low + 1), step) if high - low > room else (low,)
        for first in firsts:
            last = min(first + room, high)
            # each neighbour owns the half of the overlap further from its edge: it sees more context there
            left = owned[0] if first == low else int(offsets[first + self.overlap // 2, 0])
            more = last < high
            right = int(offsets[first + step + self.overlap // 2, 0]) if more else owned[1]
            yield first, last, (left, right)
            if not more:
                break

    def _frame(self, text: Pieces, first: int, last: int, owned: tuple[int, int]) -> Window:
        """A window with its context and special pieces, which have no characters."""
        left = np.concatenate([text.before, text.ids[max(first - self.context, 0) : first]])
        left = left[max(len(left) - self.context, 0) :]
        right = np.concatenate([text.ids[last : last + self.context], text.after])[: self.context]
        before = np.concatenate([np.asarray(self.special.opening, dtype=np.int64), left])
        after = np.concatenate([right, np.asarray(self.special.closing, dtype=np.int64)])
        blank, blank_after = np.full(len(before), -1), np.full(len(after), -1)
        start, end = text.offsets[first:last].T
        return Window(
            text.text,
            np.concatenate([before, text.ids[first:last], after]),
            np.concatenate([blank, start, blank_after]),
            np.concatenate([blank, end, blank_after]),
            owned,
            len(left) + len(right),
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


def with_gold(inputs: Inputs, gold: Targets) -> Inputs:
    """The same inputs, with gold that may steer the proposals."""
    return inputs._replace(gold=gold)

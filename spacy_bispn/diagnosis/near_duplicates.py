"""Near-duplicates between two sets of texts, found without comparing every pair."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

SIZE = 5  # words of a shingle
LEAST = 0.8  # Jaccard similarity from which two texts count as nearly the same


def spelled(words: Iterable[str]) -> list[str]:
    """The words of a text in lower case, without punctuation and space, as texts are compared."""
    return [word for word in map(str.lower, words) if any(map(str.isalnum, word))]


class TextIndex:
    """Texts, as sequences of words, in which near-duplicates of others are looked for.

    Similarity is the Jaccard index of shingles, runs of 5 consecutive words; a shorter text is one shingle.
    The search is exact: two texts of that similarity share at least one of their rarest shingles (prefix
    filtering), so that only texts with a rare shingle in common are compared.
    """

    def __init__(self, texts: Iterable[Sequence[str]], least: float = LEAST) -> None:
        self._texts = [_shingles(words) for words in texts]
        self._least = least
        self._frequency = Counter(run for runs in self._texts for run in runs)
        self._holders: dict[int, list[int]] = defaultdict(list)
        for number, runs in enumerate(self._texts):
            for run in _rarest(runs, self._frequency, least):
                self._holders[run].append(number)

    def find(self, words: Sequence[str]) -> tuple[int, float] | None:
        """The index of the most similar text, of equals the first, and its similarity; None without any."""
        runs = _shingles(words)
        rarest = _rarest(runs, self._frequency, self._least)
        candidates = {number for run in rarest for number in self._holders.get(run, ())}
        best = max(((_jaccard(self._texts[number], runs), -number) for number in candidates), default=None)
        return None if best is None or best[0] < self._least else (-best[1], best[0])


def near_duplicates(
    first: Sequence[Sequence[str]], second: Sequence[Sequence[str]], least: float = LEAST
) -> list[tuple[int, int, float]]:
    """For each text of `second` with a near-duplicate: (index of that in `first`, its own, similarity)."""
    index = TextIndex(first, least)
    pairs = ((index.find(words), number) for number, words in enumerate(second))
    return [(found[0], number, found[1]) for found, number in pairs if found is not None]


def _shingles(words: Sequence[str]) -> set[int]:
    """Hashes of all shingles; none for a text without words."""
    runs = range(max(len(words) - SIZE + 1, 1)) if words else ()
    return {hash(tuple(words[start : start + SIZE])) for start in runs}


def _rarest(runs: set[int], frequency: Counter[int], least: float) -> list[int]:
    """So many of the rarest shingles that a text which is similar enough has at least one of them."""
    shared = math.ceil(least * len(runs) - 1e-9)  # 0.8 of 10 is 8, also with rounding errors
    return sorted(runs, key=lambda run: (frequency[run], run))[: len(runs) - shared + 1] if runs else []


def _jaccard(one: set[int], other: set[int]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)

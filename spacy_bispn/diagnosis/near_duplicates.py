"""Near-duplicates between two sets of texts, found without comparing every pair."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

SIZE = 5  # words of a shingle
LEAST = 0.8  # Jaccard similarity from which two texts count as nearly the same


def near_duplicates(
    first: Sequence[Sequence[str]], second: Sequence[Sequence[str]], least: float = LEAST
) -> list[tuple[int, int, float]]:
    """For each text of `second` with a near-duplicate: (index of that in `first`, its own, similarity).

    Texts are sequences of words. Similarity is the Jaccard index of their shingles, runs of 5 consecutive
    words; a shorter text is one shingle. Of several near-duplicates the most similar is returned, of equals
    the first.

    The search is exact: two texts of that similarity share at least one of their rarest shingles (prefix
    filtering), so that only texts with a rare shingle in common are compared.
    """
    texts, others = [_shingles(words) for words in first], [_shingles(words) for words in second]
    frequency = Counter(run for runs in (*texts, *others) for run in runs)
    holders: dict[int, list[int]] = defaultdict(list)
    for number, runs in enumerate(texts):
        for run in _rarest(runs, frequency, least):
            holders[run].append(number)
    found: list[tuple[int, int, float]] = []
    for index, runs in enumerate(others):
        candidates = {number for run in _rarest(runs, frequency, least) for number in holders.get(run, ())}
        best = max(((_jaccard(texts[number], runs), -number) for number in candidates), default=(0.0, 0))
        if best[0] >= least:
            found.append((-best[1], index, best[0]))
    return found


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

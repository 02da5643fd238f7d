"""What a corpus loses and costs at each level: sentences, passages of several, whole documents."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from spacy_bispn.converters.cutting import edges, sentences_apart, sentences_of
from spacy_bispn.diagnosis.spread import Spread
from spacy_bispn.records import AnnotatedText

COMPARED = ("sentence", "2", "3", "5", "document")
MOST = 300_000  # tokens or wordpieces that are compared: more take long and tell no more
LONGEST = 512  # positions of the usual encoder
TOLERATED = 0.03  # the share of relations that may be lost for texts that cost less
CHEAPER = 3.0  # so much dearer must whole texts be, or they are not cut
DOCUMENTS = 2  # sentences that a text has at least, on average, where a level can be chosen
NEAR = 3  # sentences: relations further apart are counted together


@dataclass
class LevelCosts:
    """What a corpus is at one level. Sizes are in tokens or wordpieces.

    lost: relations that no text holds, or no window. entities, relations: the most in one window.
    size: of all texts together. windows: sizes of all windows, squared, added up.
    """

    level: str
    texts: int = 0
    lost: int = 0
    entities: int = 0
    relations: int = 0
    size: int = 0
    longest: int = 0
    squares: int = 0

    @property
    def mean(self) -> float:
        """Tokens or wordpieces of a text."""
        return self.size / max(self.texts, 1)

    @property
    def step(self) -> float:
        """What a training step costs, in an arbitrary unit: most of it grows with the length of its texts,
        the scores of spans and attention with the square of it.
        """
        return (self.size + self.squares / LONGEST) / max(self.texts, 1)


class LevelComparison:
    """Compares the levels of a corpus, text by text.

    longest: of a window, in positions of the encoder. whole: the name of the texts as they are, which in a
    `.spacy` file may have been cut before. unit: what lengths are counted in.
    """

    def __init__(self, longest: int = LONGEST, whole: str = COMPARED[-1], unit: str = "tokens") -> None:
        self.longest = longest
        self.name_of_whole = whole
        self.unit = unit
        self.reaches: dict[int, list[int]] = {}  # of relations, in units, by their distances in sentences
        self.sentences = 0
        self.levels = [LevelCosts(level) for level in COMPARED]

    @property
    def is_full(self) -> bool:
        """Whether enough texts were compared."""
        return self.whole.size >= MOST

    @property
    def has_documents(self) -> bool:
        """Whether most texts have several sentences, so that there is a level to choose."""
        return self.sentences >= DOCUMENTS * self.whole.texts > 0

    def add(self, text: AnnotatedText, starts: Sequence[int], units: Sequence[int]) -> None:
        """Take note of a whole text.

        starts: where its sentences begin. units: where its tokens or wordpieces begin. Both in characters.
        """
        sentences = edges(text, starts)
        self.sentences += len(sentences) - 1
        for relation in text.extraction.relations:
            first = bisect_right(units, min(relation.head.start, relation.tail.start)) - 1
            last = bisect_left(units, max(relation.head.end, relation.tail.end))
            self.reaches.setdefault(sentences_apart(relation, sentences), []).append(last - max(first, 0))
        for found in self.levels:
            self._add(found, text, edges(text, starts, sentences_of(found.level)), units)

    def _add(self, found: LevelCosts, text: AnnotatedText, bounds: list[int], units: Sequence[int]) -> None:
        at = {one: bisect_right(units, one.start) - 1 for one in text.extraction.entities}
        entities = sorted(at.values())
        # by its earlier end; the number tells two with the same ends apart
        relations = sorted(
            (*sorted((at[one.head], at[one.tail])), number)
            for number, one in enumerate(text.extraction.relations)
        )
        held = set[int]()
        for low, high in pairwise(bisect_left(units, bound) for bound in bounds):
            if low == high:
                continue
            found.texts += 1
            found.size += high - low
            found.longest = max(found.longest, high - low)
            for first, last in self._windows(low, high):
                near = relations[bisect_left(relations, (first,)) : bisect_left(relations, (last,))]
                here = [number for _, later, number in near if later < last]
                held.update(here)
                found.squares += (last - first) ** 2
                found.relations = max(found.relations, len(here))
                inside = bisect_left(entities, last) - bisect_left(entities, first)
                found.entities = max(found.entities, inside)
        found.lost += len(relations) - len(held)

    def _windows(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Windows that overlap by a quarter, as those of the recommended settings do."""
        overlap = self.longest // 4
        for first in range(low, max(high - overlap, low + 1), self.longest - overlap):
            yield first, min(first + self.longest, high)

    @property
    def distances(self) -> Counter[int]:
        """How many relations join what lies so many sentences apart; 0 for those inside of one."""
        return Counter({gap: len(reaches) for gap, reaches in self.reaches.items()})

    @property
    def relations(self) -> int:
        """How many relations the texts have."""
        return self.distances.total()

    @property
    def crossing(self) -> int:
        """How many of them join two sentences."""
        return self.relations - self.distances[0]

    @property
    def whole(self) -> LevelCosts:
        """The texts as they are."""
        return self.levels[-1]

    def recommend(self) -> LevelCosts:
        """The shortest texts that hold nearly all relations; the texts as they are if that gains little."""
        kept = [one for one in self.levels if one.lost <= TOLERATED * self.relations] or [self.whole]
        dear = self.has_documents and self.times(self.whole, kept[0]) >= CHEAPER
        return kept[0] if dear else self.whole

    def times(self, one: LevelCosts, other: LevelCosts) -> float:
        """How many times as much a step costs at one level as at another."""
        return one.step / other.step if other.step else 1.0

    def share(self, relations: int) -> str:
        """Relations in words, with their share of all."""
        return f"{relations} of {self.relations} relations ({relations / max(self.relations, 1):.1%})"

    def distance_in_words(self) -> str:
        """How many relations cross sentences, and how far."""
        within = [sum(self.distances[gap] for gap in range(size)) for size in range(1, NEAR + 1)]
        further = self.relations - within[-1]
        shares = [f"{count} within {size}" for size, count in enumerate(within, start=1)]
        return (
            f"{self.share(self.crossing)} cross sentences: {', '.join(shares)} consecutive sentences, "
            f"{further} further apart"
        )

    def reason(self) -> str:
        """The recommended level, and why."""
        best, times = self.recommend(), self.times(self.whole, self.recommend())
        if best is self.whole:
            name = "--level document" if self.name_of_whole == COMPARED[-1] else self.name_of_whole
            return (
                f"{name}: smaller texts lose more than {TOLERATED:.0%} of the relations, or make a "
                f"step less than {CHEAPER:.0f} times as cheap"
            )
        return (
            f"--level {best.level}: {self.share(best.lost)} are lost, and a training step of as many texts "
            f"costs about 1/{times:.0f} of one with whole texts"
        )

    def as_json(self) -> dict[str, Any]:
        """What was found, as plain values."""
        levels = [asdict(one) | {"step": self.times(one, self.levels[0])} for one in self.levels]
        return {
            "distances": dict(sorted(self.distances.items())),
            "reaches": {gap: asdict(Spread.of(reaches)) for gap, reaches in sorted(self.reaches.items())},
            "unit": self.unit,
            "compared": levels,
            "recommended": self.recommend().level,
        }

    def distance_rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of a table of relations by their distances, each with the cells of `DISTANCE_HEADER`."""
        gaps = sorted(self.reaches)
        groups = {"0": [0], **{str(gap): [gap] for gap in range(1, NEAR)}}
        groups |= {f"{NEAR} or more": [gap for gap in gaps if gap >= NEAR], "all": gaps}
        for name, members in groups.items():
            reaches = [reach for gap in members for reach in self.reaches.get(gap, ())]
            if reaches:
                spread = Spread.of(reaches)
                yield (
                    name,
                    str(len(reaches)),
                    *(f"{x} {self.unit}" for x in (spread.p95, spread.p99, spread.most)),
                )

    def rows(self) -> Iterable[tuple[str, ...]]:
        """The rows of a table, each with the cells of `HEADER`."""
        for one in self.levels:
            name = self.name_of_whole if one is self.whole else one.level
            yield (
                f"{name}{' *' if one is self.recommend() else ''}",
                str(one.texts), f"{one.lost} ({one.lost / max(self.relations, 1):.1%})",
                f"{one.mean:.0f}", str(one.longest), str(one.entities), str(one.relations),
                f"{self.times(one, self.levels[0]):.1f}",
            )  # fmt: skip


DISTANCE_HEADER = ("sentences apart", "relations", "window for 95 %", "for 99 %", "for all")
HEADER = ("level", "texts", "lost relations", "mean", "longest", "entities", "relations", "cost of a step")

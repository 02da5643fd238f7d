"""An index of entities by position, to find what overlaps a span of a long text."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from operator import attrgetter

from spacy_bispn.records import Entity

START = attrgetter("start")


class SpanIndex:
    """Entities of one text, sorted by start; those with one start stay in the order they were given."""

    def __init__(self, entities: Iterable[Entity] = ()) -> None:
        self._entities = sorted(entities, key=START)
        self._longest = max((entity.end - entity.start for entity in self._entities), default=0)

    def add(self, entity: Entity) -> None:
        """Insert an entity."""
        insort(self._entities, entity, key=START)
        self._longest = max(self._longest, entity.end - entity.start)

    def overlapping(self, start: int, end: int) -> list[Entity]:
        """The entities that share a character with `text[start:end]`, sorted by start."""
        # an entity that starts further to the left is too short to reach `start`
        first = bisect_left(self._entities, start - self._longest, key=START)
        behind = bisect_left(self._entities, end, lo=first, key=START)
        return [entity for entity in self._entities[first:behind] if entity.end > start]


def without_overlaps(entities: Sequence[Entity]) -> list[Entity]:
    """The best entities, of which no two of one label overlap."""
    kept: list[Entity] = []
    index = SpanIndex()
    for entity in sorted(entities, key=lambda x: (-x.score, x)):
        if not any(x.label == entity.label for x in index.overlapping(entity.start, entity.end)):
            kept.append(entity)
            index.add(entity)
    return kept

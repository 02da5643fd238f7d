"""Entities by where they stand: what overlaps a stretch is found without a look at all of a long text."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from operator import attrgetter

from .records import Entity

START = attrgetter("start")


class Places:
    """Entities of one text, in order of their starts; those that start together in the order they came."""

    def __init__(self, entities: Iterable[Entity] = ()) -> None:
        self._entities = sorted(entities, key=START)
        self._longest = max((entity.end - entity.start for entity in self._entities), default=0)

    def add(self, entity: Entity) -> None:
        """Another entity."""
        insort(self._entities, entity, key=START)
        self._longest = max(self._longest, entity.end - entity.start)

    def overlapping(self, start: int, end: int) -> list[Entity]:
        """All that share a character with those from `start` to `end`, exclusive."""
        first = bisect_left(self._entities, start - self._longest, key=START)
        behind = bisect_left(self._entities, end, lo=first, key=START)
        return [entity for entity in self._entities[first:behind] if entity.end > start]

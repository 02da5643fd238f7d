"""Bars under entities, in levels: bars on the same level of a line do not overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from spacy_bispn.drawing.words import LABEL_SIZE, Lines, measure
from spacy_bispn.records import Entity

GAP = 4.0  # pixels between neighbours in a level or a lane
LEAST = 8.0  # pixels: the width of the shortest bar or loop that is visible


@dataclass(frozen=True)
class Bar:
    """The part of an entity in one line, from pixel `left` to `right`.

    Its label begins at `label`; None where an earlier part has it. `low` to `high` is the room it takes in
    its level; level 0 is nearest to the text.
    """

    entity: int
    line: int
    left: float
    right: float
    label: float | None
    low: float
    high: float
    level: int = 0


def make_bars(text: str, entities: Sequence[Entity], lines: Lines) -> list[Bar]:
    """The parts of every entity, in their levels: shorter ones nearer to the text."""
    bars: list[Bar] = []
    for number, entity in enumerate(entities):
        inside = range(entity.start, min(max(entity.end, entity.start + 1), len(text)))
        inked = [lines.spots[i] for i in inside if not text[i].isspace()]
        size = measure(entity.label, LABEL_SIZE)
        for part, (line, group) in enumerate(
            groupby(inked or [lines.spots[i] for i in inside], key=lambda spot: spot.line)
        ):
            spots = list(group)
            left, right = min(spot.left for spot in spots), max(spot.right for spot in spots)
            left = min(left, max((left + right - LEAST) / 2, 0.0))
            right = max(right, left + LEAST)
            label = None if part else min(max(right - size if lines.rtl else left, 0.0), lines.width - size)
            low, high = (left, right) if label is None else (min(left, label), max(right, label + size))
            bars.append(Bar(number, line, left, right, label, low - GAP / 2, high + GAP / 2))
    levels = lanes_by_line(
        [bar.line for bar in bars],
        [(bar.low, bar.high) for bar in bars],
        [bar.right - bar.left for bar in bars],
    )
    return [replace(bar, level=level) for bar, level in zip(bars, levels, strict=True)]


def lanes_by_line(
    lines: Sequence[int], rooms: Sequence[tuple[float, float]], lengths: Sequence[float]
) -> list[int]:
    """`lanes`, for each line by itself."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        members[line].append(number)
    chosen = [0] * len(lines)
    for numbers in members.values():
        found = lanes([rooms[i] for i in numbers], [lengths[i] for i in numbers])
        for number, lane in zip(numbers, found, strict=True):
            chosen[number] = lane
    return chosen


def lanes(rooms: Sequence[tuple[float, float]], lengths: Sequence[float]) -> list[int]:
    """A lane for each stretch of room, such that none overlap in a lane: shortest first, lowest first."""
    taken: list[list[tuple[float, float]]] = []
    chosen = [0] * len(rooms)
    for number in sorted(range(len(rooms)), key=lambda i: (lengths[i], i)):
        low, high = rooms[number]
        free = (
            lane
            for lane, others in enumerate(taken)
            if all(high <= start or end <= low for start, end in others)
        )
        chosen[number] = next(free, len(taken))
        if chosen[number] == len(taken):
            taken.append([])
        taken[chosen[number]].append(rooms[number])
    return chosen

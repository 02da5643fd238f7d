"""Arcs from heads to tails, in lanes above their lines and in channels of the margins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from spacy_bispn.drawing.bars import GAP, LEAST, Bar, lanes, lanes_by_line
from spacy_bispn.drawing.words import LABEL_SIZE, measure
from spacy_bispn.records import Entity, Relation


@dataclass(frozen=True)
class Stretch:
    """A horizontal part of an arc, from above one of its ends (`at`) `to` its other end or the text's edge.

    `label` is the middle of the relation's label; None where the arc's other stretch has it. `low` to `high`
    is the room it takes in its lane; lane 0 is nearest to the text.
    """

    line: int
    at: float
    to: float
    label: float | None
    low: float
    high: float
    lane: int = 0


@dataclass(frozen=True)
class Arc:
    """The arc of one relation, given by its index: one stretch from head to tail in their line, or two
    stretches, the head's first, that meet in a channel of the margin on `side` ("left" or "right").
    """

    relation: int
    stretches: tuple[Stretch, ...]
    side: str = ""
    channel: int = 0


@dataclass(frozen=True)
class _Join:
    """The parts of its ends that an arc joins, and the room for feet above each."""

    relation: int
    bars: tuple[Bar, Bar]
    rooms: tuple[tuple[float, float], tuple[float, float]]
    side: str

    @property
    def is_loop(self) -> bool:
        return not self.side and self.rooms[0] == self.rooms[1]


def make_arcs(
    relations: Sequence[Relation[Entity]], entities: Sequence[Entity], bars: Sequence[Bar], width: float
) -> list[Arc]:
    """An arc for each relation whose ends are drawn."""
    parts: defaultdict[Entity, list[Bar]] = defaultdict(list)
    for bar in bars:
        parts[entities[bar.entity]].append(bar)
    joins = [
        _join(number, parts[relation.head], parts[relation.tail], bars, width)
        for number, relation in enumerate(relations)
        if parts[relation.head] and parts[relation.tail]
    ]
    feet = _feet(joins, width)
    arcs = []
    for join in joins:
        size = measure(relations[join.relation].label, LABEL_SIZE) + GAP
        head, tail = (feet[join.relation, role] for role in (0, 1))
        arcs.append(Arc(join.relation, _stretches(join, head, tail, size, width), join.side))
    return _in_channels(_in_lanes(arcs))


def _join(
    number: int, heads: Sequence[Bar], tails: Sequence[Bar], bars: Sequence[Bar], width: float
) -> _Join:
    """The closest parts of head and tail."""
    head, tail = min(
        product(heads, tails), key=lambda ends: (abs(ends[0].line - ends[1].line), _distance(*ends))
    )
    side = ""
    if head.line != tail.line:
        side = "left" if head.left + tail.left < 2 * width - head.right - tail.right else "right"
    return _Join(number, (head, tail), (_free(head, bars), _free(tail, bars)), side)


def _distance(one: Bar, other: Bar) -> float:
    return max(one.left - other.right, other.left - one.right, 0.0)


def _free(bar: Bar, bars: Sequence[Bar]) -> tuple[float, float]:
    """The widest part of a bar that no shorter bar covers, if any: it keeps nested entities apart."""
    inner = [
        (other.left, other.right)
        for other in bars
        if other.line == bar.line and other.right - other.left < bar.right - bar.left
    ]
    best, at = (bar.left, bar.left), bar.left
    for left, right in [*sorted(inner), (bar.right, bar.right)]:
        if min(left, bar.right) - at > best[1] - best[0]:
            best = (at, min(left, bar.right))
        at = max(at, right)
    return best if best[1] - best[0] >= LEAST else (bar.left, bar.right)


def _feet(joins: Sequence[_Join], width: float) -> dict[tuple[int, int], float]:
    """The pixel at which each end of an arc is, by (relation, 0 for the head or 1 for the tail).

    Feet above the same room are spread over it. In their order arcs to the left come first, then loops,
    then arcs to the right; among those of one direction the order keeps them from crossing each other.
    """
    groups: defaultdict[tuple[int, tuple[float, float]], list[tuple[int, float, int, int]]] = defaultdict(
        list
    )
    for join in joins:
        for role in (0, 1):
            here, there = sum(join.rooms[role]) / 2, sum(join.rooms[1 - role]) / 2
            if join.side:
                there = -1.0 if join.side == "left" else width + 1.0
            if join.is_loop:
                key = (1, float(join.relation), role)
            else:
                key = (0, -there, join.relation) if there < here else (2, -there, -join.relation)
            groups[join.bars[role].line, join.rooms[role]].append((*key, 2 * join.relation + role))
    feet: dict[tuple[int, int], float] = {}
    for (_, (left, right)), keys in groups.items():
        for number, (*_, end) in enumerate(sorted(keys), start=1):
            feet[divmod(end, 2)] = left + (right - left) * number / (len(keys) + 1)
    return feet


def _stretches(join: _Join, head: float, tail: float, size: float, width: float) -> tuple[Stretch, ...]:
    lines = [bar.line for bar in join.bars]
    if not join.side:
        if abs(head - tail) < LEAST / 2:  # a loop over a short word, or nested ends
            head, tail = (min(max(x, 0.0), width) for x in (head - LEAST / 2, tail + LEAST / 2))
        return (_stretch(lines[0], head, tail, size, width),)
    edge = 0.0 if join.side == "left" else width
    labelled = 0 if abs(head - edge) >= abs(tail - edge) else 1
    return tuple(
        _stretch(lines[role], at, edge, size if role == labelled else None, width)
        for role, at in enumerate((head, tail))
    )


def _stretch(line: int, at: float, to: float, size: float | None, width: float) -> Stretch:
    low, high = min(at, to), max(at, to)
    label = None
    if size is not None:
        label = min(max((at + to) / 2, size / 2), width - size / 2)
        low, high = min(low, label - size / 2), max(high, label + size / 2)
    return Stretch(line, at, to, label, low - GAP / 2, high + GAP / 2)


def _in_lanes(arcs: Sequence[Arc]) -> list[Arc]:
    stretches = [stretch for arc in arcs for stretch in arc.stretches]
    chosen = iter(
        lanes_by_line(
            [x.line for x in stretches],
            [(x.low, x.high) for x in stretches],
            [abs(x.to - x.at) for x in stretches],
        )
    )
    return [
        replace(arc, stretches=tuple(replace(x, lane=next(chosen)) for x in arc.stretches)) for arc in arcs
    ]


def _in_channels(arcs: Sequence[Arc]) -> list[Arc]:
    """Arcs of one margin share a channel only if no line sees both."""
    settled = {arc.relation: arc for arc in arcs}
    for side in ("left", "right"):
        members = [arc for arc in arcs if arc.side == side]
        rooms = [(min(lines) - 0.25, max(lines) + 0.25) for arc in members if (lines := _lines(arc))]
        for arc, channel in zip(members, lanes(rooms, [high - low for low, high in rooms]), strict=True):
            settled[arc.relation] = replace(arc, channel=channel)
    return list(settled.values())


def _lines(arc: Arc) -> list[int]:
    return [stretch.line for stretch in arc.stretches]

"""The layout of a drawing, in plain numbers; what it looks like is decided in `svg`."""

from __future__ import annotations

from dataclasses import dataclass

from spacy_bispn.drawing.arcs import Arc, make_arcs
from spacy_bispn.drawing.bars import GAP, LEAST, Bar, make_bars
from spacy_bispn.drawing.words import LABEL_SIZE, Lines, break_lines, measure
from spacy_bispn.records import Entity, Extraction


@dataclass(frozen=True)
class Layout:
    """Everything that is drawn. `entities` are those of the extraction, each once; bars point into them."""

    entities: tuple[Entity, ...]
    lines: Lines
    bars: tuple[Bar, ...]
    arcs: tuple[Arc, ...]

    def levels(self, line: int) -> int:
        """How many levels of bars a line has."""
        return max((bar.level + 1 for bar in self.bars if bar.line == line), default=0)

    def lanes(self, line: int) -> int:
        """How many lanes of arcs a line has."""
        stretches = (stretch for arc in self.arcs for stretch in arc.stretches)
        return max((stretch.lane + 1 for stretch in stretches if stretch.line == line), default=0)

    def channels(self, side: str) -> int:
        """How many channels the margin "left" or "right" has."""
        return max((arc.channel + 1 for arc in self.arcs if arc.side == side), default=0)


def lay_out(text: str, extraction: Extraction, width: float) -> Layout:
    """The layout of a text, in lines of at most `width` pixels; wider where a label needs it."""
    entities = extraction.closed().entities
    labels = [x.label for x in entities] + [x.label for x in extraction.relations]
    lines = break_lines(text, width, max([LEAST, *(measure(label, LABEL_SIZE) + GAP for label in labels)]))
    bars = make_bars(text, entities, lines)
    arcs = make_arcs(extraction.relations, entities, bars, lines.width)
    return Layout(entities, lines, tuple(bars), tuple(arcs))

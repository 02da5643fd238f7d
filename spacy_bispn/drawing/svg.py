"""A layout as SVG: no scripts, no fonts of its own, nothing that a text or a label could break."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from colorsys import hls_to_rgb
from html import escape
from itertools import accumulate, pairwise
from zlib import crc32

from spacy_bispn.drawing.arcs import Arc, Stretch
from spacy_bispn.drawing.layout import Layout, lay_out
from spacy_bispn.drawing.words import LABEL_SIZE, TEXT_SIZE, measure
from spacy_bispn.records import Entity, Extraction, Relation

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
EDGE = 6.0  # around everything
ASCENT = 14.0  # of the text, above its baseline; arcs end there
LANE, LEVEL, CHANNEL = 18.0, 18.0, 8.0
BELOW = 5.0  # from the baseline to the first bar
ROUND = 5.0
ARROW = 4.0

DASHES = 'stroke-dasharray="4 2"'
SHADES = {"wrong": "#b00020", "missed": "#a05a00"}  # of marks, which are dashed too

UNPRINTABLE = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Point = tuple[float, float]
Marks = Mapping[Entity | Relation[Entity], str]


def to_svg(text: str, extraction: Extraction, width: float, marks: Marks | None = None) -> str:
    """The drawing of a text: an `svg` element, for HTML or for a file of its own.

    marks: "wrong" or "missed" for items to be dashed, in the colour of the mark, which is also their class.
    """
    marks = marks or {}
    layout = lay_out(text, extraction, width)
    rows = range(layout.lines.count)
    above = [ASCENT + (layout.lanes(row) + 0.5) * LANE if layout.lanes(row) else ASCENT for row in rows]
    below = [BELOW + layout.levels(row) * LEVEL + EDGE for row in rows]
    tops = [EDGE, *accumulate((up + down for up, down in zip(above, below, strict=True)), initial=EDGE)][1:]
    bases = [top + up for top, up in zip(tops, above, strict=False)]
    left = EDGE + CHANNEL * (layout.channels("left") + 1 if layout.channels("left") else 0)
    right = EDGE + CHANNEL * (layout.channels("right") + 1 if layout.channels("right") else 0)
    wide, high = left + layout.lines.width + right, tops[-1] + EDGE
    parts = [
        *_words(text, layout, bases),
        *_bars(text, layout, bases, marks),
        *_arcs(text, extraction, layout, bases, marks),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bispn" '
        f'viewBox="{_n(-left)} 0 {_n(wide)} {_n(high)}" width="{_n(wide)}" height="{_n(high)}" '
        f'font-family="{FONT}" font-size="{TEXT_SIZE}" direction="ltr" fill="#222">'
        f'<rect x="{_n(-left)}" width="{_n(wide)}" height="{_n(high)}" fill="#fff"/>'
        f"{''.join(parts)}</svg>"
    )


def color(label: str) -> str:
    """The colour of a label, always the same, dark enough to be read on white."""
    hue = crc32(label.encode("utf-8", "replace")) % 360 / 360
    return "#" + "".join(f"{round(255 * part):02x}" for part in hls_to_rgb(hue, 0.27, 0.7))


def clean(text: str) -> str:
    """The text escaped for XML; characters that XML does not permit are replaced, one by one."""
    return escape(printable(text))


def printable(text: str) -> str:
    """The text with a blank for each tab and line break, and a replacement for what XML does not permit."""
    return UNPRINTABLE.sub(lambda match: " " if match[0] in "\t\r\n" else "\ufffd", text)


def _words(text: str, layout: Layout, bases: Sequence[float]) -> Iterator[str]:
    for word in layout.lines.words:
        # Right-to-left text is positioned by its right end, where it begins.
        at = word.left + word.width if word.rtl else word.left
        direction = ' direction="rtl"' if word.rtl else ""
        # A word has its measured width in any font.
        fit = f' textLength="{_n(word.width)}" lengthAdjust="spacingAndGlyphs"' if word.width else ""
        words = clean(text[word.start : word.end])
        yield f'<text x="{_n(at)}" y="{_n(bases[word.line])}"{direction}{fit}>{words}</text>'


def _bars(text: str, layout: Layout, bases: Sequence[float], marks: Marks) -> Iterator[str]:
    for bar in layout.bars:
        entity = layout.entities[bar.entity]
        y = bases[bar.line] + BELOW + bar.level * LEVEL
        label = "" if bar.label is None else _label(entity.label, bar.label, y + 4 + LABEL_SIZE, "start")
        mark = marks.get(entity, "")
        shade = SHADES.get(mark, color(entity.label))
        dashed = f' fill="#fff" stroke="{shade}" {DASHES}' if mark else ""
        yield (
            f'<g {_attributes("entity", entity, mark)} fill="{shade}">'
            f"<title>{_described(text, entity)}</title>"
            f'<rect x="{_n(bar.left)}" y="{_n(y)}" width="{_n(bar.right - bar.left)}" height="3" rx="1"'
            f"{dashed}/>{label}</g>"
        )


def _arcs(
    text: str, extraction: Extraction, layout: Layout, bases: Sequence[float], marks: Marks
) -> Iterator[str]:
    # Labels come last, on white: they interrupt the lines that pass below them.
    labels: list[str] = []
    for arc in layout.arcs:
        relation = extraction.relations[arc.relation]
        size = measure(relation.label, LABEL_SIZE)
        points = _way(arc, layout, bases, size)
        x, y = points[-1]
        tip = f"M{_n(x)} {_n(y)}l{_n(-ARROW)} {_n(-2 * ARROW)}h{_n(2 * ARROW)}z"
        mark = marks.get(relation, "")
        shade, about = SHADES.get(mark, color(relation.label)), _attributes("relation", relation, mark)
        dashed = f" {DASHES}" if mark else ""
        yield (
            f'<g {about}><path d="{_rounded(points)}" fill="none" stroke="{shade}" '
            f'stroke-width="1.3"{dashed}/><path d="{tip}" fill="{shade}"/></g>'
        )
        title = f"{_described(text, relation.head)} → {_described(text, relation.tail)}"
        for stretch in arc.stretches:
            if stretch.label is not None:
                middle = _middle(stretch, bases)
                labels.append(
                    f'<g {about} fill="{shade}"><title>{clean(relation.label)}'
                    f'{_score(relation.score)}: {title}</title><rect x="{_n(stretch.label - size / 2)}" '
                    f'y="{_n(middle - LABEL_SIZE / 2)}" width="{_n(size)}" height="{LABEL_SIZE}" '
                    f'fill="#fff"/>'
                    f"{_label(relation.label, stretch.label, middle + LABEL_SIZE / 3, 'middle')}</g>"
                )
    yield from labels


def _way(arc: Arc, layout: Layout, bases: Sequence[float], size: float) -> list[Point]:
    """The corners of an arc from its head to its tail; size: how wide its label is."""
    first, last = arc.stretches[0], arc.stretches[-1]
    up, down = _height(first, bases, size), _height(last, bases, size)
    end = first.to if not arc.side else last.at
    points = [(first.at, bases[first.line] - ASCENT), (first.at, up)]
    if arc.side:
        outside = CHANNEL * (arc.channel + 1)
        margin = -outside if arc.side == "left" else layout.lines.width + outside
        points += [(margin, up), (margin, down)]
    return [*points, (end, down), (end, bases[last.line] - ASCENT)]


def _height(stretch: Stretch, bases: Sequence[float], size: float) -> float:
    """Where an arc crosses its line: through its label, or below one that would hide it."""
    hidden = stretch.label is not None and abs(stretch.to - stretch.at) < size + 2 * ROUND
    return _middle(stretch, bases) + (LABEL_SIZE / 2 + 1 if hidden else 0)


def _middle(stretch: Stretch, bases: Sequence[float]) -> float:
    """The middle of a lane, where the labels are."""
    return bases[stretch.line] - ASCENT - (stretch.lane + 0.9) * LANE


def _rounded(points: Sequence[Point]) -> str:
    """A path along the points with round corners."""
    path = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        for command, target in (("L", before), ("Q", after)):
            length = abs(target[0] - corner[0]) + abs(target[1] - corner[1])
            share = min(ROUND, length / 2) / length if length else 0.0
            x, y = (here + share * (there - here) for here, there in zip(corner, target, strict=True))
            control = f"{_n(corner[0])} {_n(corner[1])} " if command == "Q" else ""
            path += f"{command}{control}{_n(x)} {_n(y)}"
    return f"{path}L{_n(points[-1][0])} {_n(points[-1][1])}"


def _label(label: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text class="label" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" font-size="{LABEL_SIZE}">'
        f"{clean(label)}</text>"
    )


def _described(text: str, entity: Entity) -> str:
    return f"{clean(text[entity.start : entity.end])} ({clean(entity.label)}{_score(entity.score)})"


def _attributes(kind: str, item: Entity | Relation[Entity], mark: str) -> str:
    """Class, label and score of an item, for the filters of a page."""
    classes = f"{kind} {mark}" if mark else kind
    return f'class="{classes}" data-label="{clean(item.label)}" data-score="{item.score:.4g}"'


def _score(score: float) -> str:
    return "" if score == 1.0 else f" {score:.2f}"


def _n(number: float) -> str:
    """A number as short as it can be, to a tenth of a pixel."""
    return f"{round(number, 1) + 0.0:g}" if abs(number) < 1e5 else f"{number:.0f}"

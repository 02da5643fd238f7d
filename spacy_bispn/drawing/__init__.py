"""Drawings of a Doc as SVG: entities as bars under the text, relations as arcs above it."""

from __future__ import annotations

from dataclasses import dataclass

from spacy.tokens import Doc

from spacy_bispn.annotations import read
from spacy_bispn.drawing.svg import to_svg
from spacy_bispn.settings import SettingError, Shown, Values

WIDTH = 800
WIDTHS = Values(least=100)  # pixels; a narrower line holds no words


@dataclass(frozen=True)
class Drawing:
    """An SVG image: `str()` gives its source, a notebook shows it."""

    svg: str

    def __str__(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg}</div>'


def render(doc: Doc, *, width: float = WIDTH) -> Drawing:
    """Draw a Doc's entities as bars and its relations as arcs, gold or predicted.

    doc: a Doc with `doc.spans["bispn"]` and `doc._.relations`; without them only its `doc.ents` are drawn.
    width: the longest line, in pixels.

    Raises ValueError if `doc` is not a Doc, or if the width is below 100.
    """
    if not isinstance(doc, Doc):
        advice = "pass nlp(text), one Doc at a time"
        raise SettingError("what is to be rendered", Shown(f"{doc!r:.60}"), "a Doc", advice)
    if not WIDTHS.permit(width):
        raise SettingError("width", width, f"pixels as {WIDTHS.expected}", f"{WIDTH} suits most pages")
    return Drawing(to_svg(doc.text, read(doc), width))

"""Drawings of what stands on a Doc: entities as bars under the text, relations as arcs above it."""

from __future__ import annotations

from dataclasses import dataclass

from spacy.tokens import Doc

from ..annotations import read
from .svg import to_svg

WIDTH = 800
NARROWEST = 100


@dataclass(frozen=True)
class Drawing:
    """An SVG image: `str()` gives its source, a notebook shows it."""

    svg: str

    def __str__(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg}</div>'


def draw(doc: Doc, width: float = WIDTH) -> Drawing:
    """What `spacy_bispn.render` returns. Raises ValueError for no Doc and for lines that hold no words."""
    if not isinstance(doc, Doc):
        raise ValueError(f"render was given {doc!r:.60}, expected a Doc: pass nlp(text), one Doc at a time.")
    if width < NARROWEST:
        raise ValueError(
            f"the width is {width}, expected at least {NARROWEST} pixels: {WIDTH} fits most pages."
        )
    return Drawing(to_svg(doc.text, read(doc), width))

"""Where the passages of a BioC document lie: as their offsets say, or as its annotations show.

In some files the offsets of passages count what annotations do not (escapes of XML, line ends), or
annotations count from the beginning of their passage. The text is the same in any case. How a file counts is
told by the words that its annotations say they mark, and by the passages that they stand in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from spacy_bispn.converters.file_reading import ConversionError, short_repr
from spacy_bispn.converters.markup import Element
from spacy_bispn.converters.parsed_item import Counts
from spacy_bispn.converters.spelling import is_respelt
from spacy_bispn.converters.standoff import marked_text, read_number

GAPS = {
    1: "one character after each other",
    0: "right behind each other",
    2: "two characters after each other",
}
Standing = tuple[Element, Element]  # an annotation, and the element that it stands in
Fragments = list[tuple[int, int]]


class Part(NamedTuple):
    """The text of a passage or sentence, `holder`; owners: this and, of a sentence, its passage."""

    offset: int
    content: str
    holder: Element
    owners: tuple[Element, ...]


class Piece(NamedTuple):
    """A stretch of text: from `offset` to `end` as the file counts, moved by `shift` in our text."""

    offset: int
    end: int
    shift: int


@dataclass(frozen=True)
class Layout:
    """A text of pieces.

    about: how they lie, if not as their offsets say. reach: where a passage or sentence, by its `id()`,
    begins and ends in our text. nested: whether annotations count from the beginning of what they stand in.
    """

    about: str
    text: str
    pieces: list[Piece]
    reach: dict[int, tuple[int, int]]
    nested: bool = False

    def fragments(self, annotation: Element, holder: Element) -> Fragments:
        """The places of an annotation in our text. Raises ConversionError for one outside of it."""
        found = []
        for location in annotation.all("location"):
            start = read_number(location.position, location.attribute("offset"))
            end = start + read_number(location.position, location.attribute("length"))
            if self.nested:
                first, last = self.reach.get(id(holder), (0, len(self.text)))
                starts, ends, limit = [first], [first] if end <= last - first else [], last - first
            else:
                starts = [piece.shift for piece in self.pieces if piece.offset <= start < piece.end]
                ends = [piece.shift for piece in self.pieces if piece.offset < end <= piece.end]
                limit = self.pieces[-1].end if self.pieces else 0
            if not starts or not ends or start >= end:
                expected = f"a stretch of the text, which ends at {limit}"
                advice = "Count offsets in characters, not bytes, from the beginning of the document."
                raise location.position.error(f"the span {start} to {end}", expected, advice)
            found.append((start + starts[0], end + ends[0]))
        return found

    def holds(self, fragments: Fragments, holder: Element) -> bool:
        """Whether an annotation lies in the element that it stands in."""
        first, last = self.reach.get(id(holder), (0, len(self.text)))
        return all(first <= start and end <= last for start, end in fragments)

    def count_right(self, annotations: Sequence[Standing]) -> int:
        """How many annotations lie where they stand, and mark what they say."""
        right = 0
        for annotation, holder in annotations:
            with suppress(ConversionError):
                fragments = self.fragments(annotation, holder)
                marked = " ".join(marked_text(self.text, fragments).split())
                claims = [" ".join(claim.text.split()) for claim in annotation.all("text")]
                fits = all(not one or one == marked or is_respelt(marked, one) for one in claims)
                right += fits and self.holds(fragments, holder)
        return right


def find_layout(
    document: Element, annotations: Sequence[Standing], measured: Callable[[str], str] = str
) -> Layout:
    """The layout that makes the most annotations right: the offsets', if no other makes more of them right.

    measured: gives a text as the offsets count it, see `ParsedItem`.

    Raises ConversionError if the offsets of passages overlap, and no layout makes most annotations right.
    """
    parts = [part._replace(content=measured(part.content)) for part in _parts(document)]
    located = [one for one in annotations if one[0].all("location")]
    layouts: list[Callable[[], Layout]] = [
        partial(_as_declared, parts),
        *(partial(_in_order, parts, gap) for gap in GAPS),
        partial(_nested, parts),
    ]
    best, most, wrong = None, -1, None
    for make in layouts:
        try:
            layout = make()
        except ConversionError as error:
            wrong = error
            continue
        right = layout.count_right(located)
        if right > most:
            best, most = layout, right
        if most == len(located):
            break
    assert best is not None  # only offsets can overlap
    if wrong is not None and 2 * most < len(located):
        raise wrong
    return best


def check_sentences(counts: Counts, text_id: str, document: Element) -> None:
    """Compare the sentences of passages that have a text of their own with it; others are problems."""
    for part in _parts(document):
        for sentence in part.holder.all("sentence"):
            said = "".join(element.text for element in sentence.all("text"))
            at = read_number(sentence.position, sentence.one("offset").text) - part.offset
            there = part.content[at : at + len(said)] if at >= 0 else ""
            if said.split() != there.split():
                what = f"the sentence {short_repr(said)} is not in its passage, where {short_repr(there)} is"
                counts.problem(text_id, f"{sentence.position.item}: {what}")


def _parts(document: Element) -> Iterator[Part]:
    """The texts of passages, or of the sentences of those without one."""
    for passage in document.all("passage"):
        whole = any(element.text for element in passage.all("text"))
        for holder in [passage] if whole else passage.all("sentence"):
            where = holder.one("offset")
            content = "".join(element.text for element in holder.all("text"))
            if content:
                owners = (passage,) if whole else (passage, holder)
                yield Part(read_number(where.position, where.text), content, holder, owners)


def _as_declared(parts: list[Part]) -> Layout:
    """Parts by their offsets, with a space wherever these leave a gap."""
    ordered = sorted(parts, key=lambda part: part.offset)
    for before, part in pairwise(ordered):
        end = before.offset + len(before.content)
        if part.offset < end:
            expected = f"{end} or more, where the text before it ends"
            advice = "Count offsets in characters from the beginning of the document."
            where = part.holder.one("offset")
            raise where.position.error(f"the offset {part.offset}", expected, advice)
    return _lay_out("", ordered, [part.offset for part in ordered])


def _in_order(parts: list[Part], gap: int) -> Layout:
    """Parts as they follow each other, with so many characters between them."""
    offsets, at = [], parts[0].offset if parts else 0
    for part in parts:
        offsets.append(at)
        at += len(part.content) + gap
    return _lay_out(f"documents whose passages lie {GAPS[gap]}, not where their offsets say", parts, offsets)


def _nested(parts: list[Part]) -> Layout:
    """Parts one character after each other, annotations counted in each."""
    about = "documents whose annotations count from the beginning of their passage or sentence"
    made = _in_order(parts, 1)
    return Layout(about, made.text, made.pieces, made.reach, nested=True)


def _lay_out(about: str, parts: list[Part], offsets: list[int]) -> Layout:
    text, pieces, reach = "", list[Piece](), dict[int, tuple[int, int]]()
    for part, offset in zip(parts, offsets, strict=True):
        text += " " if pieces and offset > pieces[-1].end else ""
        pieces.append(Piece(offset, offset + len(part.content), len(text) - offset))
        start, text = len(text), text + part.content
        for owner in part.owners:
            first, last = reach.get(id(owner), (start, len(text)))
            reach[id(owner)] = min(first, start), max(last, len(text))
    return Layout(about, text, pieces, reach)


def is_undivided(document: Element) -> bool:
    """Whether a passage has a text of its own, and not that of its sentences."""
    return any(element.text for passage in document.all("passage") for element in passage.all("text"))

"""Span groups whose members keep their characters when tokens are merged or split.

spaCy's own groups know their members by token numbers, which no retokenizer adapts: behind one they give
other words, or raise IndexError wherever the Doc is copied or saved.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import srsly
from spacy.tokens import Doc, Span, SpanGroup

from spacy_bispn.records import Mention

LAYOUT = ">QQQllll"  # of a member in `SpanGroup.to_bytes`: id, kb_id, label, tokens, characters


class CharSpan(Span):  # type: ignore[misc]
    """A Span with the text of its characters, even where these are only part of a token.

    `dataclasses.asdict`, `copy` and `pickle`, which refuse a Span, see a `Mention`.
    """

    __dataclass_fields__ = Mention.__dataclass_fields__

    @property
    def text(self) -> str:
        """The words from `start_char` to `end_char`."""
        first = self.start_char - self.doc[self.start].idx
        words: str = super().text
        return words[first : first + self.end_char - self.start_char]

    def __reduce__(self) -> tuple[Any, ...]:
        return Mention, (self.text, self.label_, self.start_char, self.end_char)


class Member(NamedTuple):
    """A member of a group: its characters, and hashes of its label, of its id and in a knowledge base."""

    start: int
    end: int
    label: int
    kb_id: int = 0
    id: int = 0

    def on(self, doc: Doc) -> CharSpan | None:
        """The whole tokens that these characters touch, with their own offsets; None if there are none."""
        found = (
            doc.char_span(self.start, self.end, alignment_mode="expand") if self.start < self.end else None
        )
        if found is None:
            return None
        span = CharSpan(doc, found.start, found.end, label=self.label, kb_id=self.kb_id, span_id=self.id)
        span.start_char, span.end_char = self.start, self.end
        return span


def members(group: SpanGroup) -> list[Member]:
    """The members of any group, whatever became of the tokens."""
    try:
        spans = [SpanGroup.__getitem__(group, index) for index in range(len(group))]
        return [Member(x.start_char, x.end_char, x.label, x.kb_id, x.id) for x in spans]
    except IndexError:  # there are fewer tokens now; the bytes still have the characters
        packed = [struct.unpack(LAYOUT, x) for x in srsly.msgpack_loads(SpanGroup.to_bytes(group))["spans"]]
        return [Member(start, end, label, kb_id, id_) for id_, kb_id, label, _, _, start, end in packed]


class CharSpanGroup(SpanGroup):  # type: ignore[misc]
    """A group that finds its members by their characters."""

    def __getitem__(self, index: int) -> Span:
        try:
            span = super().__getitem__(index)
        except IndexError:
            if not -len(self) <= index < len(self):
                raise
        else:
            if _fits(span):
                return span
        return members(self)[index].on(self.doc)

    def __iter__(self) -> Iterator[Span]:
        self.realign()
        return (self[index] for index in range(len(self)))

    def to_bytes(self) -> bytes:
        """The group with the numbers that the tokens have now."""
        self.realign()
        packed: bytes = super().to_bytes()
        return packed

    def copy(self, doc: Doc | None = None) -> CharSpanGroup:
        """A copy, for another Doc of the same text if one is given."""
        doc = self.doc if doc is None else doc
        copied = CharSpanGroup(doc, name=self.name, attrs=deepcopy(self.attrs))
        if doc.vocab is not self.doc.vocab:
            for span in self:
                for string in (span.label_, span.kb_id_, span.id_):
                    doc.vocab.strings.add(string)
        copied.extend([span for member in members(self) if (span := member.on(doc)) is not None])
        return copied

    def realign(self) -> None:
        """Give the members the numbers that their tokens have now."""
        try:
            if all(_fits(SpanGroup.__getitem__(self, index)) for index in range(len(self))):
                return
        except IndexError:
            pass
        for index, member in enumerate(members(self)):
            if (span := member.on(self.doc)) is not None:
                self[index] = span


def _fits(span: Span) -> bool:
    """Whether the tokens of a span begin and end where its characters do."""
    if span.start >= span.end:
        return bool(span.start_char == span.end_char)
    last = span.doc[span.end - 1]
    return bool(span.doc[span.start].idx == span.start_char and last.idx + len(last) == span.end_char)

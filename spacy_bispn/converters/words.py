"""Spans that count words, in characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from spacy_bispn.converters.file_reading import FilePosition
from spacy_bispn.records import Entity


class Words:
    """The words of a text that is their join by single spaces; spans count words, ends exclusive."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.text = " ".join(words)
        # Each word is followed by one space, so a word starts behind the words and spaces before it.
        self._starts = [0, *accumulate(len(word) + 1 for word in words)]

    def start(self, word: int) -> int:
        """The character at which a word starts; of the number behind the last, one behind the text."""
        return self._starts[word]

    def entity(self, position: FilePosition, start: int, end: int, label: str) -> Entity:
        """The entity from word `start` to `end`, in characters."""
        position.check_span(start, end, len(self.words), "tokens")
        return Entity(self._starts[start], self._starts[end] - 1, label)

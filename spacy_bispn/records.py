"""Plain values that every other room speaks in: character offsets, ends exclusive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Argument = TypeVar("Argument")


@dataclass(frozen=True, order=True)
class Entity:
    """A labelled stretch of text, `text[start:end]`. Scores do not take part in comparison."""

    start: int
    end: int
    label: str
    score: float = field(default=1.0, compare=False)


@dataclass(frozen=True, order=True)
class Relation(Generic[Argument]):
    """A directed, labelled link from `head` to `tail`.

    The arguments are `Entity` records inside the package and spaCy `Span` objects on a Doc.
    """

    head: Argument
    tail: Argument
    label: str
    score: float = field(default=1.0, compare=False)


@dataclass(frozen=True)
class Extraction:
    """What is said about one text: its entities and the relations between them."""

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation[Entity], ...] = ()


@dataclass(frozen=True)
class AnnotatedText:
    """One unit of a corpus: a text and its gold extraction.

    `words` is set where the corpus prescribes its own tokens: they spell `text`, with at most one
    space after each.
    """

    id: str
    text: str
    extraction: Extraction
    words: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Labels:
    """The label sets of a model; `symmetric` lists the relation labels without a direction."""

    entity: tuple[str, ...] = ()
    relation: tuple[str, ...] = ()
    symmetric: tuple[str, ...] = ()


def spaces_after(text: str, words: Sequence[str]) -> list[bool] | None:
    """Whether a space follows each word where the words spell the text; None if they do not."""
    spaces: list[bool] = []
    at = 0
    for number, word in enumerate(words):
        if not text.startswith(word, at):
            return None
        at += len(word)
        # A space that the next word begins with is not the one between them.
        following = words[number + 1] if number + 1 < len(words) else ""
        spaces.append(text.startswith(" " + following, at))
        at += spaces[-1]
    return spaces if at == len(text) else None

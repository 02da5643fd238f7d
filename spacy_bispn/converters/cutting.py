"""Documents cut into their sentences, each a text of its own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from spacy_bispn.converters.writing import word_offsets
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation


def cut(text: AnnotatedText, starts: Sequence[int]) -> tuple[list[AnnotatedText], int]:
    """The sentences of a text ("id:0", "id:1", ...), and how many relations are lost because they join two.

    starts: where sentences begin, in characters; where there are words, at the first of each. No entity is
    cut: a start inside of one is passed over. Blank sentences are left out, and white space around others
    that is no word and in no entity; a text that is blank stays whole.
    """
    edges = _edges(text, starts)
    home = {entity: bisect_right(edges, entity.start) - 1 for entity in text.extraction.entities}
    held: dict[int, list[Entity]] = defaultdict(list)
    for entity in text.extraction.entities:
        held[home[entity]].append(entity)
    related: dict[int, list[Relation[Entity]]] = defaultdict(list)
    lost = 0
    for relation in text.extraction.relations:
        if home[relation.head] == home[relation.tail]:
            related[home[relation.head]].append(relation)
        else:
            lost += 1
    offsets = [] if text.words is None else word_offsets(text)
    sentences: list[AnnotatedText] = []
    for number, (low, high) in enumerate(pairwise(edges)):
        words = offsets[bisect_left(offsets, (low,)) : bisect_left(offsets, (high,))]
        gold = Extraction(tuple(held[number]), tuple(related[number]))
        bounds = _bounds(text, low, high, words, gold)
        if bounds is not None:
            sentences.append(_sentence(text, f"{text.id}:{len(sentences)}", *bounds, words, gold))
    return sentences or [replace(text, id=f"{text.id}:0")], lost


def _edges(text: AnnotatedText, starts: Sequence[int]) -> list[int]:
    """Where a text is cut, in order, its own start and end included."""
    found = sorted({start for start in starts if 0 < start < len(text.text)})
    inside: set[int] = set()
    for entity in text.extraction.entities:
        inside.update(found[bisect_right(found, entity.start) : bisect_left(found, entity.end)])
    return [0, *(start for start in found if start not in inside), len(text.text)]


def _bounds(
    text: AnnotatedText, low: int, high: int, words: Sequence[tuple[int, int]], gold: Extraction
) -> tuple[int, int] | None:
    """From `low` to `high` without the white space around; None if there is nothing else."""
    part = text.text[low:high]
    left, right = len(part) - len(part.lstrip()), len(part.rstrip())
    filled = [(entity.start, entity.end) for entity in gold.entities]
    if left < right:
        filled.append((low + left, low + right))
    if filled and words:
        filled += [words[0], words[-1]]
    return (min(start for start, _ in filled), max(end for _, end in filled)) if filled else None


def _sentence(
    text: AnnotatedText, name: str, start: int, end: int, words: Sequence[tuple[int, int]], gold: Extraction
) -> AnnotatedText:
    """The characters from `start` to `end` as a text, with what is said of them."""

    def moved(entity: Entity) -> Entity:
        return replace(entity, start=entity.start - start, end=entity.end - start)

    entities = tuple(map(moved, gold.entities))
    relations = tuple(replace(one, head=moved(one.head), tail=moved(one.tail)) for one in gold.relations)
    spelt = tuple(text.text[low:high] for low, high in words if start <= low and high <= end)
    prescribed = None if text.words is None else spelt
    return AnnotatedText(name, text.text[start:end], Extraction(entities, relations), prescribed)

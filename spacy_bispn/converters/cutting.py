"""Documents cut into sentences, or into passages of several, each a text of its own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from spacy_bispn.converters.writing import word_offsets
from spacy_bispn.records import AnnotatedText, Entity, Extraction, PassageId, Relation
from spacy_bispn.settings import SettingError

LEVELS = ("sentence", "document")  # beside numbers of sentences


def sentences_of(level: str) -> int:
    """How many sentences of a document a text has at a level, 0 for all of them.

    Raises SettingError for what is not a level.
    """
    if level in LEVELS:
        return 1 - LEVELS.index(level)
    if not (level.isascii() and level.isdecimal() and int(level)):
        expected = "sentence, document, or how many sentences a text has, such as 3"
        raise SettingError("level", level, expected, "choose one of these")
    return int(level)


def cut(text: AnnotatedText, starts: Sequence[int], sentences: int = 1) -> tuple[list[AnnotatedText], int]:
    """The passages of a text ("id:0", "id:1", ...), and how many relations are lost because they join two.

    starts: where sentences begin, in characters; where there are words, at the first of each.
    sentences: how many a passage has; the last one may have fewer.

    No entity is cut: a start inside of one is passed over. Blank passages are left out, and white space
    around others that is no word and in no entity; a text that is blank stays whole.
    """
    bounds = edges(text, starts, sentences)
    home = {entity: bisect_right(bounds, entity.start) - 1 for entity in text.extraction.entities}
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
    passages: list[AnnotatedText] = []
    for number, (low, high) in enumerate(pairwise(bounds)):
        words = offsets[bisect_left(offsets, (low,)) : bisect_left(offsets, (high,))]
        gold = Extraction(tuple(held[number]), tuple(related[number]))
        filled = _without_space(text, low, high, words, gold)
        if filled is not None:
            passages.append(_passage(text, str(PassageId(text.id, len(passages))), *filled, words, gold))
    return passages or [replace(text, id=str(PassageId(text.id, 0)))], lost


def edges(text: AnnotatedText, starts: Sequence[int], sentences: int = 1) -> list[int]:
    """Where a text is cut into passages of so many sentences, in order, its own start and end included.

    No edge is inside of an entity; of 0 sentences, there is one passage.
    """
    if not sentences:
        return [0, len(text.text)]
    found = sorted({start for start in starts if 0 < start < len(text.text)})
    inside: set[int] = set()
    for entity in text.extraction.entities:
        inside.update(found[bisect_right(found, entity.start) : bisect_left(found, entity.end)])
    whole = [0, *(start for start in found if start not in inside)]
    return [*whole[::sentences], len(text.text)]


def sentences_apart(relation: Relation[Entity], bounds: Sequence[int]) -> int:
    """How many sentences the ends of a relation are apart; bounds: as `edges` gives them for 1 sentence."""
    head, tail = (bisect_right(bounds, end.start) for end in (relation.head, relation.tail))
    return abs(head - tail)


def _without_space(
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


def _passage(
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

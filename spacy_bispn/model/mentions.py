"""Mentions of one thing, which share the relations of that thing: those with the same words and label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from spacy_bispn.records import Entity, Relation

Thing = tuple[str, str]  # words and label
Things = Callable[[Entity], Thing]


def things_in(text: str) -> Things:
    """A function that says what an entity of a text is a mention of."""
    return lambda entity: (entity.words(text), entity.label)


def relations_of_things(
    relations: Iterable[Relation[Entity]],
    mentions: Iterable[Entity],
    thing: Things,
    symmetric: Collection[str],
) -> Iterator[tuple[set[Relation[Entity]], set[Relation[Entity]]]]:
    """For each relation of two things, those of their mentions, and all that their mentions could have.

    Relations are oriented. One of a span with itself can be only where it is.
    """
    of_thing: defaultdict[Thing, list[Entity]] = defaultdict(list)
    for entity in mentions:
        of_thing[thing(entity)].append(entity)
    given: defaultdict[tuple[tuple[Thing, ...], str], set[Relation[Entity]]] = defaultdict(set)
    for relation in relations:
        ends = thing(relation.head), thing(relation.tail)
        things = tuple(sorted(ends)) if relation.label in symmetric else ends
        given[things, relation.label].add(relation.oriented(symmetric))
    for ((one, other), label), found in given.items():
        others = {
            Relation(head, tail, label).oriented(symmetric)
            for head in of_thing[one]
            for tail in of_thing[other]
            if (head.start, head.end) != (tail.start, tail.end)
        }
        yield found, found | others


def shared(
    relations: Iterable[Relation[Entity]],
    mentions: Iterable[Entity],
    thing: Things,
    symmetric: Collection[str],
) -> list[Relation[Entity]]:
    """The relations, and the same ones between all other mentions of the two things, with the best score."""
    return [
        replace(pair, score=best)
        for found, possible in relations_of_things(relations, mentions, thing, symmetric)
        for best in [max(relation.score for relation in found)]
        for pair in possible
    ]

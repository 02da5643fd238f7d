"""Mentions of one thing, which share its relations: those with the same words and label, or the same id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from spacy_bispn.records import Entity, Relation

Thing = tuple[str, ...]  # words and label, or an id alone
Things = Callable[[Entity], Thing]


def things_by_words(text: str) -> Things:
    """A function that says what an entity of a text is a mention of, by its words and label."""
    return lambda entity: (entity.words(text), entity.label)


def things_by_id(text: str, mentions: Iterable[Entity]) -> Things:
    """The same by ids, where mentions have some, and else by words and label.

    A mention without an id has that of the mentions with its words and label, if they have one id alone.
    """
    named = things_by_words(text)
    ids: defaultdict[Thing, set[str]] = defaultdict(set)
    for mention in mentions:
        if mention.kb_id:
            ids[named(mention)].add(mention.kb_id)

    def thing(entity: Entity) -> Thing:
        name = named(entity)
        known = {entity.kb_id} if entity.kb_id else ids.get(name, set())
        return tuple(known) if len(known) == 1 else name

    return thing


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

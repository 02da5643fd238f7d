"""Error analysis: gold and predicted items are paired text by text, and each gets one error class.

Pairs are one to one. The classes are tried in their order below, within a class the closest spans first;
items without a partner are missed or spurious. So the gold items are those of every class but `spurious`,
and the predicted items those of every class but the missed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation, overlap_ratio

Item = TypeVar("Item", Entity, Relation[Entity])

CORRECT, MISSED, END_MISSED, SPURIOUS = "correct", "missed", "missed with an end", "spurious"
WRONG_TYPE, WRONG_BOUNDARY, WRONG_BOTH = "wrong type", "wrong boundary", "wrong both"
WRONG_LABEL, WRONG_DIRECTION, WRONG_ENDS = "wrong label", "wrong direction", "wrong ends"
# Classes of pairs, the best first.
ENTITY_PAIRS = (CORRECT, WRONG_TYPE, WRONG_BOUNDARY, WRONG_BOTH)
RELATION_PAIRS = (CORRECT, WRONG_LABEL, WRONG_DIRECTION, WRONG_ENDS)
ENTITY_CLASSES = (*ENTITY_PAIRS, MISSED, SPURIOUS)
RELATION_CLASSES = (*RELATION_PAIRS, MISSED, END_MISSED, SPURIOUS)

CONTEXT = 30  # characters shown on either side of an example
SHOWN = 3  # examples of a class

Match = tuple[str, float]  # the class of a pair, and how much the spans overlap, from 0 to 1


@dataclass(frozen=True)
class Case(Generic[Item]):
    """A gold item, a predicted item, or a pair of both, with its class."""

    kind: str
    gold: Item | None
    predicted: Item | None


def compare_entities(gold: Iterable[Entity], predicted: Iterable[Entity]) -> list[Case[Entity]]:
    """One case for each gold and predicted entity of a text, pairs sharing one; in order of the text.

    `wrong type`: the span agrees; `wrong boundary`: the label agrees and the spans overlap;
    `wrong both`: the spans overlap.
    """
    return _pair_off(set(gold), set(predicted), _match_entities, ENTITY_PAIRS)


def compare_relations(
    gold: Extraction, predicted: Extraction, symmetric: Collection[str] = ()
) -> list[Case[Relation[Entity]]]:
    """One case for each gold and predicted relation of a text, pairs sharing one; in order of the text.

    `wrong label`: both ends agree; `wrong direction`: the label agrees and the ends are exchanged;
    `wrong ends`: the label agrees, and both ends overlap those of gold. An unpaired gold relation is
    `missed with an end` if one of its entities is itself `missed`.
    symmetric: relation labels for which head and tail may be exchanged.
    """

    def match(one: Relation[Entity], other: Relation[Entity]) -> Match | None:
        return _match_relations(one, other, symmetric)

    wanted, found = (
        {relation.oriented(symmetric) for relation in extraction.relations}
        for extraction in (gold, predicted)
    )
    cases = _pair_off(wanted, found, match, RELATION_PAIRS)
    missed = {
        case.gold for case in compare_entities(gold.entities, predicted.entities) if case.kind == MISSED
    }
    return [
        Case(END_MISSED, case.gold, None)
        if case.kind == MISSED and case.gold and {case.gold.head, case.gold.tail} & missed
        else case
        for case in cases
    ]


def entity_errors(
    texts: Iterable[tuple[AnnotatedText, Extraction]], shown: int = SHOWN
) -> dict[str, dict[str, Any]]:
    """Count entities by error class; texts are pairs of gold and predicted.

    Returns for each class `count` and the first few (`shown`) `examples`. An example has the `id` of its
    text, an excerpt (`text`), and the items in words (`gold`, `predicted`); one of these may be None.
    """
    report = _empty(ENTITY_CLASSES)
    for text, predicted in texts:
        for case in compare_entities(text.extraction.entities, predicted.entities):
            _enter(report, text, case, shown)
    return report


def relation_errors(
    texts: Iterable[tuple[AnnotatedText, Extraction]], symmetric: Collection[str] = (), shown: int = SHOWN
) -> dict[str, dict[str, Any]]:
    """Count relations by error class, as `entity_errors` does; symmetric: labels without a direction."""
    report = _empty(RELATION_CLASSES)
    for text, predicted in texts:
        for case in compare_relations(text.extraction, predicted, symmetric):
            _enter(report, text, case, shown)
    return report


def describe(item: Entity | Relation[Entity], text: str) -> str:
    """An item in words: `ORC (complex)`, or `ORC (complex) — binds → ATP (chemical)`."""
    if isinstance(item, Entity):
        return f"{text[item.start : item.end]} ({item.label})"
    return f"{describe(item.head, text)} — {item.label} → {describe(item.tail, text)}"


def _pair_off(
    gold: set[Item],
    predicted: set[Item],
    match: Callable[[Item, Item], Match | None],
    kinds: tuple[str, ...],
) -> list[Case[Item]]:
    # Equal items are pairs of the best class; without them there are few combinations.
    found = {item: item for item in predicted}  # with the scores of the prediction
    cases: list[Case[Item]] = [Case(CORRECT, one, found[one]) for one in gold if one in found]
    missed, spurious = gold - predicted, predicted - gold
    matches = [
        (kinds.index(pair[0]), -pair[1], one, other)
        for one in missed
        for other in spurious
        if (pair := match(one, other))
    ]
    # The best class first, then the largest overlap; the items settle ties.
    for kind, _, one, other in sorted(matches):
        if one in missed and other in spurious:
            missed.remove(one)
            spurious.remove(other)
            cases.append(Case(kinds[kind], one, other))
    cases += [Case(MISSED, one, None) for one in missed]
    cases += [Case(SPURIOUS, None, other) for other in spurious]
    return sorted(cases, key=_order)


def _match_entities(gold: Entity, predicted: Entity) -> Match | None:
    overlap = overlap_ratio(gold, predicted)
    if not overlap:
        return None
    same_label = gold.label == predicted.label
    if overlap == 1:
        return (CORRECT if same_label else WRONG_TYPE), overlap
    return (WRONG_BOUNDARY if same_label else WRONG_BOTH), overlap


def _match_relations(
    gold: Relation[Entity], predicted: Relation[Entity], symmetric: Collection[str]
) -> Match | None:
    ends, straight = (gold.head, gold.tail), (predicted.head, predicted.tail)
    exchanged = straight[::-1]
    undirected = gold.label in symmetric or predicted.label in symmetric
    orders = (straight, exchanged) if undirected else (straight,)
    if gold.label != predicted.label:
        return (WRONG_LABEL, 1.0) if ends in orders else None
    if ends in orders:
        return CORRECT, 1.0
    if ends == exchanged:
        return WRONG_DIRECTION, 1.0
    overlap = max(overlap_ratio(gold.head, head) * overlap_ratio(gold.tail, tail) for head, tail in orders)
    return (WRONG_ENDS, overlap) if overlap else None


def _order(case: Case[Item]) -> tuple[list[int], str]:
    """By character offsets; class and labels settle ties."""
    items = [item for item in (case.gold, case.predicted) if item is not None]
    return [offset for item in items for end in _ends(item) for offset in (end.start, end.end)], repr(case)


def _ends(item: Entity | Relation[Entity]) -> tuple[Entity, ...]:
    return (item,) if isinstance(item, Entity) else (item.head, item.tail)


def _empty(kinds: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return {kind: {"count": 0, "examples": []} for kind in kinds}


def _enter(report: dict[str, dict[str, Any]], text: AnnotatedText, case: Case[Item], shown: int) -> None:
    entry = report[case.kind]
    entry["count"] += 1
    if len(entry["examples"]) < shown:
        sides = {"gold": case.gold, "predicted": case.predicted}
        words = {side: describe(item, text.text) if item else None for side, item in sides.items()}
        excerpt = _excerpt(text.text, [item for item in sides.values() if item is not None])
        entry["examples"].append({"id": text.id, "text": excerpt, **words})


def _excerpt(text: str, items: Collection[Entity | Relation[Entity]]) -> str:
    """The part of a text that holds the items, on one line."""
    ends = [end for item in items for end in _ends(item)]
    start = max(min(end.start for end in ends) - CONTEXT, 0)
    stop = max(end.end for end in ends) + CONTEXT
    part = f"{'…' * (start > 0)}{text[start:stop]}{'…' * (stop < len(text))}"
    return " ".join(part.split())

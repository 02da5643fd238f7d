"""What is wrong with each item: gold and predicted ones paired off text by text, each in one class.

Pairs are one to one. The classes are tried in the order in which they stand below, within a class the
closest spans first; what is left over is missed or spurious. So the gold items are those of every
class but `spurious`, and the predicted items those of every class but the missed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

Item = TypeVar("Item", Entity, Relation[Entity])

CORRECT, MISSED, END_MISSED, SPURIOUS = "correct", "missed", "missed with an end", "spurious"
ENTITY_PAIRS = (CORRECT, "wrong type", "wrong boundary", "wrong both")
RELATION_PAIRS = (CORRECT, "wrong label", "wrong direction", "wrong ends")
ENTITY_CLASSES = (*ENTITY_PAIRS, MISSED, SPURIOUS)
RELATION_CLASSES = (*RELATION_PAIRS, MISSED, END_MISSED, SPURIOUS)

CONTEXT = 30  # characters shown on either side of an example
SHOWN = 3  # examples of a class

Rank = tuple[int, float]  # class, and how far apart the spans are


@dataclass(frozen=True)
class Case(Generic[Item]):
    """A gold item, a predicted one, or a pair of them, and its class."""

    kind: str
    gold: Item | None
    predicted: Item | None


def compare_entities(gold: Iterable[Entity], predicted: Iterable[Entity]) -> list[Case[Entity]]:
    """One case for each gold and predicted entity of a text, pairs sharing one; in order of the text.

    `wrong type`: the span agrees; `wrong boundary`: the label agrees and the spans overlap;
    `wrong both`: the spans overlap.
    """
    return _pair_off(set(gold), set(predicted), _entity_rank, ENTITY_PAIRS)


def compare_relations(
    gold: Extraction, predicted: Extraction, symmetric: Collection[str] = ()
) -> list[Case[Relation[Entity]]]:
    """One case for each gold and predicted relation of a text, pairs sharing one; in order of the text.

    `wrong label`: both ends agree; `wrong direction`: the label agrees and the ends are exchanged;
    `wrong ends`: the label agrees and each end at least overlaps its like. Of the gold relations left
    over, `missed with an end` are those of whose entities one is `missed` itself.
    symmetric: relation labels for which head and tail may be exchanged.
    """

    def rank(one: Relation[Entity], other: Relation[Entity]) -> Rank | None:
        return _relation_rank(one, other, symmetric)

    wanted, found = (
        {_oriented(relation, symmetric) for relation in extraction.relations}
        for extraction in (gold, predicted)
    )
    cases = _pair_off(wanted, found, rank, RELATION_PAIRS)
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
    """For each class of entities `count` and the first `examples`; texts are (gold, predicted).

    An example has the `id` of its text, a stretch of it (`text`), and the items in words (`gold`,
    `predicted`), either of which may be None.
    """
    report = _empty(ENTITY_CLASSES)
    for text, predicted in texts:
        for case in compare_entities(text.extraction.entities, predicted.entities):
            _enter(report, text, case, shown)
    return report


def relation_errors(
    texts: Iterable[tuple[AnnotatedText, Extraction]], symmetric: Collection[str] = (), shown: int = SHOWN
) -> dict[str, dict[str, Any]]:
    """The same as `entity_errors` for relations; symmetric: labels without a direction."""
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
    rank: Callable[[Item, Item], Rank | None],
    kinds: tuple[str, ...],
) -> list[Case[Item]]:
    ranked = [(found, one, other) for one in gold for other in predicted if (found := rank(one, other))]
    missed, spurious = set(gold), set(predicted)
    cases: list[Case[Item]] = []
    for (kind, _), one, other in sorted(ranked):
        if one in missed and other in spurious:
            missed.remove(one)
            spurious.remove(other)
            cases.append(Case(kinds[kind], one, other))
    cases += [Case(MISSED, one, None) for one in missed]
    cases += [Case(SPURIOUS, None, other) for other in spurious]
    return sorted(cases, key=_order)


def _entity_rank(gold: Entity, predicted: Entity) -> Rank | None:
    shared = _overlap(gold, predicted)
    if not shared:
        return None
    wrong_span, wrong_label = shared < 1, gold.label != predicted.label
    return 2 * wrong_span + wrong_label, -shared


def _relation_rank(
    gold: Relation[Entity], predicted: Relation[Entity], symmetric: Collection[str]
) -> Rank | None:
    ends, straight = (gold.head, gold.tail), (predicted.head, predicted.tail)
    exchanged = straight[::-1]
    undirected = gold.label in symmetric or predicted.label in symmetric
    orders = (straight, exchanged) if undirected else (straight,)
    if gold.label != predicted.label:
        return (1, 0.0) if ends in orders else None
    if ends in orders:
        return 0, 0.0
    if ends == exchanged:
        return 2, 0.0
    shared = max(_overlap(gold.head, head) * _overlap(gold.tail, tail) for head, tail in orders)
    return (3, -shared) if shared else None


def _overlap(one: Entity, other: Entity) -> float:
    """What two spans share of what they cover together: 1 for equal spans, 0 without overlap."""
    if (one.start, one.end) == (other.start, other.end):
        return 1.0
    shared = min(one.end, other.end) - max(one.start, other.start)
    return max(shared, 0) / (max(one.end, other.end) - min(one.start, other.start))


def _oriented(relation: Relation[Entity], symmetric: Collection[str]) -> Relation[Entity]:
    if relation.label in symmetric and relation.tail < relation.head:
        return Relation(relation.tail, relation.head, relation.label, relation.score)
    return relation


def _order(case: Case[Item]) -> tuple[list[int], str]:
    """By place in the text; classes and labels settle what stands at one place."""
    items = [item for item in (case.gold, case.predicted) if item is not None]
    return [place for item in items for end in _ends(item) for place in (end.start, end.end)], repr(case)


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
        stretch = _stretch(text.text, [item for item in sides.values() if item is not None])
        entry["examples"].append({"id": text.id, "text": stretch, **words})


def _stretch(text: str, items: Collection[Entity | Relation[Entity]]) -> str:
    """The part of a text in which the items stand, on one line."""
    ends = [end for item in items for end in _ends(item)]
    start = max(min(end.start for end in ends) - CONTEXT, 0)
    stop = max(end.end for end in ends) + CONTEXT
    part = f"{'…' * (start > 0)}{text[start:stop]}{'…' * (stop < len(text))}"
    return " ".join(part.split())

"""What a page lists of each text, and the keys by which its filters choose.

An entity or a relation on the page has the keys of its labels and of its class of error, an option of a
filter has one key. `templates/page.js` compares them and knows nothing else: labels are in no selector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.evaluation.error_analysis import (
    CORRECT,
    ENTITY_CLASSES,
    RELATION_CLASSES,
    Case,
    compare_entities,
    compare_relations,
)
from spacy_bispn.records import Entity, Relation

UNJUDGED = "not annotated"  # the class of predictions where gold does not say whether there are any
ERROR = "error"  # the key of all that is neither correct nor unjudged
CLASSES = {"entities": (*ENTITY_CLASSES, UNJUDGED), "relations": (*RELATION_CLASSES, UNJUDGED)}

AnyCase = Case[Entity] | Case[Relation[Entity]]


@dataclass(frozen=True)
class Item:
    """An entity or a relation of a text, with the keys it is filtered by."""

    part: str
    case: AnyCase
    keys: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether it counts as an error."""
        return self.case.kind not in (CORRECT, UNJUDGED)

    @property
    def mark(self) -> str:
        """How it is marked in lists and drawings."""
        if not self.is_error:
            return ""
        return "wrong" if self.case.predicted else "missed"

    @property
    def labels(self) -> list[str]:
        """Its label; two where gold and prediction differ."""
        sides = [side.label for side in (self.case.gold, self.case.predicted) if side is not None]
        return list(dict.fromkeys(sides))


class Keys:
    """The keys of all labels and classes on a page, and how many texts have each of them."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str, str], str] = {}
        self._texts: Counter[str] = Counter()

    def assign(self, items: Iterable[Item]) -> list[Item]:
        """The items of a text, with their keys."""
        return [replace(item, keys=tuple(self._keys_of(item))) for item in items]

    def count(self, items: Iterable[Item]) -> None:
        """Count a text of the page by its items."""
        self._texts.update({key for item in items for key in item.keys})

    def filters(self) -> list[dict[str, Any]]:
        """The filters by label and by class, as the template takes them: names and options."""
        labels = [(part, self._options(part, "label", self._labels(part))) for part in CLASSES]
        classes = [(part, self._options(part, "class", kinds)) for part, kinds in CLASSES.items()]
        return [
            {"id": "label", "name": "Label", "first": [], "groups": labels},
            {
                "id": "class",
                "name": "Class of error",
                "first": [self._option(ERROR, "any error")],
                "groups": classes,
            },
        ]

    def _labels(self, part: str) -> list[str]:
        found = (value for of, by, value in self._keys if (of, by) == (part, "label"))
        return sorted(found, key=lambda label: (label.casefold(), label))

    def _options(self, part: str, by: str, values: Iterable[str]) -> list[dict[str, str]]:
        found = ((self._keys.get((part, by, value)), value) for value in values)
        return [self._option(key, value) for key, value in found if key and self._texts[key]]

    def _option(self, key: str, words: str) -> dict[str, str]:
        return {"key": key, "words": f"{words} ({self._texts[key]})"}

    def _keys_of(self, item: Item) -> Iterable[str]:
        for by, values in (("label", item.labels), ("class", [item.case.kind])):
            for value in values:
                yield self._keys.setdefault((item.part, by, value), f"k{len(self._keys)}")
        if item.is_error:
            yield ERROR


def compare(text: Judged, symmetric: Collection[str] = ()) -> list[Item]:
    """The entities and relations of a text with their classes of error.

    Where gold does not say whether there are any, what is predicted is UNJUDGED.
    """
    gold, predicted = text.gold.extraction, text.predicted
    entities: list[AnyCase] = [*compare_entities(gold.entities, predicted.entities)]
    relations: list[AnyCase] = [*compare_relations(gold, predicted, symmetric)]
    if not text.entities_annotated:
        entities = [Case(UNJUDGED, None, one) for one in predicted.entities]
    if not text.relations_annotated:
        relations = [Case(UNJUDGED, None, one) for one in predicted.relations]
    return [
        Item(part, case) for part, cases in zip(CLASSES, (entities, relations), strict=True) for case in cases
    ]


def count_errors(items: Iterable[Item]) -> int:
    """How many items are errors."""
    return sum(item.is_error for item in items)

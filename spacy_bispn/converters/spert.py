"""The JSON format of SpERT (Eberts and Ulges, 2020), in which ADE and CoNLL04 are shared.

One list with one object per sentence: `tokens`; `entities` with `type`, `start` and `end` (tokens,
end exclusive); `relations` with `type`, `head` and `tail` (positions in `entities`); maybe `orig_id`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

from spacy_bispn.converters import (
    Conversion,
    ConversionError,
    Place,
    Rules,
    Words,
    argument_indices,
    read_items,
    read_json,
    word_ranges,
)
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Relation

Item = tuple[Place, Any, str]  # with its id


def recognizes(item: Any) -> bool:
    return isinstance(item, dict) and {"tokens", "entities", "relations"} <= item.keys()


def read(path: Path, ids: Sequence[int | str] | None = None, **rules: Unpack[Rules]) -> Conversion:
    """Read a file, or only the sentences with these `orig_id`s, in the order given.

    A sentence without `orig_id` has its position in the file, counted from 0, as its id.
    Raises ConversionError on malformed input and for an id that is not in the file.
    """
    items = ((place, item, _item_id(item, number)) for number, (place, item) in enumerate(read_items(path)))
    chosen = items if ids is None else _choose(path, items, [str(wanted) for wanted in ids])
    conversion = Conversion(**rules)
    for place, item, text_id in chosen:
        with conversion.attempt():
            _add(conversion, place, item, text_id)
    return conversion


def read_fold(
    full: Path, splits: Path, fold: int, part: Literal["train", "test"], **rules: Unpack[Rules]
) -> Conversion:
    """One part of one cross-validation fold, fold counted from 0.

    full: the whole corpus; splits: a JSON object whose list `folds` holds, for each fold, the ids of
    its `train` and `test` sentences in order. Raises ConversionError on malformed input or if there
    is no such fold.
    """
    place, content = read_json(splits)
    folds = place.get(content, "folds", list)
    if not 0 <= fold < len(folds):
        raise ConversionError(
            f"{splits}: asked for fold {fold}, expected 0 to {len(folds) - 1}. Choose one of these folds."
        )
    return read(full, place.get(folds[fold], part, list), **rules)


def write(path: Path, texts: Iterable[AnnotatedText]) -> None:
    """Write a list of sentences; the spaces of a text that is not its words joined by spaces are lost.

    Raises ConversionError for a text without words, an entity that starts or ends inside a word, and
    a relation to what is not among the entities.
    """
    save(path, json.dumps([_to_item(text) for text in texts], ensure_ascii=False))


def _choose(path: Path, items: Iterable[Item], ids: Sequence[str]) -> list[Item]:
    """The items with these ids, in the order of the ids."""
    asked = set(ids)
    by_id = defaultdict(list)  # several have one id where a file repeats it, which is then a problem
    for item in items:
        if item[2] in asked:
            by_id[item[2]].append(item)
    missing = [wanted for wanted in ids if wanted not in by_id]
    if missing:
        found = f"no sentence with id {', '.join(missing[:5])}" + (", ..." if len(missing) > 5 else "")
        raise Place(path, "whole file").error(found, "every id asked for", "Check ids against `orig_id`.")
    return [item for wanted in ids for item in by_id[wanted]]


def _item_id(item: Any, number: int) -> str:
    return str(item.get("orig_id", number)) if isinstance(item, dict) else str(number)


def _add(conversion: Conversion, place: Place, item: Any, text_id: str) -> None:
    words = Words(place.strings(item, "tokens"))
    entities = [
        words.entity(
            place,
            place.get(entity, "start", int),
            place.get(entity, "end", int),
            place.get(entity, "type", str),
        )
        for entity in place.get(item, "entities", list)
    ]
    relations = [
        Relation(
            place.pick(entities, place.get(relation, "head", int), "entity"),
            place.pick(entities, place.get(relation, "tail", int), "entity"),
            place.get(relation, "type", str),
        )
        for relation in place.get(item, "relations", list)
    ]
    conversion.add(place, text_id, words.text, entities, relations, words.words)


def _to_item(text: AnnotatedText) -> dict[str, Any]:
    entities, relations = text.extraction.entities, text.extraction.relations
    ranges = word_ranges(text)
    arguments = argument_indices(entities, relations, text.id)
    return {
        "tokens": list(text.words or ()),
        "entities": [
            {"type": entity.label, "start": start, "end": end}
            for entity, (start, end) in zip(entities, ranges, strict=True)
        ],
        "relations": [
            {"type": relation.label, "head": head, "tail": tail}
            for relation, (head, tail) in zip(relations, arguments, strict=True)
        ],
        "orig_id": text.id,
    }

"""The package's own format: JSON Lines, one text per line.

    {"id": "a", "text": "ORC binds ATP.", "entities": [[0, 3, "protein"], [10, 13, "chemical"]],
     "relations": [[0, 1, "binds"]]}

Entities are [start, end, label] in characters, end exclusive; relations are [head, tail, label],
head and tail counted from 0 in `entities`. `words` may prescribe tokens: a list of strings that spell
`text` with at most one space after each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, Place, Rules, argument_indices, read_lines
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Relation


def recognizes(item: Any) -> bool:
    if not isinstance(item, dict) or not {"text", "entities", "relations"} <= item.keys():
        return False
    rows = item["entities"]
    # doccano has the same keys; its entities are objects and its ids numbers.
    return isinstance(rows, list) and (isinstance(rows[0], list) if rows else isinstance(item.get("id"), str))


def read(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read a file written by `write` or by hand. Raises ConversionError on malformed input."""
    conversion = Conversion(**rules)
    for place, line in read_lines(path):
        with conversion.attempt():
            _add(conversion, place, place.parse(line))
    return conversion


def write(path: Path, texts: Iterable[AnnotatedText]) -> None:
    """Write one text per line; `read` gives the same texts back, scores aside.

    Raises ConversionError if a relation's head or tail is not among its text's entities.
    """
    save(path, "".join(json.dumps(to_item(text), ensure_ascii=False) + "\n" for text in texts))


def _add(conversion: Conversion, place: Place, item: Any) -> None:
    text = place.get(item, "text", str)
    entities = [Entity(*place.row(row, int, int, str)) for row in place.get(item, "entities", list)]
    relations = []
    for row in place.get(item, "relations", list):
        head, tail, label = place.row(row, int, int, str)
        arguments = (place.pick(entities, head, "entity"), place.pick(entities, tail, "entity"))
        relations.append(Relation(*arguments, label))
    words = place.strings(item, "words") if "words" in item else None
    conversion.add(place, place.get(item, "id", str), text, entities, relations, words)


def to_item(text: AnnotatedText) -> dict[str, Any]:
    """The object that stands for a text in its line.

    Raises ConversionError if a relation's head or tail is not among the text's entities.
    """
    entities, relations = text.extraction.entities, text.extraction.relations
    arguments = argument_indices(entities, relations, text.id)
    item: dict[str, Any] = {
        "id": text.id,
        "text": text.text,
        "entities": [[entity.start, entity.end, entity.label] for entity in entities],
        "relations": [
            [head, tail, relation.label] for (head, tail), relation in zip(arguments, relations, strict=True)
        ],
    }
    return item if text.words is None else item | {"words": list(text.words)}

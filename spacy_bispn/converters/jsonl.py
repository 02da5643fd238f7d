"""The package's own format: JSON Lines, one text per line.

    {"id": "a", "text": "ORC binds ATP.", "entities": [[0, 3, "protein"], [10, 13, "chemical"]],
     "relations": [[0, 1, "binds"]]}

Entities are [start, end, label] in characters, end exclusive; relations are [head, tail, label],
head and tail counted from 0 in `entities`. `words` may prescribe tokens whose join by spaces is `text`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy_bispn.converters import Conversion, Place, argument_indices, read_lines
from spacy_bispn.records import AnnotatedText, Entity, Relation


def read(path: Path) -> Conversion:
    """Read a file written by `write` or by hand. Raises ConversionError on malformed input."""
    conversion = Conversion()
    for place, item in read_lines(path):
        text = place.get(item, "text", str)
        entities = [Entity(*place.row(row, int, int, str)) for row in place.get(item, "entities", list)]
        relations = []
        for row in place.get(item, "relations", list):
            head, tail, label = place.row(row, int, int, str)
            arguments = (place.pick(entities, head, "entity"), place.pick(entities, tail, "entity"))
            relations.append(Relation(*arguments, label))
        conversion.add(
            place, place.get(item, "id", str), text, entities, relations, _read_words(place, item, text)
        )
    return conversion


def write(path: Path, texts: Iterable[AnnotatedText]) -> None:
    """Write one text per line; `read` gives the same texts back, scores aside.

    Raises ConversionError if a relation's head or tail is not among its text's entities.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for text in texts:
            file.write(json.dumps(_to_item(text), ensure_ascii=False) + "\n")


def _read_words(place: Place, item: dict[str, Any], text: str) -> list[str] | None:
    if "words" not in item:
        return None
    words = place.get(item, "words", list)
    place.row(words, *[str] * len(words))
    if " ".join(words) != text:
        found = "words that do not give the text when joined by spaces"
        raise place.error(found, '`text == " ".join(words)`', "Correct one of them, or leave out `words`.")
    return words


def _to_item(text: AnnotatedText) -> dict[str, Any]:
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

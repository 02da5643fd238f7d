"""The package's own format: JSON Lines, one text per line.

    {"id": "a", "text": "ORC binds ATP.", "entities": [[0, 3, "protein"], [10, 13, "chemical"]],
     "relations": [[0, 1, "binds"]]}

Entities are [start, end, label] in characters, end exclusive, or [start, end, label, id], the id of what it
is a mention of; relations are [head, tail, label], head and tail counted from 0 in `entities`. `words` may
prescribe tokens: a list of strings that spell `text` with at most one space after each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    FilePosition,
    ParsedItem,
    Rules,
    argument_indices,
    corpus_format,
    read_lines,
)
from spacy_bispn.converters.offsets import Offsets, unit_of
from spacy_bispn.converters.text_keys import TextKey, get_text
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Relation


def is_jsonl(item: Any) -> bool:
    if not isinstance(item, dict) or not {"text", "entities", "relations"} <= item.keys():
        return False
    rows = item["entities"]
    # doccano has the same keys; its entities are objects and its ids numbers.
    return isinstance(rows, list) and (isinstance(rows[0], list) if rows else type(item.get("id")) is not int)


def write_jsonl(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write one text per line; `read_jsonl` gives the same texts back, scores aside.

    Raises ConversionError if a relation's head or tail is not among its text's entities.
    """
    save(path, "".join(json.dumps(to_item(text), ensure_ascii=False) + "\n" for text in texts))
    return Counter()


@corpus_format(
    "jsonl", about="this package", recognizes=is_jsonl, write=write_jsonl, tokens="optional", ids=True
)
def read_jsonl(
    path: Path, *, offsets: Offsets = "characters", text_key: TextKey = "text", **rules: Unpack[Rules]
) -> Conversion:
    """Read a file written by `write_jsonl` or by hand. Raises ConversionError on malformed input.

    A text without an id has its position in the file, counted from 0. For `offsets` see `find_unit`.
    """
    numbered = ((*item, number) for number, item in enumerate(read_lines(path)))
    return Conversion(**rules, offsets=unit_of(offsets)).add_items(_parse, numbered, text_key)


def _parse(parsed: ParsedItem, position: FilePosition, line: bytes, number: int, text_key: str) -> None:
    item = position.parse(line)
    text = parsed.measured(get_text(position, item, text_key))
    entities = [_entity(position, row) for row in position.get(item, "entities", list)]
    relations = []
    for row in position.get(item, "relations", list):
        head, tail, label = position.row(row, int, int, str)
        arguments = (position.pick(entities, head, "entity"), position.pick(entities, tail, "entity"))
        relations.append(Relation(*arguments, label))
    words = position.strings(item, "words") if "words" in item else None
    parsed.add(position, position.get_id(item, "id", number), text, entities, relations, words)


def _entity(position: FilePosition, row: Any) -> Entity:
    has_id = isinstance(row, list) and len(row) == 4
    start, end, label, *kb_id = position.row(row, int, int, str, *[str] * has_id)
    return Entity(start, end, label, kb_id="".join(kb_id))


def to_item(text: AnnotatedText) -> dict[str, Any]:
    """The object that stands for a text in its line.

    Raises ConversionError if a relation's head or tail is not among the text's entities.
    """
    entities, relations = text.extraction.entities, text.extraction.relations
    arguments = argument_indices(entities, relations, text.id)
    item: dict[str, Any] = {
        "id": text.id,
        "text": text.text,
        "entities": [
            [entity.start, entity.end, entity.label, *filter(None, [entity.kb_id])] for entity in entities
        ],
        "relations": [
            [head, tail, relation.label] for (head, tail), relation in zip(arguments, relations, strict=True)
        ],
    }
    return item if text.words is None else item | {"words": list(text.words)}

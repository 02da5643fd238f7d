"""doccano's export of relations: JSON Lines, one text a line, with ids for entities.

    {"id": 1, "text": "ORC binds ATP.",
     "entities": [{"id": 7, "label": "protein", "start_offset": 0, "end_offset": 3},
                  {"id": 8, "label": "chemical", "start_offset": 10, "end_offset": 13}],
     "relations": [{"id": 9, "from_id": 7, "to_id": 8, "type": "binds"}]}

Offsets count UTF-16 units, ends exclusive, or characters where a project counts graphemes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, FilePosition, ParsedItem, Rules, corpus_format, read_lines
from spacy_bispn.converters.offsets import Offsets, unit_of
from spacy_bispn.converters.text_keys import TextKey, get_text
from spacy_bispn.records import Entity, Relation


def is_doccano(item: Any) -> bool:
    if not isinstance(item, dict) or not {"text", "entities", "relations"} <= item.keys():
        return False
    rows = item["entities"]
    return isinstance(rows, list) and (isinstance(rows[0], dict) if rows else isinstance(item.get("id"), int))


@corpus_format("doccano", about="doccano, relation extraction", recognizes=is_doccano, counts="utf-16")
def read_doccano(
    path: Path, *, offsets: Offsets = "auto", text_key: TextKey = "text", **rules: Unpack[Rules]
) -> Conversion:
    """Read an export. Raises ConversionError on malformed input.

    offsets: doccano counts UTF-16 units, but characters in projects that count graphemes, which its export
        does not tell: see `find_unit`.
    """
    numbered = ((*item, number) for number, item in enumerate(read_lines(path)))
    return Conversion(**rules, offsets=unit_of(offsets)).add_items(_parse, numbered, text_key)


def _parse(parsed: ParsedItem, position: FilePosition, line: bytes, number: int, text_key: str) -> None:
    item = position.parse(line)
    entities: dict[str, Entity] = {}
    for row in position.get(item, "entities", list):
        name = position.get_name(row, "id")
        if name in entities:
            raise position.error(f"two entities with the id {name}", "one", "Give each an id of its own.")
        start, end = position.get(row, "start_offset", int), position.get(row, "end_offset", int)
        entities[name] = Entity(start, end, position.get(row, "label", str))
    relations = [
        Relation(
            position.find(entities, position.get_name(row, "from_id"), "entity"),
            position.find(entities, position.get_name(row, "to_id"), "entity"),
            position.get(row, "type", str),
        )
        for row in position.get(item, "relations", list)
    ]
    text = parsed.measured(get_text(position, item, text_key))
    parsed.add(position, position.get_id(item, "id", number), text, [*entities.values()], relations)

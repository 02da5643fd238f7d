"""doccano's export of relations: JSON Lines, one text a line, with ids for entities.

    {"id": 1, "text": "ORC binds ATP.",
     "entities": [{"id": 7, "label": "protein", "start_offset": 0, "end_offset": 3},
                  {"id": 8, "label": "chemical", "start_offset": 10, "end_offset": 13}],
     "relations": [{"id": 9, "from_id": 7, "to_id": 8, "type": "binds"}]}

Offsets count characters, ends exclusive.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, Place, Rules, read_lines
from spacy_bispn.records import Entity, Relation


def recognizes(item: Any) -> bool:
    if not isinstance(item, dict) or not {"text", "entities", "relations"} <= item.keys():
        return False
    rows = item["entities"]
    return isinstance(rows, list) and (isinstance(rows[0], dict) if rows else isinstance(item.get("id"), int))


def read(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read an export. Raises ConversionError on malformed input."""
    conversion = Conversion(**rules)
    for place, line in read_lines(path):
        with conversion.attempt():
            _add(conversion, place, place.parse(line))
    return conversion


def _add(conversion: Conversion, place: Place, item: Any) -> None:
    entities: dict[int, Entity] = {}
    for row in place.get(item, "entities", list):
        number = place.get(row, "id", int)
        if number in entities:
            raise place.error(f"two entities with the id {number}", "one", "Give each an id of its own.")
        start, end = place.get(row, "start_offset", int), place.get(row, "end_offset", int)
        entities[number] = Entity(start, end, place.get(row, "label", str))
    relations = [
        Relation(
            place.find(entities, place.get(row, "from_id", int), "entity"),
            place.find(entities, place.get(row, "to_id", int), "entity"),
            place.get(row, "type", str),
        )
        for row in place.get(item, "relations", list)
    ]
    text_id = str(place.get(item, "id", int))
    conversion.add(place, text_id, place.get(item, "text", str), [*entities.values()], relations)

"""Text2DT (CHIP 2022), its entities and relations: one Python literal a line, which is no JSON.

    {'text': 'ORC@ORC binds ATP.', 'entities': [(4, 7, 'ORC', 'protein'), (14, 17, 'ATP', 'chemical')],
     'relations': [([4, 7, 'ORC'], 'binds', [14, 17, 'ATP'])]}

Offsets count characters, ends exclusive, and so does the "@" between a paragraph's subject and the paragraph.
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
    return "id" not in item and isinstance(rows, list) and all(isinstance(row, tuple) for row in rows)


def read(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read a file; a text's id is its position, counted from 0. Raises ConversionError on malformed input."""
    conversion = Conversion(**rules)
    for number, (place, line) in enumerate(read_lines(path)):
        with conversion.attempt():
            _add(conversion, place, place.literal(line), str(number))
    return conversion


def _add(conversion: Conversion, place: Place, item: Any, text_id: str) -> None:
    text = place.get(item, "text", str)
    entities = []
    for row in place.get(item, "entities", list):
        start, end, marked, label = place.row(row, int, int, str, str, of=tuple)
        _check_text(place, text, (start, end, marked))
        entities.append(Entity(start, end, label))
    # Arguments are named by their place: of several entities there, it means the first.
    by_span = {(entity.start, entity.end): entity for entity in reversed(entities)}
    relations = []
    for row in place.get(item, "relations", list):
        head, label, tail = place.row(row, list, str, list, of=tuple)
        arguments = []
        for argument in (head, tail):
            start, end, marked = place.row(argument, int, int, str)
            _check_text(place, text, (start, end, marked))
            arguments.append(place.find(by_span, (start, end), "the span"))
        relations.append(Relation(arguments[0], arguments[1], label))
    conversion.add(place, text_id, text, entities, relations)


def _check_text(place: Place, text: str, span: tuple[int, int, str]) -> None:
    start, end, marked = span
    place.check_span(start, end, len(text), "characters")
    if text[start:end] != marked:
        expected = f"{text[start:end]!r}, which is there"
        raise place.error(f"{marked!r} at {start} to {end}", expected, "Check the offsets; '@' counts too.")

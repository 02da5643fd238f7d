"""Text2DT (CHIP 2022), its entities and relations: one Python literal a line, which is no JSON.

    {'text': 'ORC@ORC binds ATP.', 'entities': [(4, 7, 'ORC', 'protein'), (14, 17, 'ATP', 'chemical')],
     'relations': [([4, 7, 'ORC'], 'binds', [14, 17, 'ATP'])]}

Offsets count characters, ends exclusive, and so does the "@" between a paragraph's subject and the paragraph.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, FilePosition, ParsedItem, Rules, corpus_format, read_lines
from spacy_bispn.converters.standoff import Claim, check_claims
from spacy_bispn.records import Entity, Relation


def is_text2dt(item: Any) -> bool:
    if not isinstance(item, dict) or not {"text", "entities", "relations"} <= item.keys():
        return False
    rows = item["entities"]
    return (
        "id" not in item
        and isinstance(rows, list)
        and bool(rows)
        and all(isinstance(row, tuple) for row in rows)
    )


@corpus_format("text2dt", about="Text2DT", recognizes=is_text2dt)
def read_text2dt(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read a file; a text's id is its position, counted from 0. Raises ConversionError on malformed input.

    A span whose text is not the one at its place is an error, unless it is only spelt otherwise.
    """
    numbered = ((position, line, str(number)) for number, (position, line) in enumerate(read_lines(path)))
    return Conversion(**rules).add_items(_parse, numbered)


def _parse(parsed: ParsedItem, position: FilePosition, line: bytes, text_id: str) -> None:
    item = position.literal(line)
    text = position.get(item, "text", str)
    parsed.drop_keys(item, ("text", "entities", "relations"), "texts")
    entities = []
    claims: dict[tuple[int, int, str], Claim] = {}  # an argument repeats what its entity says
    for row in position.get(item, "entities", list):
        start, end, marked, label = position.row(row, int, int, str, str, of=tuple)
        claims[start, end, marked] = _claim(position, text, (start, end, marked))
        entities.append(Entity(start, end, label))
    # Arguments are named by their place: of several entities there, it means the first.
    by_span = {(entity.start, entity.end): entity for entity in reversed(entities)}
    relations = []
    for row in position.get(item, "relations", list):
        head, label, tail = position.row(row, list, str, list, of=tuple)
        arguments = []
        for argument in (head, tail):
            start, end, marked = position.row(argument, int, int, str)
            claims[start, end, marked] = _claim(position, text, (start, end, marked))
            arguments.append(position.find(by_span, (start, end), "the span"))
        relations.append(Relation(arguments[0], arguments[1], label))
    check_claims(parsed, text_id, list(claims.values()), all_of_them=True)
    parsed.add(position, text_id, text, entities, relations)


def _claim(position: FilePosition, text: str, span: tuple[int, int, str]) -> Claim:
    start, end, claimed = span
    position.check_span(start, end, len(text), "characters")
    return position, text[start:end], claimed

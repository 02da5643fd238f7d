"""GLiREL's JSON Lines: one text a line.

    {"tokenized_text": ["ORC", "binds", "ATP"],
     "ner": [[0, 0, "protein", "ORC"], [2, 2, "chemical", "ATP"]],
     "relations": [{"head": {"mention": "ORC", "position": [0, 0], "type": "protein"},
                    "tail": {"mention": "ATP", "position": [2, 2], "type": "chemical"},
                    "relation_text": "binds"}]}

Positions count tokens, ends included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, Place, Rules, Words, read_lines
from spacy_bispn.converters.standoff import Claim, check_claims
from spacy_bispn.records import Entity, Relation

NEGATIVE = ("no relation",)

Spans = dict[tuple[int, int], list[Entity]]  # the entities at first and last token


def recognizes(item: Any) -> bool:
    return isinstance(item, dict) and {"tokenized_text", "ner"} <= item.keys()


def read(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read a file; a text's id is its position, counted from 0.

    Raises ConversionError on malformed input, which includes ends that are exclusive: some conversions
    of other corpora have them, and the texts of their entities tell.
    """
    rules.setdefault("negative", NEGATIVE)
    conversion = Conversion(**rules)
    for number, (place, line) in enumerate(read_lines(path)):
        with conversion.attempt():
            _add(conversion, place, place.parse(line), str(number))
    return conversion


def _add(conversion: Conversion, place: Place, item: Any, text_id: str) -> None:
    words = Words(place.strings(item, "tokenized_text"))
    spans: Spans = {}
    entities, claims = [], list[Claim]()
    for row in place.get(item, "ner", list):
        # The text of an entity may be left out.
        texts = [str] if type(row) is list and len(row) == 4 else []
        start, end, label, *marked = place.row(row, int, int, str, *texts)
        _check_end(place, words.words, start, end, *marked)
        entity = words.entity(place, start, end + 1, label)
        entities.append(entity)
        claims += [(place, words.text[entity.start : entity.end], text) for text in marked]
        spans.setdefault((start, end), []).append(entity)
    relations = []
    for relation in place.get(item, "relations", list):
        head, tail = (_argument(place, spans, place.get(relation, key, dict)) for key in ("head", "tail"))
        relations.append(Relation(head, tail, place.get(relation, "relation_text", str)))
    conversion.add(place, text_id, words.text, entities, relations, words.words)
    check_claims(conversion, text_id, claims, spaces=False)


def _argument(place: Place, spans: Spans, argument: Any) -> Entity:
    start, end = place.row(place.get(argument, "position", list), int, int)
    choices = place.find(spans, (start, end), "the span")
    # The type may be any string: it only chooses between entities at one place.
    return next((entity for entity in choices if entity.label == argument.get("type")), choices[0])


def _check_end(place: Place, words: tuple[str, ...], start: int, end: int, marked: str = "") -> None:
    """Raise if an entity's text shows that its end is exclusive."""
    plain = "".join(marked.split())
    included, excluded = ("".join(words[start:stop]) for stop in (end + 1, end))
    if plain and start < end and plain == excluded != included:
        found = f"{marked!r} at {start} to {end}, an exclusive end"
        raise place.error(found, f"{end - 1}, the last token itself", "Subtract 1 from all ends.")

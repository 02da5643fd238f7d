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

from spacy_bispn.converters import (
    Conversion,
    FilePosition,
    ParsedItem,
    Rules,
    Words,
    corpus_format,
    read_lines,
)
from spacy_bispn.converters.standoff import Claim, check_claims
from spacy_bispn.records import Entity, Relation

NEGATIVE = ("no relation",)

Spans = dict[tuple[int, int], list[Entity]]  # the entities at first and last token


def is_glirel(item: Any) -> bool:
    return isinstance(item, dict) and {"tokenized_text", "ner"} <= item.keys()


@corpus_format("glirel", about="GLiREL", recognizes=is_glirel, tokens="prescribed")
def read_glirel(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read a file; a text's id is its position, counted from 0.

    Raises ConversionError on malformed input, which includes ends that are exclusive: some conversions
    of other corpora have them, and the texts of their entities tell.
    """
    rules.setdefault("negative", NEGATIVE)
    numbered = ((position, line, str(number)) for number, (position, line) in enumerate(read_lines(path)))
    return Conversion(**rules).add_items(_parse, numbered)


def _parse(parsed: ParsedItem, position: FilePosition, line: bytes, text_id: str) -> None:
    item = position.parse(line)
    words = Words(position.strings(item, "tokenized_text"))
    spans: Spans = {}
    entities, claims = [], list[Claim]()
    for row in position.get(item, "ner", list):
        # The text of an entity may be left out.
        texts = [str] if type(row) is list and len(row) == 4 else []
        start, end, label, *marked = position.row(row, int, int, str, *texts)
        _check_end(position, words.words, start, end, *marked)
        entity = words.entity(position, start, end + 1, label)
        entities.append(entity)
        claims += [(position, words.text[entity.start : entity.end], text) for text in marked]
        spans.setdefault((start, end), []).append(entity)
    relations = []
    for relation in position.get(item, "relations", list):
        head, tail = (
            _argument(position, spans, position.get(relation, key, dict)) for key in ("head", "tail")
        )
        relations.append(Relation(head, tail, position.get(relation, "relation_text", str)))
    parsed.add(position, text_id, words.text, entities, relations, words.words)
    check_claims(parsed, text_id, claims, spaces=False)


def _argument(position: FilePosition, spans: Spans, argument: Any) -> Entity:
    start, end = position.row(position.get(argument, "position", list), int, int)
    choices = position.find(spans, (start, end), "the span")
    # The type may be any string: it only chooses between entities at one place.
    return next((entity for entity in choices if entity.label == argument.get("type")), choices[0])


def _check_end(
    position: FilePosition, words: tuple[str, ...], start: int, end: int, marked: str = ""
) -> None:
    """Raise if an entity's text shows that its end is exclusive."""
    plain = "".join(marked.split())
    included, excluded = ("".join(words[start:stop]) for stop in (end + 1, end))
    if plain and start < end and plain == excluded != included:
        found = f"{marked!r} at {start} to {end}, an exclusive end"
        raise position.error(found, f"{end - 1}, the last token itself", "Subtract 1 from all ends.")

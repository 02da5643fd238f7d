"""UBIAI's JSON export: a list of documents with their annotated spans and the relations between them.

    [{"documentName": "a.txt", "document": "ORC binds ATP", "tokens": [
        {"text": "ORC", "start": 0, "end": 3, "token_start": 0, "token_end": 0, "entityLabel": "protein"},
        {"text": "ATP", "start": 10, "end": 13, "token_start": 2, "token_end": 2, "entityLabel": "chemical"}],
      "relations": [{"head": 0, "child": 2, "relationLabel": "binds"}]}]

Offsets count characters; a relation leads from its head to its child and names them by their first token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, FilePosition, ParsedItem, Rules, corpus_format
from spacy_bispn.converters.file_reading import read_objects
from spacy_bispn.converters.offsets import Offsets, unit_of
from spacy_bispn.converters.standoff import Claim, check_claims, marked_text
from spacy_bispn.records import Entity, Relation

SPAN = ("text", "start", "end", "token_start", "token_end", "entityLabel")


def is_ubiai(item: Any) -> bool:
    return isinstance(item, dict) and {"document", "tokens"} <= item.keys()


@corpus_format("ubiai", about="UBIAI", recognizes=is_ubiai)
def read_ubiai(path: Path, *, offsets: Offsets = "characters", **rules: Unpack[Rules]) -> Conversion:
    """Read a list of documents, or one a line. Raises ConversionError on malformed input.

    Dropped and counted: spans without a label, and relations of spans that are not there. Of two spans with
    one first token, relations mean the one listed first.
    """
    numbered = ((position, item, number) for number, (position, item) in enumerate(read_objects(path)))
    return Conversion(**rules, offsets=unit_of(offsets)).add_items(_parse, numbered)


def _parse(parsed: ParsedItem, position: FilePosition, item: Any, number: int) -> None:
    text = parsed.measured(position.get(item, "document", str))
    text_id = position.get_id(item, "documentName", number)
    parsed.drop_keys(item, ("document", "documentName", "tokens", "relations"), "documents")
    entities: list[Entity] = []
    firsts: dict[int, Entity] = {}
    claims: list[Claim] = []
    for span in position.get(item, "tokens", list):
        start, end = position.get(span, "start", int), position.get(span, "end", int)
        parsed.drop_keys(span, SPAN, "tokens")
        if span.get("entityLabel") in (None, ""):
            parsed.drop("spans without a label", of="entities")
            continue
        position.check_span(start, end, len(text), "characters")
        entity = Entity(start, end, position.get(span, "entityLabel", str))
        entities.append(entity)
        firsts.setdefault(position.get(span, "token_start", int), entity)
        marked = marked_text(text, [(start, end)])
        claims.append((position, marked, position.get(span, "text", str, marked)))
    check_claims(parsed, text_id, claims)
    relations: list[Relation[Entity]] = []
    for link in [] if item.get("relations") is None else position.get(item, "relations", list):
        head, child = (position.get(link, key, int) for key in ("head", "child"))
        label = position.get(link, "relationLabel", str)
        parsed.drop_keys(link, ("head", "child", "relationLabel"), "relations")
        if head in firsts and child in firsts:
            relations.append(Relation(firsts[head], firsts[child], label))
        else:
            parsed.drop("relations of spans that are not there", of="relations")
            what = f"a {label!r} relation of the tokens {head} and {child} was dropped, no span begins there"
            parsed.problem(text_id, what)
    parsed.add(position, text_id, text, entities, relations)

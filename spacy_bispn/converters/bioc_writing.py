"""Texts out to BioC, as JSON and as XML: each a document of one passage."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from spacy_bispn.converters.file_reading import FilePosition, short_repr
from spacy_bispn.converters.writing import argument_indices
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText

SOURCE = "spacy-bispn"
CARRIAGE_RETURN = "\r"
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
"""


def write_bioc_json(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write a collection, each text as a document of one passage, the ends of relations as `arg1` and `arg2`.

    `read_bioc_json` gives the texts back, without scores and words. Raises ConversionError for a blank text,
    for an id or a label with white space around it, and for a relation to what is not among the entities.
    """
    documents = [_to_document(FilePosition(path, f"text {text.id!r}"), text) for text in texts]
    collection = {"source": SOURCE, "date": "", "key": "", "infons": {}, "documents": documents}
    save(path, json.dumps(collection, ensure_ascii=False))
    return Counter()


def write_bioc(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write the same as XML; `read_bioc` gives the texts back.

    Raises ConversionError as `write_bioc_json`, and for characters that XML does not have.
    """
    rows = [f"{HEAD}<collection><source>{SOURCE}</source><date></date><key></key>\n"]
    for text in texts:
        position = FilePosition(path, f"text {text.id!r}")
        document = _to_xml(_to_document(position, text))
        unknown = NO_XML.search(document)
        if unknown:
            advice = "Remove it, or write bioc-json."
            raise position.error(f"the character {unknown[0]!r}", "characters that XML has", advice)
        rows.append(f"{document}\n")
    save(path, "".join([*rows, "</collection>\n"]))
    return Counter()


def _to_xml(document: dict[str, Any]) -> str:
    """A document of the JSON as the DTD wants it."""
    (passage,) = document["passages"]
    annotations = (
        f'<annotation id="{one["id"]}">{_infons(one)}'
        + "".join(f'<location offset="{x["offset"]}" length="{x["length"]}"/>' for x in one["locations"])
        + f"{_element('text', one['text'])}</annotation>"
        for one in passage["annotations"]
    )
    relations = (
        f'<relation id="{one["id"]}">{_infons(one)}'
        + "".join(f'<node refid="{x["refid"]}" role="{x["role"]}"/>' for x in one["nodes"])
        + "</relation>"
        for one in passage["relations"]
    )
    return "\n".join(
        [
            f"<document>{_element('id', document['id'])}",
            f"<passage><offset>{passage['offset']}</offset>{_element('text', passage['text'])}",
            *annotations,
            *relations,
            "</passage></document>",
        ]
    )


def _infons(item: dict[str, Any]) -> str:
    return "".join(_element(f'infon key="{key}"', value) for key, value in item["infons"].items())


def _element(tag: str, text: str) -> str:
    # a carriage return that is not escaped is read as a line end
    return f"<{tag}>{escape(text, {CARRIAGE_RETURN: '&#13;'})}</{tag.split()[0]}>"


def _to_document(position: FilePosition, text: AnnotatedText) -> dict[str, Any]:
    entities, relations = text.extraction.entities, text.extraction.relations
    if not text.text.strip():
        raise position.error("a blank text", "one with a word", "Leave it out.")
    ids = (one.kb_id for one in entities if one.kb_id)
    for name in [text.id, *ids, *(one.label for one in entities), *(one.label for one in relations)]:
        if not name or name != name.strip():
            expected = "ids and labels without white space around them"
            raise position.error(short_repr(name), expected, "Rename it.")
    annotations = [
        {
            "id": str(number),
            "infons": {"type": one.label} | ({"identifier": one.kb_id} if one.kb_id else {}),
            "text": text.text[one.start : one.end],
            "locations": [{"offset": one.start, "length": one.end - one.start}],
        }
        for number, one in enumerate(entities)
    ]
    ends = argument_indices(entities, relations, text.id)
    links = [
        {
            "id": f"R{number}",
            "infons": {"type": one.label},
            "nodes": [{"refid": str(head), "role": "arg1"}, {"refid": str(tail), "role": "arg2"}],
        }
        for number, (one, (head, tail)) in enumerate(zip(relations, ends, strict=True))
    ]
    passage = {
        "offset": 0,
        "infons": {},
        "text": text.text,
        "sentences": [],
        "annotations": annotations,
        "relations": links,
    }
    return {"id": text.id, "infons": {}, "passages": [passage], "annotations": [], "relations": []}

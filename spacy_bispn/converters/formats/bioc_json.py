"""BioC as JSON, the form of BioRED, of PubTator's exports and of the `bioc` package.

    {"documents": [{"id": "a", "passages": [{"offset": 0, "text": "ORC binds ATP", "annotations": [
      {"id": "1", "infons": {"type": "protein"}, "text": "ORC", "locations": [{"offset": 0, "length": 3}]},
      {"id": "2", "infons": {"type": "chemical"}, "text": "ATP", "locations": [{"offset": 10, "length": 3}]}],
      "relations": [{"id": "R1", "infons": {"type": "binds"},
                     "nodes": [{"refid": "1", "role": ""}, {"refid": "2", "role": ""}]}]}]}]}

What it means is that of the XML: each document is made the elements that stand for it there. A file is one
collection, a list of collections or documents, or has one a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    Counts,
    FilePosition,
    ParsedItem,
    Rules,
    corpus_format,
    short_repr,
)
from spacy_bispn.converters.bioc_writing import write_bioc_json
from spacy_bispn.converters.file_reading import read_objects
from spacy_bispn.converters.formats.bioc import parse_document
from spacy_bispn.converters.markup import Element
from spacy_bispn.converters.offsets import Offsets, unit_of
from spacy_bispn.converters.standoff import Discontiguous, Pairs

COLLECTIONS = ("documents", "PubTator3")  # keys of a list of documents
PARTS = {  # the keys of lists, and the elements that their items are
    "passages": "passage",
    "sentences": "sentence",
    "annotations": "annotation",
    "relations": "relation",
    "locations": "location",
    "nodes": "node",
}
INSIDE = {  # what is read of each element: its texts, its attributes, and the lists it holds
    "document": (("id",), (), ("passages", "annotations", "relations")),
    "passage": (("offset", "text"), (), ("sentences", "annotations", "relations")),
    "sentence": (("offset", "text"), (), ("annotations", "relations")),
    "annotation": (("text",), ("id",), ("locations",)),
    "relation": ((), ("id",), ("nodes",)),
    "location": ((), ("offset", "length"), ()),
    "node": ((), ("refid", "role"), ()),
}

SOURCE = (  # where a document comes from, and what is said again: no annotation
    "_id", "pmid", "pmcid", "meta", "created", "journal", "year", "authors", "tags",
    "relations_display",
)  # fmt: skip


def is_bioc_json(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    listed = [item[key] for key in COLLECTIONS if isinstance(item.get(key), list)]
    return isinstance(item.get("passages"), list) or any(
        not documents or (isinstance(documents[0], dict) and "passages" in documents[0])
        for documents in listed
    )


@corpus_format(
    "bioc-json",
    about="BioC JSON: BioRED, PubTator",
    recognizes=is_bioc_json,
    write=write_bioc_json,
    ids=True,
)
def read_bioc_json(
    path: Path,
    *,
    pairs: Pairs = "all",
    discontiguous: Discontiguous = "drop",
    offsets: Offsets = "characters",
    **rules: Unpack[Rules],
) -> Conversion:
    """Read a file; see `read_bioc` for what is read. Raises ConversionError on malformed input.

    An infon that is an object stands for its `identifier`, as the ends of PubTator's relations do.
    """
    numbered = ((position, item, number) for number, (position, item) in enumerate(_documents(path)))
    conversion = Conversion(**rules, offsets=unit_of(offsets))
    return conversion.add_items(_parse, numbered, pairs, discontiguous)


def _parse(
    parsed: ParsedItem,
    position: FilePosition,
    item: Any,
    number: int,
    pairs: Pairs,
    discontiguous: Discontiguous,
) -> None:
    document = _element(parsed, position, "document", item)
    parse_document(parsed, document, number, pairs, discontiguous)


def _documents(path: Path) -> Iterator[tuple[FilePosition, Any]]:
    for position, item in read_objects(path, COLLECTIONS):
        listed = [key for key in COLLECTIONS if isinstance(item, dict) and key in item]
        for key in listed:
            for number, document in enumerate(position.get(item, key, list)):
                yield FilePosition(path, f"document {number} of {position.item}"), document
        if not listed:
            yield position, item


def _element(counts: Counts, position: FilePosition, tag: str, item: Any) -> Element:
    """An element of the XML; a document has an id, which may be empty."""
    texts, attributes, lists = INSIDE[tag]
    if type(item) is not dict:
        raise position.error(short_repr(item), f"an object, a {tag}", "Check the file's format.")
    if tag == "document" and "passages" not in item:
        position.get(item, "passages", list)
    counts.drop_keys(item, {*texts, *attributes, *lists, "infons", *SOURCE}, f"a {tag}")
    element = Element(position, tag, {key: _text(position, item, key) for key in attributes if key in item})
    for key in texts:
        content = _text(position, item, key)
        if content or key == "id":
            element.children.append(Element(position, key, {}, text=content))
    for key, value in _infons(position, item):
        element.children.append(Element(position, "infon", {"key": key}, text=value))
    for key in lists:
        if item.get(key) is not None:
            children = position.get(item, key, list)
            element.children += [_element(counts, position, PARTS[key], child) for child in children]
    return element


def _text(position: FilePosition, item: Mapping[str, Any], key: str) -> str:
    """A text or a whole number, as files have them in each other's position; nothing for null."""
    return "" if item.get(key) is None else position.get_name(item, key)


def _infons(position: FilePosition, item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    infons = {} if item.get("infons") is None else position.get(item, "infons", dict)
    for key, value in infons.items():
        content = value.get("identifier") if isinstance(value, dict) else value
        if type(content) in (str, int, float):
            yield key, str(content)

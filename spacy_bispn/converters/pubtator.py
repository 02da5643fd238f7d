"""PubTator, the format of BC5CDR, BioRED and the exports of PubTator itself.

    227508|t|Naloxone reverses hypotension
    227508|a|Clonidine lowers pressure.
    227508	0	8	Naloxone	Chemical	D009270
    227508	CID	D003000	D007022

A title, an abstract, then tab-separated lines: mentions (id, start, end, text, label, ids of concepts) and
relations between concepts (id, label, head, tail). Blank lines between texts are common.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack, get_args

from spacy_bispn.converters import Conversion, Place, Rules, check_choice, read_lines, show
from spacy_bispn.converters.standoff import (
    CUT_OFF,
    Pairs,
    check_claims,
    concept_names,
    ends_with_line,
    read_number,
    relate_concepts,
)
from spacy_bispn.records import Entity

ORDER = "Put the title before a text's other lines, or check the file's format."
SEPARATOR = " "  # offsets count one character between title and abstract
TEXT_LINE = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)


@dataclass
class Block:
    """The lines of one text."""

    place: Place
    id: str
    title: str
    abstract: str | None = None
    rows: list[tuple[Place, list[str]]] = field(default_factory=list)


def recognizes(item: Any) -> bool:
    return isinstance(item, str) and _is_title(item)


def read(path: Path, pairs: Pairs = "all", **rules: Unpack[Rules]) -> Conversion:
    """Read a file. Raises ConversionError on malformed input.

    The text is title, one space, abstract. A relation between concepts becomes one between every mention
    of the head and every mention of the tail, or with `pairs="nearest"` between the two that have the
    least text between them. Reported as problems: mentions whose text is not at their offsets, and
    relations with a concept that no mention has. Columns behind those named above are not read.
    """
    check_choice("pairs", pairs, get_args(Pairs))
    conversion = Conversion(**rules)
    for lines in _texts(path):
        with conversion.attempt():
            _add(conversion, _block(lines), pairs)
    conversion.note({CUT_OFF: int(not ends_with_line(path))})
    return conversion


def _texts(path: Path) -> Iterator[list[tuple[Place, str]]]:
    """The lines of one text after the other; a title begins a text."""
    lines: list[tuple[Place, str]] = []
    for place, content in read_lines(path):
        line = place.decode(content)
        if lines and _is_title(line):
            yield lines
            lines = []
        # of what begins no text, the first line is enough for its error
        if not lines or _is_title(lines[0][1]):
            lines.append((place, line.removesuffix("\r")))  # spaces at the end of a line count
    yield lines


def _is_title(line: str) -> bool:
    found = TEXT_LINE.fullmatch(line)
    return found is not None and found[2] == "t"


def _block(lines: list[tuple[Place, str]]) -> Block:
    (first, title), *others = lines
    found = TEXT_LINE.fullmatch(title)
    if found is None or found[2] != "t":
        raise first.error(show(title), "a title, 'ID|t|...'", ORDER)
    block = Block(first, found[1], found[3])
    for place, line in others:
        text_line = TEXT_LINE.fullmatch(line)
        if (text_line[1] if text_line else line.split("\t")[0]) != block.id:
            raise place.error(show(line), f"a line of the text {block.id!r}", ORDER)
        if text_line is None:
            block.rows.append((place, line.split("\t")))
        elif block.abstract is None:
            block.abstract = text_line[3]
        else:
            raise place.error("a second abstract", "one for each title", "Remove one, or add its title.")
    return block


def _add(conversion: Conversion, block: Block, pairs: Pairs) -> None:
    if block.abstract is None:
        expected = f"the abstract, '{block.id}|a|...'"
        raise block.place.error("a title alone", expected, "Add the line; the abstract may be empty.")
    text = SEPARATOR.join((block.title, block.abstract))
    entities, claims = [], []
    mentions: dict[str, list[Entity]] = defaultdict(list)
    links: list[tuple[Place, tuple[str, str, str]]] = []
    for place, columns in block.rows:
        if _is_relation(columns):
            if len(columns) < 4 or not all(column.strip() for column in columns[1:4]):
                expected = "the columns id, label, head and tail"
                found = show("\t".join(columns))
                raise place.error(found, expected, "Complete the relation, or check the tabs.")
            label, head, tail = (column.strip() for column in columns[1:4])
            links.append((place, (head, tail, label)))
            continue
        if len(columns) < 5 or not columns[4].strip():
            expected = "the columns id, start, end, text and label"
            found = show("\t".join(columns))
            raise place.error(found, expected, "Complete the mention, or check the tabs.")
        start, end = read_number(place, columns[1]), read_number(place, columns[2])
        place.check_span(start, end, len(text), "characters")
        entity = Entity(start, end, columns[4].strip())
        entities.append(entity)
        claims.append((place, text[start:end], columns[3]))
        names = concept_names(entity.label, columns[5] if columns[5:] else "")
        if not names:
            conversion.note({"mentions without a concept": 1})
        for name in names:
            mentions[name].append(entity)
    check_claims(conversion, block.id, claims)
    relations = [
        relation
        for place, link in links
        for relation in relate_concepts(conversion, place, block.id, link, mentions, pairs)
    ]
    conversion.add(block.place, block.id, text, entities, relations)


def _is_relation(columns: list[str]) -> bool:
    """A mention has its start, and then its end, where a relation has its label and its head."""
    if len(columns) < 2 or re.fullmatch(r"\s*-?[0-9.]*\s*", columns[1]):
        return False
    # a concept may be a number too, but no relation that begins like one has all columns of a mention
    return len(columns) < 5 or re.match(r"\s*[-+.]?[0-9]", columns[1]) is None

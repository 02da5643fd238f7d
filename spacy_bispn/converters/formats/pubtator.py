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
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    FilePosition,
    ParsedItem,
    Rules,
    corpus_format,
    read_lines,
    short_repr,
)
from spacy_bispn.converters.offsets import Offsets, gather, unit_of
from spacy_bispn.converters.pubtator_writing import write_pubtator
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
# How many characters offsets count between title and abstract: usually one.
GAPS = {1: "", 0: "right behind each other", 2: "two characters after each other"}
TEXT_LINE = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)


@dataclass
class Block:
    """The lines of one text."""

    position: FilePosition
    id: str
    title: str
    abstract: str | None = None
    rows: list[tuple[FilePosition, list[str]]] = field(default_factory=list)


def is_pubtator(item: Any) -> bool:
    return isinstance(item, str) and _is_title(item)


@corpus_format(
    "pubtator", about="PubTator: BC5CDR, BioRED", recognizes=is_pubtator, write=write_pubtator, ids=True
)
def read_pubtator(
    path: Path, *, pairs: Pairs = "all", offsets: Offsets = "characters", **rules: Unpack[Rules]
) -> Conversion:
    """Read a file. Raises ConversionError on malformed input.

    The text is title, one space, abstract; no space, or two, if that makes more mentions right; the title
    alone if the abstract is empty. The id of a
    mention is its column of ids as a whole. A relation between concepts becomes one between every mention of
    the head and every mention of the tail, or with `pairs="nearest"` between the two that have the least
    text between them. Reported as problems: mentions whose text is not at their offsets, and relations with
    a concept that no mention has. Columns behind those named above are dropped and counted.
    """
    conversion = Conversion(**rules, offsets=unit_of(offsets))
    for lines in _texts(path):
        conversion.add_item(_parse, lines, pairs)
    conversion.report.note(CUT_OFF, not ends_with_line(path))
    return conversion


def _texts(path: Path) -> Iterator[list[tuple[FilePosition, str]]]:
    """The lines of one text after the other; a title begins a text."""
    lines: list[tuple[FilePosition, str]] = []
    for position, content in read_lines(path):
        line = position.decode(content)
        if lines and _is_title(line):
            yield lines
            lines = []
        # of what begins no text, the first line is enough for its error
        if not lines or _is_title(lines[0][1]):
            lines.append((position, line.removesuffix("\r")))  # spaces at the end of a line count
    yield lines


def _is_title(line: str) -> bool:
    found = TEXT_LINE.fullmatch(line)
    return found is not None and found[2] == "t"


def _block(lines: list[tuple[FilePosition, str]]) -> Block:
    (first, title), *others = lines
    found = TEXT_LINE.fullmatch(title)
    if found is None or found[2] != "t":
        raise first.error(short_repr(title), "a title, 'ID|t|...'", ORDER)
    block = Block(first, found[1], found[3])
    for position, line in others:
        text_line = TEXT_LINE.fullmatch(line)
        if (text_line[1] if text_line else line.split("\t")[0]) != block.id:
            raise position.error(short_repr(line), f"a line of the text {block.id!r}", ORDER)
        if text_line is None:
            block.rows.append((position, line.split("\t")))
        elif block.abstract is None:
            block.abstract = text_line[3]
        else:
            raise position.error("a second abstract", "one for each title", "Remove one, or add its title.")
    return block


def _parse(parsed: ParsedItem, lines: list[tuple[FilePosition, str]], pairs: Pairs) -> None:
    block = _block(lines)
    if block.abstract is None:
        expected = f"the abstract, '{block.id}|a|...'"
        raise block.position.error("a title alone", expected, "Add the line; the abstract may be empty.")
    texts = {
        gap: parsed.measured(block.title + gap * " " * bool(block.abstract) + block.abstract) for gap in GAPS
    }
    gap = max(GAPS, key=lambda gap: _count_right(block, texts[gap]))  # of several the first
    text = texts[gap]
    parsed.note(f"texts whose title and abstract lie {GAPS[gap]}", gap != 1)
    entities, claims = [], []
    mentions: dict[str, list[Entity]] = defaultdict(list)
    links: list[tuple[FilePosition, tuple[str, str, str]]] = []
    for position, columns in block.rows:
        kind, read = ("relations", 4) if _is_relation(columns) else ("mentions", 6)
        for number, value in enumerate(columns[read:], start=read + 1):
            parsed.drop(f"values in column {number} of {kind}", bool(value.strip()))
        if kind == "relations":
            if len(columns) < 4 or not all(column.strip() for column in columns[1:4]):
                expected = "the columns id, label, head and tail"
                found = short_repr("\t".join(columns))
                raise position.error(found, expected, "Complete the relation, or check the tabs.")
            label, head, tail = (column.strip() for column in columns[1:4])
            links.append((position, (head, tail, label)))
            continue
        if len(columns) < 5 or not columns[4].strip():
            expected = "the columns id, start, end, text and label"
            found = short_repr("\t".join(columns))
            raise position.error(found, expected, "Complete the mention, or check the tabs.")
        start, end = read_number(position, columns[1]), read_number(position, columns[2])
        position.check_span(start, end, len(text), "characters")
        ids = columns[5].strip() if columns[5:] else ""
        names = concept_names(columns[4].strip(), ids)
        entity = Entity(start, end, columns[4].strip(), kb_id=ids if names else "")
        entities.append(entity)
        claims.append((position, gather(text[start:end]), columns[3]))
        if not names:
            parsed.note("mentions without a concept")
        for name in names:
            mentions[name].append(entity)
    check_claims(parsed, block.id, claims)
    relations = [
        relation
        for position, link in links
        for relation in relate_concepts(parsed, position, block.id, link, mentions, pairs)
    ]
    parsed.add(block.position, block.id, text, entities, relations)


def _count_right(block: Block, text: str) -> int:
    """How many mentions mark the words that they say, if this is the text."""
    right = 0
    for _, columns in block.rows:
        # what is no mention, or none that can be read, is found later
        if len(columns) > 3 and all(re.fullmatch("[0-9]{1,12}", column) for column in columns[1:3]):
            words = columns[3].split()
            right += bool(words) and gather(text[int(columns[1]) : int(columns[2])]).split() == words
    return right


def _is_relation(columns: list[str]) -> bool:
    """A mention has its start, and then its end, where a relation has its label and its head."""
    if len(columns) < 2 or re.fullmatch(r"\s*-?[0-9.]*\s*", columns[1]):
        return False
    # a concept may be a number too, but no relation that begins like one has all columns of a mention
    return len(columns) < 5 or re.match(r"\s*[-+.]?[0-9]", columns[1]) is None

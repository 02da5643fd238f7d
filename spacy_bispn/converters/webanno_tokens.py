"""The header and the tokens of a WebAnno TSV file, and the text that they are put together to.

Each sentence has its text (`#Text=`) and a line for each of its tokens, with offsets in the document. What
stood between two sentences is not in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from spacy_bispn.converters import FilePosition, ParsedItem, read_text, short_repr
from spacy_bispn.converters.layers import UnitOffsets
from spacy_bispn.converters.standoff import Claim, check_claims

HEADER = "#FORMAT=WebAnno TSV 3"
TEXT = "#Text="
LAYER = re.compile(r"#T_(SP|CH|RL)=([^|]+)(.*)")
UNIT = re.compile(r"([0-9]+-[0-9]+)(?:\.[0-9]+)?")
OFFSETS = re.compile(r"([0-9]{1,12})-([0-9]{1,12})")
ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "b": "\b"}
Row = tuple[FilePosition, tuple[int, int], list[str]]  # a line of a token: its offsets, its cells


class Column(NamedTuple):
    """What a column of a layer holds: a feature, roles or targets of slots, or sources of relations."""

    kind: str  # "feature", "role", "target" or "source"
    name: str  # of the feature, or of the layer that is pointed at


@dataclass
class Layer:
    """A layer of the header and its columns, counted from the first behind the token."""

    kind: str  # "SP", "CH" or "RL"
    name: str
    first: int
    columns: list[Column]


@dataclass
class Unit:
    """A token or a part of one: where it is in the text, and its cells."""

    position: FilePosition
    id: str
    start: int
    end: int
    cells: list[str]


@dataclass
class Sentence:
    """A sentence: the lines of its text and of its tokens."""

    position: FilePosition
    lines: list[str]  # of its text
    rows: list[tuple[FilePosition, list[str]]] = field(default_factory=list)


def parse_tokens(path: Path) -> tuple[str, list[Layer], list[Sentence]]:
    """The version, the layers and the sentences of a file."""
    layers: list[Layer] = []
    sentences: list[Sentence] = []
    version = ""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        position = FilePosition(path, f"line {number}")
        line = line.removesuffix("\r")
        if not version:
            if line.strip() and not line.startswith(HEADER):
                raise position.error(
                    short_repr(line), f"{HEADER!r} and a version", "Export the document as TSV 3."
                )
            version = line.removeprefix("#FORMAT=WebAnno TSV ").strip()
        elif match := LAYER.fullmatch(line):
            first = sum(len(layer.columns) for layer in layers)
            layers.append(Layer(match[1], match[2], first, list(_columns(position, match[1], match[3]))))
        elif line.startswith(TEXT):
            if not sentences or sentences[-1].rows:
                sentences.append(Sentence(position, []))
            sentences[-1].lines.append(line.removeprefix(TEXT))
        elif line.strip() and not line.startswith("#"):
            if not sentences or not UNIT.fullmatch(line.split("\t")[0]):
                expected = "a token, such as '1-1', below the text of its sentence"
                raise position.error(short_repr(line), expected, "Check the file's format.")
            sentences[-1].rows.append((position, line.split("\t")))
    return version, layers, sentences


def _columns(position: FilePosition, kind: str, features: str) -> Iterator[Column]:
    names = features.removeprefix("|").split("|")
    role = False
    for name in names:
        if kind == "RL" and name.startswith("BT_"):
            yield Column("source", name.removeprefix("BT_"))
        elif role:
            yield Column("target", name)
        elif kind == "SP" and name.startswith("ROLE_"):
            yield Column("role", name.partition(":")[2].rpartition("_")[0] or name)
        else:
            yield Column("feature", name)
        role = kind == "SP" and name.startswith("ROLE_") and not role
    if role:
        found = f"the slots {short_repr(names[-1])} without a column of their targets"
        raise position.error(found, "the type of their targets behind them", "Export the document again.")


def lay_out(
    parsed: ParsedItem, text_id: str, sentences: list[Sentence], width: int, version: str
) -> tuple[str, list[int], list[Unit]]:
    """The text of a document, where its sentences begin, and its tokens."""
    parts: list[str] = []
    starts: list[int] = []
    units: list[Unit] = []
    claims: list[Claim] = []
    length, passed = 0, 0  # of what is laid out: in characters, and where the file says that it ends
    for sentence in sentences:
        rows = [(position, _offsets(position, cells, width), cells) for position, cells in sentence.rows]
        begin = rows[0][1][0] if rows else passed
        if parts and (begin != passed or not rows):
            parts.append(" ")
            length += 1
        parsed.note("sentences whose offsets begin anew", int(begin < passed))
        text, spans, in_units = _place(sentence, rows, version)
        parsed.note("sentences whose offsets count characters, not UTF-16 units", int(not in_units))
        for (position, _, cells), (start, end) in zip(rows, spans, strict=True):
            if not 0 <= start <= end <= len(text):
                expected = f"a token of its sentence, which has {len(text)} characters from offset {begin}"
                advice = "Check the offsets against the text."
                raise position.error(f"the offsets {cells[1]!r}", expected, advice)
            if "." not in cells[0]:
                claims.append((position, text[start:end], _claimed(text[start:end], cells[2], version)))
            units.append(Unit(position, cells[0], length + start, length + end, cells[3:]))
        starts.append(length)
        parts.append(text)
        length += len(text)
        passed = begin + (len(text.encode("utf-16-le")) // 2 if in_units else len(text))
    check_claims(parsed, text_id, claims)
    return "".join(parts), starts, units


def _place(sentence: Sentence, rows: list[Row], version: str) -> tuple[str, list[tuple[int, int]], bool]:
    """The text of a sentence, its tokens in it, and whether their offsets count UTF-16 units.

    The first token is at the beginning of the text. Some writers leave white space before it, count
    characters or escape nothing: that is taken where it makes every token right.
    """
    written = "\n".join(sentence.lines)
    begin = rows[0][1][0] if rows else 0
    ways: list[tuple[str, list[tuple[int, int]], bool]] = []
    for text in dict.fromkeys((unescape(written, version), written)):
        for count, in_units in ((UnitOffsets(text).characters, True), (int, False)):
            for shift in dict.fromkeys((0, len(text) - len(text.lstrip()))):
                spans = [
                    (count(start - begin) + shift, count(end - begin) + shift) for _, (start, end), _ in rows
                ]
                ways.append((text, spans, in_units))
    for text, spans, in_units in ways:
        marked = [text[max(start, 0) : max(end, 0)] for start, end in spans]
        if all(part == _claimed(part, row[2][2], version) for part, row in zip(marked, rows, strict=True)):
            return text, spans, in_units
    return ways[0]


def _claimed(marked: str, token: str, version: str) -> str:
    """The text of a token, in which some writers escape characters and some do not."""
    return token if token == marked else unescape(token, version)


def _offsets(position: FilePosition, cells: list[str], width: int) -> tuple[int, int]:
    if len(cells) < 3 + width:
        expected = f"an id, offsets, a token and the {width} columns of the header"
        raise position.error(f"{len(cells)} columns", expected, "Export the document again.")
    offsets = OFFSETS.fullmatch(cells[1])
    if offsets is None:
        raise position.error(short_repr(cells[1]), "two offsets, such as '0-3'", "Export the document again.")
    return int(offsets[1]), int(offsets[2])


def unescape(text: str, version: str) -> str:
    """The text without escapes; those of Java by their number are of the oldest versions."""
    number = r"u[0-9a-fA-F]{4}|" if version in ("3", "3.0", "3.1") else ""

    def plain(match: re.Match[str]) -> str:
        escape = match[1]
        return chr(int(escape[1:], 16)) if len(escape) == 5 else ESCAPES.get(escape, escape)

    found = re.sub(rf"\\({number}->|.)", plain, text, flags=re.DOTALL)
    return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

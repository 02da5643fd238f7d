"""What offsets count: characters, as Python does, or UTF-16 units, as JavaScript and Java do.

A character beyond U+FFFF, such as an emoji, is two units. Readers index a text as its offsets count it, see
`spread`; `ParsedItem.add` turns such a text and its entities back into characters.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from spacy_bispn.records import AnnotatedText

Unit = Literal["characters", "utf-16"]
Offsets = Annotated[Literal["auto", "characters", "utf-16"], "What offsets count"]

UNITS: tuple[Unit, Unit] = ("characters", "utf-16")
WORDS: dict[Unit, str] = {"characters": "characters", "utf-16": "UTF-16 units"}
TWO_UNITS = re.compile("[\U00010000-\U0010ffff]")
FILLER = "\ud800"  # half of a pair, which is in no text: UTF-8 and our parsers of JSON refuse it
# How such a character may begin in a file: in UTF-8, as an escape of JSON or Python, as an entity of XML.
ESCAPED = re.compile(rb"[\xf0-\xf4]|\\u(?:0000)?[dD][89abAB]|\\U|&#")
TRIMMED = "entities with white space at an edge, which was cut off"  # noted
IN_CHARACTERS = "texts whose offsets count characters, though the tool may count UTF-16 units"  # noted
LONGEST = 10  # bytes of what is looked for, and a little more
CHUNK = 2**20
# Scripts that write no space between words, so that nothing shows the end of a word.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff]"
)


def spread(text: str) -> str:
    """The text with a filler behind each character that is two UTF-16 units: its length counts units."""
    return TWO_UNITS.sub(rf"\g<0>{FILLER}", text)


def gather(text: str) -> str:
    """The characters of a text, or of a part of one, that was `spread`."""
    return text.replace(FILLER, "")


class Gathered:
    """Characters instead of the UTF-16 units of a text that was `spread`."""

    def __init__(self, text: str) -> None:
        self.text = gather(text)
        self._fillers = [number for number, char in enumerate(text) if char == FILLER]

    def offset(self, unit: int) -> int:
        """The character at a unit; the one behind it, if the unit is the second half of a character."""
        return unit - bisect_left(self._fillers, unit)

    def splits(self, unit: int) -> bool:
        """Whether a unit is the second half of a character."""
        at = bisect_left(self._fillers, unit)
        return self._fillers[at : at + 1] == [unit]


def may_differ(path: Path) -> bool:
    """Whether a file, or one of a folder, may hold a character that is two UTF-16 units."""
    files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
    return any(_holds(file) for file in files)


def _holds(path: Path) -> bool:
    with path.open("rb") as file:
        before = b""
        while data := file.read(CHUNK):
            if ESCAPED.search(before + data):
                return True
            before = data[-LONGEST:]
    return False


class Faults:
    """How often offsets do not fit the words of the texts that have characters of two UTF-16 units."""

    def __init__(self) -> None:
        self.texts = self.count = 0

    def add(self, text: AnnotatedText) -> None:
        """Count the ends of entities that lie inside a word."""
        if TWO_UNITS.search(text.text):
            self.texts += 1
            edges = (edge for entity in text.extraction.entities for edge in (entity.start, entity.end))
            self.count += sum(_is_in_word(text.text, edge) for edge in edges)


def _is_in_word(text: str, edge: int) -> bool:
    around = text[max(edge - 1, 0) : edge + 1]
    return len(around) == 2 and around.isalnum() and not UNSPACED.search(around)


def find_unit(read: Callable[..., Any], path: Path, usual: Unit, rules: dict[str, Any]) -> tuple[Unit, int]:
    """What the offsets of a file count, and in how many texts that makes a difference.

    The file is read in both ways. The one is taken in which fewer ends of entities lie inside words, and
    fewer items are problems or cannot be read; of equal ones, and of a pipe, the usual.
    """
    if not (path.is_file() or path.is_dir()) or not may_differ(path):
        return usual, 0
    found: dict[Unit, tuple[int, int]] = {}
    for unit in UNITS:
        faults = Faults()
        asked = {name: value for name, value in rules.items() if name != "starts"}
        report = read(path, **asked | {"offsets": unit, "lenient": True, "take": faults.add}).report
        wrong = faults.count + report.noted[TRIMMED] + len(report.problems) + 2 * len(report.errors)
        found[unit] = wrong, faults.texts
    other: Unit = "characters" if usual == "utf-16" else "utf-16"
    unit = other if found[other][0] < found[usual][0] else usual
    return unit, max(texts for _, texts in found.values())


def unit_of(offsets: Offsets) -> Unit:
    """What a reader's option says; "auto" is answered before a reader is called, see `corpus_format`."""
    return "utf-16" if offsets == "utf-16" else "characters"

"""Texts to predict on, one after the other: lines of a text file, or objects of JSON Lines."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from spacy_bispn.converters import ConversionError, FilePosition, short_repr
from spacy_bispn.settings import SettingError

SUFFIXES = (".txt", ".jsonl")


@dataclass(frozen=True)
class Source:
    """One text: its position among all, counted from 0, its id, and why it cannot be read, if so."""

    position: int
    id: str
    text: str
    error: str = ""


def stream_texts(path: Path, first: int = 0) -> Iterator[Source]:
    """The texts of a `.txt` or `.jsonl` file from position `first` on; blank lines do not count.

    A text without an id has its position as its id. A line that cannot be read is a Source with an error.

    Raises SettingError for another suffix.
    """
    if path.suffix not in SUFFIXES:
        advice = (
            'write one text a line in a .txt file, or one object with the key "text" a line in a .jsonl file'
        )
        raise SettingError(f"the suffix of {path}", path.suffix, " or ".join(SUFFIXES), advice)
    for position, (number, line) in islice(enumerate(_lines(path)), first, None):
        yield _to_source(FilePosition(path, f"line {number}"), line, position)


def count_texts(path: Path) -> int:
    """How many texts a file has."""
    return sum(1 for _ in _lines(path))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    # Bytes: a line that is no UTF-8 spoils no other, and only "\n" ends a line.
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(BOM_UTF8) if number == 1 else line
            if content.strip():
                yield number, content.rstrip(b"\r\n")


def _to_source(at: FilePosition, line: bytes, position: int) -> Source:
    try:
        content = line.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong = at.error(f"undecodable bytes ({error})", "UTF-8 text", "Save the file as UTF-8.")
        return Source(position, str(position), "", str(wrong))
    if at.path.suffix == ".txt":
        return Source(position, str(position), content)
    try:
        item = at.parse(content)
        text = at.get(item, "text", str)
        name = item.get("id", position)
        if type(name) not in (str, int):
            raise at.error(f"'id': {short_repr(name)}", "a string or a whole number", "Change the id.")
    except ConversionError as error:
        return Source(position, str(position), "", str(error))
    return Source(position, str(name), text)

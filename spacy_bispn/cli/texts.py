"""Texts to predict on: lines of a text file, objects of JSON Lines, or the files of a folder."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from spacy_bispn.converters import ConversionError, FilePosition, short_repr
from spacy_bispn.settings import SettingError, Shown

SUFFIXES = (".txt", ".jsonl")


@dataclass(frozen=True)
class Source:
    """One text: its position among all, counted from 0, its id, and why it cannot be read, if so."""

    position: int
    id: str
    text: str
    error: str = ""


def stream_texts(path: Path, first: int = 0) -> Iterator[Source]:
    """The texts of a `.txt` or `.jsonl` file, or of a folder, from position `first` on.

    Of a file each line is a text, blank ones do not count; a text without an id has its position as its id.
    Of a folder each `.txt` file in it and in its subfolders is a text, whose id is its path in the folder
    without the suffix; blank ones do not count. What cannot be read is a Source with an error.

    Raises SettingError for another suffix, and for a folder without `.txt` files.
    """
    if path.is_dir():
        yield from islice(_stream_folder(path), first, None)
        return
    if path.suffix not in SUFFIXES:
        advice = (
            'write one text a line in a .txt file, or one object with the key "text" a line in a .jsonl file'
        )
        raise SettingError(f"the suffix of {path}", path.suffix, " or ".join(SUFFIXES), advice)
    for position, (number, line) in islice(enumerate(_lines(path)), first, None):
        yield _to_source(FilePosition(path, f"line {number}"), line, position)


def count_texts(path: Path) -> int:
    """How many texts a file or a folder has."""
    return sum(1 for _ in (_stream_folder(path) if path.is_dir() else _lines(path)))


def describe(path: Path, total: int) -> str:
    """What was taken for a text, and what for none, in words."""
    if not path.is_dir():
        return f"{total} texts: the lines of {path} that are not blank"
    names = [file for file in path.rglob("*") if file.is_file()]
    taken = text_files(path)
    return (
        f"{total} texts: the .txt files of {path} and its subfolders, one text each "
        f"({len(taken) - total} blank ones and {len(names) - len(taken)} other files are left out)"
    )


def text_files(folder: Path) -> list[Path]:
    """The `.txt` files of a folder and its subfolders by their paths; hidden ones do not count."""
    found = (file for file in folder.rglob("*.txt") if file.is_file())
    return sorted(
        file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _stream_folder(folder: Path) -> Iterator[Source]:
    files = text_files(folder)
    if not files:
        advice = "give the folder that holds them, or one .txt or .jsonl file of texts"
        raise SettingError(str(folder), Shown("a folder without .txt files"), "some, a text each", advice)
    position = 0
    for file in files:
        name = file.relative_to(folder).with_suffix("").as_posix()
        content = file.read_bytes().removeprefix(BOM_UTF8)
        if content.strip():
            yield _decoded(FilePosition(file, "whole file"), content, position, name)
            position += 1


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    # Bytes: a line that is no UTF-8 spoils no other, and only "\n" ends a line.
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(BOM_UTF8) if number == 1 else line
            if content.strip():
                yield number, content.rstrip(b"\r\n")


def _decoded(at: FilePosition, content: bytes, position: int, name: str) -> Source:
    try:
        return Source(position, name, at.decode(content))
    except ConversionError as error:
        return Source(position, name, "", str(error))


def _to_source(at: FilePosition, line: bytes, position: int) -> Source:
    source = _decoded(at, line, position, str(position))
    if at.path.suffix == ".txt" or source.error:
        return source
    try:
        item = at.parse(source.text)
        text = at.get(item, "text", str)
        name = item.get("id", position)
        if type(name) not in (str, int):
            raise at.error(f"'id': {short_repr(name)}", "a string or a whole number", "Change the id.")
    except ConversionError as error:
        return Source(position, str(position), "", str(error))
    return Source(position, str(name), text)

"""Texts to predict on: lines of a text file, objects of JSON Lines, or the files of a folder."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from glob import glob
from itertools import islice
from pathlib import Path

from spacy_bispn.batch_inference.annotate import Source
from spacy_bispn.converters import ConversionError, FilePosition, short_repr
from spacy_bispn.settings import SettingError, Shown

SUFFIXES = (".txt", ".jsonl")


def stream_texts(path: Path, first: int = 0) -> Iterator[Source]:
    """The texts of a `.txt` or `.jsonl` file, of the files of a glob, or of a folder, from `first` on.

    Of files each line is a text, blank ones do not count; a text without an id has its position as its id.
    Of a folder each `.txt` file in it and in its subfolders is a text, whose id is its path in the folder
    without the suffix; blank ones do not count. What cannot be read is a Source with an error.

    Raises SettingError for no file, another suffix, and a folder without `.txt` files.
    """
    if path.is_dir():
        yield from islice(_stream_folder(path), first, None)
        return
    files = line_files(path)
    lines = ((file, number, line) for file in files for number, line in _lines(file))
    for position, (file, number, line) in islice(enumerate(lines), first, None):
        yield parse_line(FilePosition(file, f"line {number}"), line, position, str(position))


def line_files(path: Path) -> list[Path]:
    """The file, or those of a glob by their paths. Raises SettingError for none or another suffix."""
    found = [path] if path.exists() else sorted(map(Path, glob(str(path), recursive=True)))
    files = [file for file in found if file.is_file()]
    if not files:
        advice = "correct it; a glob stands in quotes, as 'texts/**/*.jsonl'"
        raise SettingError(
            "SOURCE", Shown(f"{path}, where there is no file"), "a file, folder or glob", advice
        )
    for file in files:
        if file.suffix not in SUFFIXES:
            advice = (
                'write one text a line in a .txt file, or one object with the key "text" a line in a .jsonl '
                "file; --engine reads .parquet too"
            )
            raise SettingError(f"the suffix of {file}", file.suffix, " or ".join(SUFFIXES), advice)
    return files


def count_texts(path: Path) -> int:
    """How many texts a file, the files of a glob, or a folder has."""
    if path.is_dir():
        return sum(1 for _ in _stream_folder(path))
    return sum(1 for file in line_files(path) for _ in _lines(file))


def describe(path: Path, total: int) -> str:
    """What was taken for a text, and what for none, in words."""
    if not path.is_dir():
        files = "" if path.exists() else f"{len(line_files(path))} files of "
        return f"{total} texts: the lines of {files}{path} that are not blank"
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
            yield decode_text(FilePosition(file, "whole file"), content, position, name)
            position += 1


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    # Bytes: a line that is no UTF-8 spoils no other, and only "\n" ends a line.
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(BOM_UTF8) if number == 1 else line
            if content.strip():
                yield number, content.rstrip(b"\r\n")


def decode_text(at: FilePosition, content: bytes, position: int, name: str) -> Source:
    """A text with an id, or the error where it is no UTF-8."""
    try:
        return Source(position, name, at.decode(content))
    except ConversionError as error:
        return Source(position, name, "", str(error))


def parse_line(at: FilePosition, line: bytes, position: int, name: str) -> Source:
    """The text of a line of a `.txt` or `.jsonl` file, or why it has none; `name` is its default id."""
    source = decode_text(at, line.rstrip(b"\r\n"), position, name)
    if at.path.suffix == ".txt" or source.error:
        return source
    try:
        item = at.parse(source.text)
        text = at.get(item, "text", str)
        found = item.get("id", name)
        if type(found) not in (str, int):
            raise at.error(f"'id': {short_repr(found)}", "a string or a whole number", "Change the id.")
    except ConversionError as error:
        return Source(position, name, "", str(error))
    return Source(position, str(found), text)

"""Files in, values out: every error says where, what was found, what was expected, what to do."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8, getincrementaldecoder
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from spacy_bispn.converters.json_list import (
    NoList,
    check_encodable,
    parse_beginning,
    parse_list,
    parse_objects,
    unique_keys,
)
from spacy_bispn.converters.literals import parse_literal

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

# What the parsers of JSON and of Python literals raise, deep nesting included.
UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)

CHUNK = 2**20  # bytes read at once
ZIP = b"PK\x03\x04"  # what an archive begins with
LIST = "a list with at least one item"
WHOLE_LINES = (
    "JSON with a whole object in each line",
    "Check the file's format. If objects take several lines, `jq -c . FILE` puts each into one.",
)
UTF8 = ("UTF-8 text", "Save the file as UTF-8.")


class ConversionError(ValueError):
    """Input that cannot be read: where, what was found, what was expected, what to do."""


@dataclass(frozen=True)
class FilePosition:
    """A position in a file, and the checks whose errors name it."""

    path: Path
    item: str

    def error(self, found: str, expected: str, advice: str) -> ConversionError:
        return ConversionError(f"{self.path}, {self.item}: found {found}, expected {expected}. {advice}")

    def decode(self, content: bytes, encoding: str = "utf-8") -> str:
        """The text of some bytes."""
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            raise self.error(f"undecodable bytes ({error})", *UTF8) from error

    def parse(self, line: str | bytes) -> Any:
        """The JSON value in a line."""
        content = line if isinstance(line, str) else self.decode(line)
        try:
            return self._encodable(json.loads(content, object_pairs_hook=unique_keys), content)
        except json.JSONDecodeError as error:
            # of one line of a file, the parser's own number would be another
            where = f"line {error.lineno} " * ("\n" in content) + f"column {error.colno}"
            found = f"invalid JSON ({error.msg}: {where})"
            lines = self.item.startswith("line ") and error.pos >= len(content.rstrip())
            raise self.error(
                found, *(WHOLE_LINES if lines else ("JSON", "Check the file's format."))
            ) from error
        except UNREADABLE as error:
            raise self.error(f"invalid JSON ({error})", "JSON", "Check the file's format.") from error

    def literal(self, line: bytes) -> Any:
        """The Python literal in a line; nothing is evaluated."""
        content = self.decode(line)
        try:
            return self._encodable(parse_literal(content), content)
        except UNREADABLE as error:
            said = str(error).split(": <ast.")[0]  # without the address of a node
            found = f"no Python literal ({said})"
            raise self.error(found, "a Python literal", "Check the file's format.") from error

    def get(self, item: Any, key: str, kind: type[T], default: T | None = None) -> T:
        """`item[key]`, which must be of the given JSON type; a key with a default may be missing or null."""
        if type(item) is not dict:
            raise self.error(short_repr(item), f"an object with the key {key!r}", "Check the file's format.")
        if item.get(key) is None and default is not None:
            return default
        if key not in item:
            keys = ", ".join(map(repr, item)) or "none"
            raise self.error(f"the keys {keys}", f"the key {key!r}", "Add it, or check the file's format.")
        # Exactly this type: in Python True is an int, in JSON it is not a number.
        if type(item[key]) is not kind:
            advice = f"Change the value of {key!r}."
            raise self.error(f"{key!r}: {short_repr(item[key])}", f"a value of type {kind.__name__}", advice)
        return item[key]  # type: ignore[no-any-return]

    def get_id(self, item: Any, key: str, number: int) -> str:
        """The id `item[key]`, a string or a whole number; where there is none, the position, from 0."""
        value = item.get(key) if type(item) is dict else self.get(item, key, str)
        if value is None:
            return str(number)
        if type(value) not in (str, int):
            raise self.error(
                f"{key!r}: {short_repr(value)}", "a string or a whole number", f"Change the value of {key!r}."
            )
        return str(value)

    def get_name(self, item: Any, key: str) -> str:
        """The name `item[key]` of something in the file, a string or a whole number."""
        missing = type(item) is not dict or item.get(key) is None
        return self.get(item, key, str) if missing else self.get_id(item, key, 0)

    def row(self, value: Any, *kinds: type, of: type[Sequence[Any]] = list) -> list[Any]:
        """`value`, which must be a list (or another sequence, `of`) of exactly these JSON types."""
        if not isinstance(value, of) or [type(cell) for cell in value] != list(kinds):
            names = ", ".join(kind.__name__ for kind in kinds)
            raise self.error(short_repr(value), f"a {of.__name__} of [{names}]", "Change the value.")
        return list(value)

    def strings(self, item: Any, key: str) -> list[str]:
        """`item[key]`, which must be a list of strings."""
        values = self.get(item, key, list)
        return self.row(values, *[str] * len(values))

    def pick(self, choices: Sequence[T], index: int, what: str) -> T:
        """`choices[index]`, counting from 0."""
        if not 0 <= index < len(choices):
            expected = f"one of {len(choices)}, counted from 0"
            raise self.error(f"a relation to {what} {index}", expected, _add_or_correct(what))
        return choices[index]

    def find(self, known: Mapping[K, T], key: K, what: str) -> T:
        """`known[key]`: an argument that is named by its id or its place."""
        if key not in known:
            expected = f"one of the {len(known)} listed"
            raise self.error(f"a relation to {what} {key!r}", expected, _add_or_correct(what))
        return known[key]

    def check_span(self, start: int, end: int, length: int, unit: str) -> None:
        """Raise unless `start` to `end` (exclusive) is a non-empty stretch of `length` units."""
        if not 0 <= start < end <= length:
            expected = f"0 <= start < end <= {length} {unit}"
            raise self.error(f"the span {start} to {end}", expected, "Check the offsets against the text.")

    def _encodable(self, value: Any, content: str) -> Any:
        check_encodable(value, content)
        return value


def _add_or_correct(what: str) -> str:
    return f"Add the {what.removeprefix('the ')} or correct it."


def read_json(path: Path) -> tuple[FilePosition, Any]:
    """The value of a JSON file."""
    position = FilePosition(path, "whole file")
    return position, position.parse(read_text(path))


def read_items(path: Path) -> Iterator[tuple[FilePosition, Any]]:
    """The items of a JSON list, counted from 0, one after the other: a large file has many."""
    return _located(path, parse_list(_decoded(path)))


def read_objects(path: Path, lists: Collection[str] = ()) -> Iterator[tuple[FilePosition, Any]]:
    """The items of a JSON list, or the objects of a file, counted from 0, one after the other.

    lists: keys of lists whose items are wanted in place of the object that they stand in.
    """
    return _located(path, parse_objects(_decoded(path), lists))


def _located(path: Path, items: Iterator[tuple[int, Any]]) -> Iterator[tuple[FilePosition, Any]]:
    position = FilePosition(path, "whole file")
    empty = True
    try:
        for number, (line, item) in enumerate(items):
            empty = False
            yield FilePosition(path, f"item {number} in line {line}"), item
    except NoList as error:
        raise position.error(short_repr(error.value), LIST, "Check the file's format.") from error
    except ConversionError:
        raise
    except UNREADABLE as error:
        raise position.error(f"invalid JSON ({error})", "JSON", "Check the file's format.") from error
    if empty:
        raise position.error("[]", LIST, "Check the file's format.")


def read_lines(path: Path) -> Iterator[tuple[FilePosition, bytes]]:
    """The lines of a file, counted from 1, one after the other; blank lines are skipped.

    They are bytes, so that one that is no UTF-8 spoils no other.
    """
    blank = True
    with _open(path) as file:
        # Only "\n" ends a line: text files would also cut at separators inside strings.
        for number, content in enumerate(file, start=1):
            line = (content.removeprefix(BOM_UTF8) if number == 1 else content).removesuffix(b"\n")
            if line.decode(errors="replace").strip():
                blank = False
                yield FilePosition(path, f"line {number}"), line
    if blank:
        raise _empty(path)


def first_item(path: Path) -> Any:
    """What a file begins with: an item of a JSON list, of JSON Lines or of lines of Python literals.

    A file of another kind gives its first line, a folder its path.
    """
    if path.is_dir():
        return path
    with suppress(ConversionError):
        return next(read_items(path))[1]
    position, first = next(read_lines(path))
    if first.startswith(ZIP):
        return ZIP.decode()
    line = position.decode(first).strip()
    for parse in (json.loads, parse_literal) if len(line) <= CHUNK else ():
        with suppress(*UNREADABLE):
            value = parse(line)
            return value[0] if isinstance(value, list) and value else value
    if line.startswith("{"):  # an object of several lines, or of a long one
        with suppress(*UNREADABLE):
            small = path.stat().st_size <= CHUNK
            return json.loads(read_text(path)) if small else parse_beginning(_decoded(path))
    return _with_root(path, line) if line.startswith("<") else line


def _with_root(path: Path, line: str) -> str:
    """The first line of an XML file and the tag of its root, without its end, where that stands below it."""
    beginning = re.sub(r"<!--.*?(-->|$)", "", next(_decoded(path)), flags=re.DOTALL)
    root = re.search(r"<[^\W\d][^>]*", beginning)
    return line if root is None or root[0] in line else f"{line} {root[0]}>"


def read_text(path: Path, exactly: bool = False) -> str:
    """The content of a file, which must be UTF-8 and not blank; a byte order mark is left out.

    exactly: the byte order mark stays, and the file may be blank.
    """
    content = read_bytes(path, blank=exactly)
    return FilePosition(path, "whole file").decode(content, "utf-8" if exactly else "utf-8-sig")


def read_bytes(path: Path, blank: bool = False) -> bytes:
    """The content of a file; `blank` says whether there may be nothing in it."""
    return b"".join(read_chunks(path, blank))


def read_chunks(path: Path, blank: bool = False) -> Iterator[bytes]:
    """The content of a file in parts; `blank` says whether there may be nothing in it."""
    with _open(path) as file:
        while data := file.read(CHUNK):
            blank = blank or bool(data.removeprefix(BOM_UTF8).strip())
            yield data
    if not blank:
        raise _empty(path)


def _decoded(path: Path) -> Iterator[str]:
    """The text of a file in parts, without a byte order mark."""
    decoder, passed = getincrementaldecoder("utf-8-sig")(), 0
    for data in chain(read_chunks(path), [b""]):
        passed += len(data)
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            at = passed - len(error.object) + error.start  # in the file: what is decoded ends at `passed`
            found = f"undecodable bytes ({error.reason} at byte {at})"
            raise FilePosition(path, "whole file").error(found, *UTF8) from error
        if text:
            yield text


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except IsADirectoryError as error:
        raise folder_error(path, "a folder", "a file") from error


def folder_error(path: Path, found: str, expected: str, advice: str = "") -> ConversionError:
    """The error for a folder that is not what was expected: which of its folders or files to give."""
    inside = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    folders = [file.name for file in inside if file.is_dir()]
    folders.sort(key=lambda name: not any((path / name).glob("[!.]*.ann")))  # these are likely meant
    kinds = Counter(file.suffix or file.name for file in inside if file.is_file())
    files = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5)) or "none"
    named = ", ".join(folders[:5]) + f" and {len(folders) - 5} more" * (len(folders) > 5) or "none"
    ways = f"Give the folder that holds them (folders in this one: {named}), or one of its files ({files})."
    return FilePosition(path, "whole folder").error(found, expected, f"{ways} {advice}".strip())


def _empty(path: Path) -> ConversionError:
    advice = "Check the path, or fetch the file again."
    return FilePosition(path, "whole file").error("an empty file", "at least one text", advice)


def short_repr(value: Any, limit: int = 60) -> str:
    """A value as it fits into an error message."""
    shown = repr(value)
    return shown if len(shown) <= limit else f"{shown[:limit]}..."

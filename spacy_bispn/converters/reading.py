"""Files in, values out: every error says where, what was found, what was expected, what to do."""

from __future__ import annotations

import ast
import json
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from spacy_bispn.converters.json_list import NoList, check_encodable, parse_list, unique_keys
from spacy_bispn.records import Entity

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

# What the parsers of JSON and of Python literals raise, deep nesting included.
UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)

CHUNK = 2**20  # bytes read at once
LARGEST = 64  # bits of a number, more than any offset has
LIST = "a list with at least one item"
UTF8 = ("UTF-8 text", "Save the file as UTF-8.")


class ConversionError(ValueError):
    """Input that cannot be read: where, what was found, what was expected, what to do."""


@dataclass(frozen=True)
class Place:
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
            raise self.error(found, "JSON", "Check the file's format.") from error
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
        """`item[key]`, which must be of the given JSON type; a key with a default may be missing."""
        if type(item) is not dict:
            raise self.error(show(item), f"an object with the key {key!r}", "Check the file's format.")
        if key not in item and default is not None:
            return default
        if key not in item:
            keys = ", ".join(map(repr, item)) or "none"
            raise self.error(f"the keys {keys}", f"the key {key!r}", "Add it, or check the file's format.")
        # Exactly this type: in Python True is an int, in JSON it is not a number.
        if type(item[key]) is not kind:
            advice = f"Change the value of {key!r}."
            raise self.error(f"{key!r}: {show(item[key])}", f"a value of type {kind.__name__}", advice)
        return item[key]  # type: ignore[no-any-return]

    def row(self, value: Any, *kinds: type, of: type[Sequence[Any]] = list) -> list[Any]:
        """`value`, which must be a list (or another sequence, `of`) of exactly these JSON types."""
        if not isinstance(value, of) or [type(cell) for cell in value] != list(kinds):
            names = ", ".join(kind.__name__ for kind in kinds)
            raise self.error(show(value), f"a {of.__name__} of [{names}]", "Change the value.")
        return list(value)

    def strings(self, item: Any, key: str) -> list[str]:
        """`item[key]`, which must be a list of strings."""
        values = self.get(item, key, list)
        return self.row(values, *[str] * len(values))

    def pick(self, choices: Sequence[T], index: int, what: str) -> T:
        """`choices[index]`, counting from 0."""
        if not 0 <= index < len(choices):
            expected = f"one of {len(choices)}, counted from 0"
            raise self.error(f"a relation to {what} {index}", expected, f"Add the {what} or correct it.")
        return choices[index]

    def find(self, known: Mapping[K, T], key: K, what: str) -> T:
        """`known[key]`: an argument that is named by its id or its place."""
        if key not in known:
            expected = f"one of the {len(known)} listed"
            raise self.error(f"a relation to {what} {key!r}", expected, f"Add the {what} or correct it.")
        return known[key]

    def check_span(self, start: int, end: int, length: int, unit: str) -> None:
        """Raise unless `start` to `end` (exclusive) is a non-empty stretch of `length` units."""
        if not 0 <= start < end <= length:
            expected = f"0 <= start < end <= {length} {unit}"
            raise self.error(f"the span {start} to {end}", expected, "Check the offsets against the text.")

    def _encodable(self, value: Any, content: str) -> Any:
        check_encodable(value, content)
        return value


class Words:
    """The words of a text that is their join by single spaces; spans count words, ends exclusive."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.text = " ".join(words)
        # Each word is followed by one space, so a word starts behind the words and spaces before it.
        self._starts = [0, *accumulate(len(word) + 1 for word in words)]

    def entity(self, place: Place, start: int, end: int, label: str) -> Entity:
        """The entity from word `start` to `end`, in characters."""
        place.check_span(start, end, len(self.words), "tokens")
        return Entity(self._starts[start], self._starts[end] - 1, label)


def read_json(path: Path) -> tuple[Place, Any]:
    """The value of a JSON file."""
    place = Place(path, "whole file")
    return place, place.parse(read_text(path))


def read_items(path: Path) -> Iterator[tuple[Place, Any]]:
    """The items of a JSON list, counted from 0, one after the other: a large file has many."""
    place = Place(path, "whole file")
    empty = True
    try:
        for number, (line, item) in enumerate(parse_list(_decoded(path))):
            empty = False
            yield Place(path, f"item {number} in line {line}"), item
    except NoList as error:
        raise place.error(show(error.value), LIST, "Check the file's format.") from error
    except ConversionError:
        raise
    except UNREADABLE as error:
        raise place.error(f"invalid JSON ({error})", "JSON", "Check the file's format.") from error
    if empty:
        raise place.error("[]", LIST, "Check the file's format.")


def read_lines(path: Path) -> Iterator[tuple[Place, bytes]]:
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
                yield Place(path, f"line {number}"), line
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
    place, first = next(read_lines(path))
    line = place.decode(first).strip()
    for parse in (json.loads, parse_literal):
        with suppress(*UNREADABLE):
            value = parse(line)
            return value[0] if isinstance(value, list) and value else value
    if line.startswith("{") and path.stat().st_size <= CHUNK:  # an object of several lines
        with suppress(*UNREADABLE):
            return json.loads(read_text(path))
    return line


def read_text(path: Path, exactly: bool = False) -> str:
    """The content of a file, which must be UTF-8 and not blank; a byte order mark is left out.

    exactly: the byte order mark stays, and the file may be blank.
    """
    content = read_bytes(path, blank=exactly)
    return Place(path, "whole file").decode(content, "utf-8" if exactly else "utf-8-sig")


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
            raise Place(path, "whole file").error(found, *UTF8) from error
        if text:
            yield text


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except IsADirectoryError as error:
        advice = "Name one of its files, or check the format."
        raise Place(path, "whole file").error("a folder", "a file", advice) from error


def _empty(path: Path) -> ConversionError:
    advice = "Check the path, or fetch the file again."
    return Place(path, "whole file").error("an empty file", "at least one text", advice)


def parse_literal(content: str) -> Any:
    """The Python literal in `content`; nothing is evaluated.

    Raises one of `UNREADABLE` for what is none, for a key that a dict has twice and for a number that no
    message could show.
    """
    tree = ast.parse(content.strip(), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            unique_keys([(ast.dump(key), None) for key in node.keys if key is not None])
        elif isinstance(node, ast.Constant) and isinstance(node.value, int):
            check_small(node.value)
    return ast.literal_eval(tree)


def check_small(number: int) -> None:
    """Raise ValueError for a number that only hexadecimal digits could show."""
    if number.bit_length() > LARGEST:
        raise ValueError(f"a number of {number.bit_length()} bits")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise ValueError for a value that a reader's setting does not have."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, expected {' or '.join(choices)}: choose one of these.")


def show(value: Any, limit: int = 60) -> str:
    """A value as it fits into an error message."""
    shown = repr(value)
    return shown if len(shown) <= limit else f"{shown[:limit]}..."

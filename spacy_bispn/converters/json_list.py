"""The items of a JSON list, parsed while the file is read: a large file has many, and none is large."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

BLANKS = " \t\n\r"  # of JSON
LONGEST = len("-Infinity")  # of what is no string, the most that may be cut off
SURROGATE = re.compile(r"\\u(?:0000)?d[89a-f]", re.IGNORECASE)  # as JSON or Python escapes it
SMALL, GLIMPSE = 2**16, 60  # characters of what is parsed to be shown, and of what is shown unparsed


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError for a key that it has twice, of which one would be lost."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} twice in one object")
        found[key] = value
    return found


DECODER = json.JSONDecoder(object_pairs_hook=unique_keys)


class NoList(ValueError):
    """What stands in a file instead of a list, as `value`; of something large its beginning."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


def parse_list(chunks: Iterable[str]) -> Iterator[tuple[int, Any]]:
    """The items of the list in a file, with the line each begins in; each is parsed when it is asked for.

    Raises NoList for another JSON value, ValueError with the line for what is no JSON, and RecursionError
    for an item that is nested too deeply.
    """
    text = _Unread(iter(chunks))
    if text.next_character() != "[":
        raise NoList(text.small_value())
    yield from _items(text)
    text.demand("", "nothing behind the list")


def parse_objects(chunks: Iterable[str], lists: Collection[str] = ()) -> Iterator[tuple[int, Any]]:
    """The items of the list in a file, or the objects that stand in it one after the other.

    lists: keys of lists whose items are wanted in place of the object that they stand in.

    Raises what `parse_list` raises.
    """
    text = _Unread(iter(chunks))
    if text.next_character() == "[":
        yield from _items(text)
        text.demand("", "nothing behind the list")
        return
    if text.next_character() != "{":
        raise NoList(text.small_value())
    while text.next_character():
        line, listed, members = text.line(), False, list[tuple[str, Any]]()
        for key in _keys(text):
            if key in lists and text.next_character() == "[":
                listed = True
                yield from _items(text)
            else:
                members.append((key, text.value()))
        if not listed:
            yield line, unique_keys(members)


def parse_beginning(chunks: Iterable[str]) -> dict[str, Any]:
    """The members of the object in a file up to its first list, and of that the first item.

    Raises ValueError for what is no JSON.
    """
    text = _Unread(iter(chunks))
    members: list[tuple[str, Any]] = []
    for key in _keys(text):
        if text.next_character() == "[":
            members.append((key, [item for _, item in islice(_items(text), 1)]))
            break
        members.append((key, text.value()))
    return unique_keys(members)


def _items(text: _Unread) -> Iterator[tuple[int, Any]]:
    """The items of the list that is next, with the line each begins in."""
    text.step()
    if text.next_character() != "]":
        yield text.line(), text.value()
        while text.next_character() == ",":
            text.step()
            yield text.line(), text.value()
        text.demand("]", "',' or ']'")
    text.step()


def _keys(text: _Unread) -> Iterator[str]:
    """The keys of the object that is next; the value of each is to be taken before the next key."""
    text.demand("{", "'{'")
    text.step()
    more = text.next_character() != "}"
    while more:
        text.demand('"', "a key")
        key = text.value()
        text.demand(":", "':'")
        text.step()
        yield key
        more = text.next_character() == ","
        if more:
            text.step()
    text.demand("}", "',' or '}'")
    text.step()


def check_encodable(value: Any, content: str) -> None:
    """Raises ValueError for half of a surrogate pair, which can only be written as an escape."""
    if SURROGATE.search(content):
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError


class _Unread:
    """What is still to be parsed of a file: as much as was needed so far."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self._content, self._at = "", 0
        self._line, self._counted = 1, 0  # the line of a place in the content, as far as it was counted

    def next_character(self) -> str:
        """The next character that is not blank, which is next from then on; nothing at the end."""
        while True:
            while self._content[self._at : self._at + 1] and self._content[self._at] in BLANKS:
                self._at += 1
            if self._at < len(self._content) or not self._read():
                return self._content[self._at : self._at + 1]

    def step(self) -> None:
        self._at += 1

    def demand(self, character: str, words: str) -> None:
        """Raises ValueError unless that character is next."""
        if self.next_character() != character:
            raise self._error(f"expecting {words}", self._at)

    def line(self) -> int:
        """The line of the next character that is not blank."""
        self.next_character()
        self._count()
        return self._line

    def value(self) -> Any:
        """The JSON value that is next."""
        self.next_character()
        while True:
            try:
                value, end = DECODER.raw_decode(self._content, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or self._is_near_end(error.pos)
                if cut and self._read():
                    continue
                raise self._error(error.msg, error.pos) from error
            except ValueError as error:  # a key that stands twice
                raise self._error(str(error), self._at) from error
            if not self._is_near_end(end) or not self._read():  # a number may go on
                try:
                    check_encodable(value, self._content[self._at : end])
                except ValueError as error:
                    raise self._error(str(error), self._at) from error
                self._at = end
                return value

    def small_value(self) -> Any:
        """The JSON value that is next if it is small, else its beginning."""
        while len(self._content) < SMALL and self._read():
            pass
        try:
            return DECODER.raw_decode(self._content, self._at)[0]
        except json.JSONDecodeError:
            beginning = self._content[self._at : self._at + GLIMPSE]
            return beginning if self._read() else self.value()

    def _is_near_end(self, at: int) -> bool:
        """Whether what is not read yet could change how this place is read."""
        return at + LONGEST >= len(self._content)

    def _read(self) -> bool:
        """Read on, and forget what was parsed; where there is no more, all stays as it is."""
        more: list[str] = []
        wanted = len(self._content) - self._at
        # At least as much again: an item of many chunks would be parsed anew after each.
        while sum(map(len, more)) <= wanted and (chunk := next(self._chunks, "")):
            more.append(chunk)
        if not more:
            return False
        self._count()
        self._content, self._at, self._counted = "".join([self._content[self._at :], *more]), 0, 0
        return True

    def _count(self) -> None:
        self._line += self._content.count("\n", self._counted, self._at)
        self._counted = self._at

    def _error(self, message: str, at: int) -> ValueError:
        return ValueError(f"{message} in line {self._line + self._content.count(chr(10), self._counted, at)}")

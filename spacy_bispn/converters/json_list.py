"""The items of a JSON list, parsed while the file is read: a large file has many, and none is large."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

BLANKS = " \t\n\r"  # of JSON
BEHIND = frozenset(BLANKS + ",]")  # what may follow an item: before it is there, a number may go on
LONGEST = len("-Infinity")  # of the tokens that are no strings and may be cut off
DECODER = json.JSONDecoder()


class NoList(ValueError):
    """What stands in a file instead of a list, as `value`."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


def parse_list(chunks: Iterable[str]) -> Iterator[Any]:
    """The items of the list in a file, each parsed when it is asked for.

    Raises NoList for another JSON value, ValueError with the line for what is no JSON, and RecursionError
    for an item that is nested too deeply.
    """
    text = _Unread(iter(chunks))
    if text.next_character() != "[":
        raise NoList(text.value())
    text.step()
    if text.next_character() != "]":
        yield text.value()
        while text.next_character() == ",":
            text.step()
            yield text.value()
        text.demand("]", "',' or ']'")
    text.step()
    text.demand("", "nothing behind the list")


def check_encodable(value: Any, content: str) -> None:
    """Raises ValueError for half of a surrogate pair, which can only be written as an escape."""
    if "\\ud" in content.lower():
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError


class _Unread:
    """What is still to be parsed of a file: as much as was needed so far."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self._content, self._at = "", 0
        self._line = 1  # in which the content begins

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

    def value(self) -> Any:
        """The JSON value that is next."""
        self.next_character()
        while True:
            try:
                value, end = DECODER.raw_decode(self._content, self._at)
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._read():
                    continue
                raise self._error(error.msg, error.pos) from error
            if self._content[end : end + 1] in BEHIND or not self._read():
                check_encodable(value, self._content[self._at : end])
                self._at = end
                return value

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether what stands behind the end of what was read could mend the error."""
        return error.msg.startswith("Unterminated") or error.pos + LONGEST >= len(self._content)

    def _read(self) -> bool:
        """Forget what was parsed, and read on; whether there was more."""
        self._line += self._content.count("\n", 0, self._at)
        self._content, self._at = self._content[self._at :], 0
        wanted, more = 2 * len(self._content), [self._content]
        # At least as much again: an item of many chunks would be parsed anew after each.
        while sum(map(len, more)) <= wanted and (chunk := next(self._chunks, "")):
            more.append(chunk)
        self._content = "".join(more)
        return len(more) > 1

    def _error(self, message: str, at: int) -> ValueError:
        return ValueError(f"{message} in line {self._line + self._content.count(chr(10), 0, at)}")

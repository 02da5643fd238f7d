"""A text in lines: the position of each word and each character.

Horizontal positions are pixels from the left edge of the text, vertical ones are numbers of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from unicodedata import bidirectional, category, east_asian_width

TEXT_SIZE, LABEL_SIZE = 16, 11
NARROW, WIDE = 0.6, 1.0  # of the size: what common monospaced fonts have

# Between these a line may break anywhere; marks stay with the character that they belong to.
CJK = "\u2e80-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\U00020000-\U0003ffff"
MARKS = "\u0300-\u036f\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef"
UNIT = re.compile(rf"\s|[{CJK}][{MARKS}]*|[^\s{CJK}]+")


@dataclass(frozen=True)
class Spot:
    """The position of a character."""

    line: int
    left: float
    right: float


@dataclass(frozen=True)
class Word:
    """Characters `start` to `end` of the text, drawn from `left`; `rtl` if they read to the left."""

    start: int
    end: int
    line: int
    left: float
    width: float
    rtl: bool


@dataclass(frozen=True)
class Lines:
    """A text in lines. `spots` has every character; `rtl` if lines begin at the right."""

    count: int
    width: float
    spots: tuple[Spot, ...]
    words: tuple[Word, ...]
    rtl: bool


def break_lines(text: str, width: float, least: float) -> Lines:
    """The text in lines of at most `width` pixels; as wide as the longest, and at least `least`."""
    rtl = reads_left(text)
    lines, advance = _wrap(text, width)
    spots, words = _positions(text, lines, advance, rtl)
    full = max([least, *(spot.right for spot in spots)])
    if rtl:  # so far everything was measured from where lines begin
        spots = [Spot(spot.line, full - spot.right, full - spot.left) for spot in spots]
        words = [replace(word, left=full - word.left - word.width) for word in words]
    return Lines(len(lines), full, tuple(spots), tuple(words), rtl)


def measure(text: str, size: float) -> float:
    """How wide a text is, about."""
    return sum(map(_advance, text)) * size


def reads_left(text: str) -> bool:
    """Whether most of the letters belong to a script that is read from right to left."""
    kinds = [bidirectional(character) for character in text]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def _advance(character: str) -> float:
    if character in "\r\n" or category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    return WIDE if east_asian_width(character) in "WF" else NARROW


def _wrap(text: str, width: float) -> tuple[list[list[range]], list[float]]:
    """Lines of units (words, blanks, single characters), and the width of every character."""
    advance = [_advance(character) * TEXT_SIZE for character in text]
    lines: list[list[range]] = [[]]
    at = 0.0
    for unit in _units(text, advance, width):
        size = sum(advance[unit.start : unit.stop])
        if at + size > width and text[unit.start].isspace():
            advance[unit.start] = size = 0.0  # a blank at the edge
        elif at + size > width and at:
            lines.append([])
            at = 0.0
        lines[-1].append(unit)
        at += size
        if text[unit.start] == "\n":
            lines.append([])
            at = 0.0
    return lines, advance


def _units(text: str, advance: Sequence[float], width: float) -> Iterator[range]:
    """Ranges of characters that stay together; what is wider than a line is cut, before no mark."""
    for match in UNIT.finditer(text):
        start, size = match.start(), 0.0
        for at in range(*match.span()):
            if at > start and advance[at] and size + advance[at] > width:
                yield range(start, at)
                start, size = at, 0.0
            size += advance[at]
        yield range(start, match.end())


def _positions(
    text: str, lines: Sequence[Sequence[range]], advance: Sequence[float], rtl: bool
) -> tuple[list[Spot], list[Word]]:
    """The positions of all characters and words, measured from where lines begin."""
    spots = [Spot(0, 0.0, 0.0)] * len(text)
    words: list[Word] = []
    for line, units in enumerate(lines):
        at = 0.0
        for unit in _reading_order(text, units, rtl):
            left, against = at, _direction(text, unit) not in ("", "rtl" if rtl else "ltr")
            for character in reversed(unit) if against else unit:
                spots[character] = Spot(line, at, at + advance[character])
                at += advance[character]
            if not text[unit.start].isspace():
                word = Word(unit.start, unit.stop, line, left, at - left, rtl is not against)
                last = words[-1] if words else None
                if last and not against and (last.line, last.end, last.rtl) == (line, word.start, word.rtl):
                    words[-1] = Word(last.start, word.end, line, last.left, at - last.left, rtl)
                else:
                    words.append(word)
    return spots, words


def _reading_order(text: str, units: Sequence[range], rtl: bool) -> list[range]:
    """The units of a line from where it begins: runs of words against its direction are turned round."""
    against = [_direction(text, unit, strong=True) == ("ltr" if rtl else "rtl") for unit in units]
    neutral = [not _direction(text, unit, strong=True) for unit in units]
    ordered: list[range] = []
    number = 0
    while number < len(units):
        end = number + 1
        if against[number]:
            for other in range(end, len(units)):
                if against[other]:
                    end = other + 1
                elif not neutral[other]:
                    break
        ordered += reversed(units[number:end])
        number = end
    return ordered


def _direction(text: str, unit: range, strong: bool = False) -> str:
    """How a unit is read, by its first letter, or else (unless only strong ones count) by its first digit."""
    kinds = [bidirectional(text[character]) for character in unit]
    letters = [kind for kind in kinds if kind in ("L", "R", "AL")]
    if letters:
        return "ltr" if letters[0] == "L" else "rtl"
    return "ltr" if not strong and ("EN" in kinds or "AN" in kinds) else ""

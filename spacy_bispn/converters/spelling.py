"""Whether a mention's own words are those that it marks, spelt as exporters spell them.

Words that are only spelt otherwise ("TNF-a" for "TNF-α") say nothing against the offsets of a mention; words
of another place do, and so do words that begin or end elsewhere.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache

# The Penn Treebank's names of brackets, which no other text has.
BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
LEAST = 4  # letters and digits: of shorter words, half says nothing
MOST = 4  # rare letters in a word of another script, such as "5αβ-reductase"
LONGEST = 2  # the pattern of a letter that stands for itself


def is_respelt(marked: str, claimed: str) -> bool:
    """Whether two strings differ in spelling alone.

    Case, accents, symbols, white space, names of brackets and escapes of XML do not count. A Greek letter is
    the same as its name, as a Latin letter or two, or as nothing; so is a Latin one outside of ASCII. If one
    string is part of the other, both are the same only where nothing but such letters was lost.
    """
    if marked in claimed or claimed in marked:
        return _without_rare(marked) == _without_rare(claimed)
    one, other = _letters(marked), _letters(claimed)
    if not one and not other:  # symbols alone
        return len(marked) == len(claimed)
    return _is_spelling(one, other) or _is_spelling(other, one)


def is_similar(marked: str, claimed: str) -> bool:
    """Whether at least half of the letters and digits are the same at the same places, from either end.

    A string that is part of the other one is not similar to it: its start or its end lies elsewhere.
    """
    one, other = _letters(marked), _letters(claimed)
    longer = max(len(one), len(other))
    if longer < LEAST or one in other or other in one:
        return False
    ahead = _common(one, other)
    behind = min(_common(one[::-1], other[::-1]), len(one) - ahead, len(other) - ahead)
    level = sum(map(str.__eq__, one, other)) if len(one) == len(other) else 0
    return 2 * max(ahead + behind, level) >= longer


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    differ = (number for number, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(one), len(other)))


def _letters(text: str) -> str:
    """The letters and digits of a text, in lower case and without accents."""
    for name, bracket in BRACKETS.items():
        text = text.replace(name, bracket)
    plain = unicodedata.normalize("NFKD", html.unescape(text)).casefold()
    return "".join(filter(str.isalnum, plain))  # accents are characters of their own by now


def _is_spelling(letters: str, other: str) -> bool:
    """Whether the rare letters of one word may be written so in another; of a word in Greek they may not."""
    if letters == other:
        return True
    patterns = [_spellings(letter) for letter in letters]
    few = sum(len(pattern) > LONGEST for pattern in patterns) <= MOST
    return few and re.fullmatch("".join(patterns), other) is not None


@cache
def _spellings(letter: str) -> str:
    """A regular expression for what stands for a letter."""
    kind, *_, name = unicodedata.name(letter, "?").split()
    if letter.isascii() or kind not in ("GREEK", "LATIN"):
        return re.escape(letter)
    return f"(?:{re.escape(letter)}|{name.casefold()}|[a-z]{{0,2}})"


def _without_rare(text: str) -> str:
    """A text without what an exporter to ASCII may lose."""
    return "".join(char for char in text if char.isascii() or not _is_rare(char))


def _is_rare(char: str) -> bool:
    kind = unicodedata.name(char, "?").split()[0]
    return kind in ("GREEK", "LATIN") or unicodedata.category(char).startswith("S")

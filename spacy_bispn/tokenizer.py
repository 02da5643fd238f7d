"""A tokenizer that splits at every symbol, for corpora whose entities end inside spaCy's usual tokens."""

import re
import sys
import unicodedata
from collections.abc import Callable
from functools import cache

from spacy.language import Language
from spacy.tokenizer import Tokenizer


def create_punctuation_tokenizer() -> Callable[[Language], Tokenizer]:
    """Make the factory that `[nlp.tokenizer]` asks for.

    Letters and digits (`str.isalnum`) stay together, white space is treated as spaCy always treats it, and
    every other character is a token of its own, the underscore included. Combining marks and zero-width
    joiners stay with the character before them. There are no exceptions such as "don't" or URLs.

    Scripts written without spaces are not segmented: for Chinese keep spaCy's own character tokenizer.

    The result is a plain `Tokenizer`: it is saved, loaded and pickled by spaCy's own means.
    """

    def make_tokenizer(nlp: Language) -> Tokenizer:
        symbol = _symbol_pattern()
        return Tokenizer(
            nlp.vocab,
            # spaCy ignores an infix at the very start of a string: leading symbols are prefixes.
            prefix_search=re.compile(rf"\A(?:{symbol})").search,
            infix_finditer=re.compile(symbol).finditer,
        )

    return make_tokenizer


@cache
def _symbol_pattern() -> str:
    """A regular expression for one symbol and the marks upon it."""
    # U+200C and U+200D join letters within a word (Persian, Hindi); Python's `re` knows no classes of marks.
    marks = "\u200c\u200d" + "".join(
        char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char).startswith("M")
    )
    extend = _char_class(marks)
    return f"(?:_|[^\\w\\s{extend}])[{extend}]*"


def _char_class(chars: str) -> str:
    """The inside of a character class that matches any of `chars`, as escaped ranges."""
    ranges: list[list[int]] = []
    for code in sorted(map(ord, chars)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)

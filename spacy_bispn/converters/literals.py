"""Python literals: parsed, never evaluated."""

from __future__ import annotations

import ast
import warnings
from typing import Any

from spacy_bispn.converters.json_list import unique_keys

LARGEST = 64  # bits of a number, more than any offset has


def parse_literal(content: str) -> Any:
    """The Python literal in `content`; nothing is evaluated.

    Raises one of `UNREADABLE` for what is none, for a key that a dict has twice and for a number that no
    message could show.
    """
    with warnings.catch_warnings():  # of Python about "3in" or "\\d", which are no code of anybody here
        warnings.simplefilter("ignore")
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

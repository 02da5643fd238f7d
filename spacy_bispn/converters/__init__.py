"""Corpus formats in and out, by way of `AnnotatedText` records: one file per format.

A format is a module of this package with `recognizes(item) -> bool`, given what a file begins with
(see `first_item`), and `read(path, **rules) -> Conversion`; some have `write(path, texts)` too.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from spacy_bispn.converters.conversion import ACROSS, Conversion, Level, Report, Rules
from spacy_bispn.converters.reading import (
    ConversionError,
    Place,
    Words,
    check_choice,
    first_item,
    read_chunks,
    read_items,
    read_json,
    read_lines,
    read_text,
    show,
)
from spacy_bispn.converters.writing import argument_indices, word_offsets, word_ranges
from spacy_bispn.records import AnnotatedText

__all__ = [
    "ACROSS",
    "FORMATS",
    "WRITERS",
    "Conversion",
    "ConversionError",
    "Level",
    "Place",
    "Report",
    "Rules",
    "Words",
    "argument_indices",
    "check_choice",
    "detect",
    "first_item",
    "get_format",
    "get_writer",
    "read_chunks",
    "read_items",
    "read_json",
    "read_lines",
    "read_text",
    "show",
    "word_offsets",
    "word_ranges",
]

FORMATS = (
    "bioc",
    "biorelex",
    "brat",
    "doccano",
    "dygie",
    "glirel",
    "jsonl",
    "labelstudio",
    "prodigy",
    "pubtator",
    "spert",
    "text2dt",
)
WRITERS = ("biorelex", "brat", "jsonl", "prodigy", "spert")


class Reader(Protocol):
    """Reads a file or folder; `rules` are those of `Rules`, some formats have settings of their own."""

    def __call__(self, path: Path, **rules: Any) -> Conversion: ...


class Writer(Protocol):
    """Writes all of the texts, or raises ConversionError before anything is written."""

    def __call__(self, path: Path, texts: Iterable[AnnotatedText]) -> None: ...


def get_format(name: str) -> Reader:
    """The reader of a format. Raises ValueError for an unknown name."""
    if name not in FORMATS:
        raise ValueError(
            f"Unknown corpus format: found {name!r}, expected one of: {', '.join(FORMATS)}. "
            "Choose one of these, or convert the corpus to 'jsonl' first."
        )
    reader: Reader = _module(name).read
    return reader


def get_writer(name: str) -> Writer:
    """The writer of a format. Raises ValueError for a name without one."""
    if name not in WRITERS:
        raise ValueError(
            f"No format to write: found {name!r}, expected one of: {', '.join(WRITERS)}. "
            "Choose one of these, or write 'jsonl' and convert that."
        )
    writer: Writer = _module(name).write
    return writer


def detect(path: Path) -> str:
    """The format of a file, by what it begins with. Raises ConversionError unless exactly one fits."""
    item = first_item(path)
    hits = [name for name in FORMATS if _module(name).recognizes(item)]
    if len(hits) != 1:
        found = "a folder" if isinstance(item, Path) else show(item)
        if isinstance(item, dict) and item:
            found = f"the keys {', '.join(map(repr, item))}"
        fitting = f", which fits {' and '.join(hits)}" if hits else ""
        raise ConversionError(
            f"{path}, first item: found {found}{fitting}, expected an item of one of the formats: "
            f"{', '.join(FORMATS)}. Pass --format with the name of the format."
        )
    return hits[0]


def _module(name: str) -> ModuleType:
    # Imported when asked for: the modules of the formats import this package.
    return import_module(f"{__name__}.{name}")

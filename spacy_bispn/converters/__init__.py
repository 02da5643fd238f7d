"""Corpus formats in and out, by way of `AnnotatedText` records: see `registry` for how to add one."""

from __future__ import annotations

from spacy_bispn.converters.conversion import Conversion, Report, Rules
from spacy_bispn.converters.file_reading import (
    ConversionError,
    FilePosition,
    first_item,
    folder_error,
    read_chunks,
    read_items,
    read_json,
    read_lines,
    read_text,
    short_repr,
)
from spacy_bispn.converters.parsed_item import Counts, ParsedItem
from spacy_bispn.converters.registry import (
    Format,
    Option,
    all_formats,
    corpus_format,
    detect,
    format_options,
    format_rows,
    get_format,
    get_writer,
)
from spacy_bispn.converters.words import Words
from spacy_bispn.converters.writing import argument_indices, count_spacing, word_offsets, word_ranges

__all__ = [
    "Conversion",
    "ConversionError",
    "Counts",
    "FilePosition",
    "Format",
    "Option",
    "ParsedItem",
    "Report",
    "Rules",
    "Words",
    "all_formats",
    "argument_indices",
    "corpus_format",
    "count_spacing",
    "detect",
    "first_item",
    "folder_error",
    "format_options",
    "format_rows",
    "get_format",
    "get_writer",
    "read_chunks",
    "read_items",
    "read_json",
    "read_lines",
    "read_text",
    "short_repr",
    "word_offsets",
    "word_ranges",
]

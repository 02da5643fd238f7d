"""Which of several annotators of one text is read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from spacy_bispn.converters.file_reading import FilePosition

Annotator = Annotated[str | None, "Whose annotations are read, where a text has several"]

FURTHER = "further annotations of a text"  # dropped
OTHER_ANNOTATORS = "annotations of other annotators"  # dropped


def check_annotator(path: Path, annotator: str | None, found: Collection[str]) -> None:
    """Raise ConversionError if an annotator was asked for who is not among those of the file."""
    if annotator is not None and annotator not in found:
        names = ", ".join(sorted(found)[:10]) or "none"
        raise FilePosition(path, "whole file").error(
            f"nothing of the annotator {annotator!r}",
            f"one of the annotators of the file: {names}",
            "Pass --annotator with one of these.",
        )

"""Texts out to brat: a folder of `NAME.txt` with its `NAME.ann`."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy_bispn.converters.file_reading import FilePosition
from spacy_bispn.converters.writing import argument_indices
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText

LONGEST_NAME = 200  # bytes; file systems allow 255 with the suffix


def write_brat(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write a folder, two files for each text, named by its id.

    `read_brat` gives the texts back, without scores and words. Raises ConversionError, before anything is
    written, for an id that is no good file name, for a file that exists, for a label with white space
    and for a relation whose end is not among the entities.
    """
    files: dict[Path, str] = {}
    names: set[str] = set()
    for text in texts:
        position = FilePosition(path, f"text {text.id!r}")
        name = unicodedata.normalize("NFC", text.id).casefold()  # some file systems tell no more apart
        if name in names:
            raise position.error(
                "an id that an earlier text has", "an id for each text", "Rename one of them."
            )
        names.add(name)
        _check_name(position, text.id)
        if not text.text:
            raise position.error("an empty text", "at least one character", "Leave it out.")
        files[path / f"{text.id}.txt"] = text.text
        files[path / f"{text.id}.ann"] = "".join(_to_lines(position, text))
    for file in files:
        if file.exists():
            position = FilePosition(file, "whole file")
            raise position.error(
                "a file of this name", "none", "Write to an empty folder, or remove the file."
            )
    made: list[Path] = []
    try:
        for file, content in files.items():
            save(file, content)
            made.append(file)
    except OSError:
        for file in made:  # what is left would look like a whole corpus
            file.unlink(missing_ok=True)
        raise
    return Counter()


def _check_name(position: FilePosition, name: str) -> None:
    unsafe = set('/\\:*?"<>|') & set(name)
    reserved = re.fullmatch(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", name, re.IGNORECASE)
    if (
        unsafe
        or reserved
        or not name.isprintable()
        or name != name.strip()
        or not name.strip(".")
        or name[0] == "."
        or name[-1] == "."
        or len(name.encode("utf-8")) > LONGEST_NAME
    ):
        expected = "a file name without folders, dots at its ends or characters that some systems refuse"
        raise position.error("an id that is no good file name", expected, "Give the text another id.")


def _to_lines(position: FilePosition, text: AnnotatedText) -> Iterator[str]:
    entities, relations = text.extraction.entities, text.extraction.relations
    for label in [*(entity.label for entity in entities), *(relation.label for relation in relations)]:
        if label.split() != [label]:
            advice = "Rename the label, with _ for a space."
            raise position.error(f"the label {label!r}", "a label without white space", advice)
    for number, entity in enumerate(entities, start=1):
        position.check_span(entity.start, entity.end, len(text.text), "characters")
        marked = re.sub(r"\s", " ", text.text[entity.start : entity.end])
        yield f"T{number}\t{entity.label} {entity.start} {entity.end}\t{marked}\n"
    arguments = argument_indices(entities, relations, text.id)
    for number, (relation, (head, tail)) in enumerate(zip(relations, arguments, strict=True), start=1):
        yield f"R{number}\t{relation.label} Arg1:T{head + 1} Arg2:T{tail + 1}\t\n"

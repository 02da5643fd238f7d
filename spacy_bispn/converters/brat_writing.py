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
RESERVED = frozenset('/\\:*?"<>|~')
RESERVED_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
ESCAPED = re.compile("(~[0-9A-F]{2})+")


def write_brat(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write a folder, two files for each text, see `file_name`.

    `read_brat` gives the texts back, without scores and words. Raises ConversionError, before anything is
    written, for an empty or very long id, for a file that exists, for a label with white space and for a
    relation whose end is not among the entities.
    """
    files: dict[Path, str] = {}
    names: set[str] = set()
    for text in texts:
        position = FilePosition(path, f"text {text.id!r}")
        name = file_name(text.id)
        if not 0 < len(name.encode("utf-8")) <= LONGEST_NAME:
            expected = f"1 to {LONGEST_NAME} bytes as the name of a file"
            raise position.error(f"an id of {len(text.id)} characters", expected, "Give the text another id.")
        folded = unicodedata.normalize("NFC", name).casefold()  # some file systems tell no more apart
        if folded in names:
            raise position.error(
                "an id that an earlier text has", "an id for each text", "Rename one of them."
            )
        names.add(folded)
        if not text.text:
            raise position.error("an empty text", "at least one character", "Leave it out.")
        files[path / f"{name}.txt"] = text.text
        files[path / f"{name}.ann"] = "".join(_to_lines(position, text))
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


def file_name(text_id: str) -> str:
    """The name of a text's files, without suffix: its id, with `~3A` for what some systems refuse in names.

    That are `/`, `:` and other reserved characters, reserved names, dots and spaces at the ends, and what
    cannot be printed: each is the hexadecimal code of its bytes in UTF-8, as in URLs, but behind `~`.
    """
    last = len(text_id) - 1
    whole = RESERVED_NAME.fullmatch(text_id)
    return "".join(
        "".join(f"~{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
        if char in RESERVED
        or not char.isprintable()
        or (at in (0, last) and char in ". ")
        or (whole and not at)
        else char
        for at, char in enumerate(text_id)
    )


def id_of_file(name: str) -> str:
    """The inverse of `file_name`; a name that it does not give stands for itself."""
    try:
        text_id = ESCAPED.sub(
            lambda found: bytes.fromhex(found[0].replace("~", "")).decode("utf-8", "surrogatepass"), name
        )
    except UnicodeDecodeError:
        return name
    return text_id if file_name(text_id) == name else name


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

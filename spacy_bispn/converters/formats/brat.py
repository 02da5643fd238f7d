"""brat standoff: a folder of `NAME.txt` with its `NAME.ann`, or `NAME.a1` and `NAME.a2`.

    T1	Material 0 5	B2O3
    R1	Part_Of Arg1:T1 Arg2:T2
    E1	Operation:T3 Target:T1 Solvent:T2

Mentions (T) are entities. Relations (R) lead from Arg1 to Arg2; an event (E) is one relation from its
trigger to each argument, labelled by the argument's role. An event as an argument is its trigger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from spacy_bispn.converters import (
    Conversion,
    FilePosition,
    ParsedItem,
    Rules,
    corpus_format,
    folder_error,
    read_text,
    short_repr,
)
from spacy_bispn.converters.brat_roles import CONFIG, Roles
from spacy_bispn.converters.brat_writing import id_of_file, write_brat
from spacy_bispn.converters.offsets import Offsets, unit_of
from spacy_bispn.converters.standoff import (
    CUT_OFF,
    Discontiguous,
    check_claims,
    ends_with_line,
    marked_text,
    read_number,
    single_span,
)
from spacy_bispn.records import Entity, Relation

IGNORED = {"*": "equivalences", "N": "normalisations", "#": "notes", **dict.fromkeys("AM", "attributes")}
WHOLE, PARTS = ".ann", (".a1", ".a2", ".rel", ".co")  # suffixes: all of a document's annotations, or some


class Line(NamedTuple):
    """One annotation: `id`, tab, `body`, and for a mention a tab and the text it says it marks."""

    position: FilePosition
    id: str
    body: str
    claimed: str | None


def is_brat(item: Any) -> bool:
    if isinstance(item, Path):
        return any(any(item.glob(f"[!.]*{suffix}")) for suffix in (WHOLE, ".a1"))
    return isinstance(item, str) and re.match(r"T[0-9]+\t\S+ [0-9]+ [0-9]+", item) is not None


@corpus_format("brat", about="brat, BioNLP: a folder, or one document", recognizes=is_brat, write=write_brat)
def read_brat(
    path: Path,
    *,
    discontiguous: Discontiguous = "drop",
    offsets: Offsets = "characters",
    **rules: Unpack[Rules],
) -> Conversion:
    """Read a folder, or one document by one of its files. Raises ConversionError on malformed input.

    The .a1 and .a2 of the BioNLP shared tasks (also .rel and .co) are read like one .ann. A document's id is
    its file name without suffix, see `file_name`. Offsets count the characters of the .txt as it stands: a
    byte order mark is one, CR LF are two. Discontiguous mentions are dropped with the relations that lead to
    them, or (`discontiguous="cover"`) taken from their first to their last character. Reported as problems:
    mentions whose text is not the one in the .txt, and .txt files of a folder that have no .ann and are left
    out.
    """
    documents = _documents(path)
    conversion = Conversion(**rules, offsets=unit_of(offsets))
    roles = Roles.find(path if path.is_dir() else path.parent, chain(*documents))
    conversion.report.note(f"roles declared in {CONFIG}", len(roles.declared))
    conversion.add_items(_parse, ((files,) for files in documents), discontiguous, roles)
    if path.is_dir():
        read = {file for files in documents for file in files}
        unread = [file for suffix in PARTS for file in path.glob(f"[!.]*{suffix}") if file not in read]
        conversion.report.drop("files beside an .ann of the same name", len(unread))
        for folder in filter(is_brat, sorted(path.glob("[!.]*/"))):
            conversion.report.drop("folders of documents inside the folder")
            conversion.report.problem(folder.name, f"left out: convert {folder} for itself")
        stems = {file.stem for file in read}
        for text in sorted(path.glob("[!.]*.txt")):
            if text.stem not in stems:
                what = f"left out: there is no {text.stem}.ann beside {text.name}"
                conversion.report.drop("texts without annotations", of="texts")
                conversion.report.problem(text.stem, what)
    return conversion


def _documents(path: Path) -> list[list[Path]]:
    """The files of annotations of each document of a folder, or of the one named by one of its files."""
    if path.is_dir():
        found = {file.stem: file for suffix in (WHOLE, *PARTS) for file in path.glob(f"[!.]*{suffix}")}
        if not found:
            raise folder_error(path, "no .ann file", "pairs of .txt and .ann")
        return [_annotation_files(found[stem]) for stem in sorted(found)]
    if path.suffix not in (WHOLE, ".txt", *PARTS):
        advice = "Give the folder, or one of its .ann files."
        raise FilePosition(path, "whole file").error(f"the suffix {path.suffix!r}", ".ann or .txt", advice)
    return [_annotation_files(path)]


def _annotation_files(path: Path) -> list[Path]:
    """The .ann of a document, or what it has in its place: its .a1 and .a2."""
    parts = [path.with_suffix(suffix) for suffix in PARTS if path.with_suffix(suffix).is_file()]
    whole = path.with_suffix(WHOLE)
    return [whole] if whole.is_file() or not parts else parts


def _parse(parsed: ParsedItem, files: list[Path], discontiguous: Discontiguous, roles: Roles) -> None:
    path = files[0]
    text_file = path.with_suffix(".txt")
    for file in (path, text_file):
        if not file.is_file():
            expected, advice = "a .txt and an .ann of one name", f"Add {file.name} to the folder."
            raise FilePosition(file, "whole file").error("no such file", expected, advice)
    text, text_id = parsed.measured(read_text(text_file, exactly=True)), id_of_file(path.stem)
    if not text:
        position = FilePosition(text_file, "whole file")
        raise position.error("an empty file", "a text", "Fetch the file again, or remove it and its .ann.")

    lines: list[Line] = []
    for line in chain.from_iterable(map(_lines, files)):
        if line.id[0] in IGNORED:
            parsed.drop(IGNORED[line.id[0]])
        else:
            lines.append(line)
    _check_ids(lines)
    mentions: dict[str, Entity | None] = {}
    claims = []
    for line in lines:
        if line.id[0] == "T":
            label, fragments = _label_and_fragments(line, len(text))
            span = single_span(parsed, text, fragments, discontiguous)
            mentions[line.id] = None if span is None else Entity(*span, label)
            marked, claimed = marked_text(text, fragments), line.claimed or ""
            quoted, _, more = claimed.partition("\t")
            if more.strip() and quoted.split() == marked.split():
                claimed = quoted
                parsed.drop("columns of mentions behind their text")
            claims.append((line.position, marked, claimed))
    check_claims(parsed, text_id, claims)
    parsed.note(CUT_OFF, sum(file.stat().st_size > 0 and not ends_with_line(file) for file in files))

    resolve = _resolver(lines, mentions)
    relations = []
    for line in lines:
        if line.id[0] == "E":
            resolve(line.position, line.id)  # an event without arguments has a trigger too
        for head_id, tail_id, label in _links(parsed, line, roles):
            head, tail = resolve(line.position, head_id), resolve(line.position, tail_id)
            if head is None or tail is None:
                parsed.drop("relations of dropped mentions", of="relations")
            else:
                relations.append(Relation(head, tail, label))
    entities = [mention for mention in mentions.values() if mention is not None]
    parsed.add(FilePosition(path, "whole file"), text_id, text, entities, relations)


def _lines(path: Path) -> Iterator[Line]:
    content = read_text(path, exactly=True).removeprefix("\ufeff")
    if "\r" in content and "\n" not in content:
        expected = "lines that end in LF or CR LF"
        raise FilePosition(path, "whole file").error("CR alone", expected, "Convert the ends of its lines.")
    # Only "\n" ends a line: a mention may contain other separators.
    for number, line in enumerate(content.split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        position = FilePosition(path, f"line {number}")
        line_id, *columns = line.split("\t", 2)
        known = line_id[:1] in ("T", "R", "E", *IGNORED)
        if not known or (line_id[0] != "#" and not columns):
            expected = "an id that starts with one of T, R, E, A, M, N, #, * and a tab"
            raise position.error(short_repr(line), expected, "Check the file's format.")
        yield Line(position, line_id, columns[0] if columns else "", columns[1] if columns[1:] else None)


def _check_ids(lines: list[Line]) -> None:
    first: dict[str, Line] = {}
    for line in lines:
        earlier = first.setdefault(line.id, line)
        if earlier is not line:
            found = f"the id {line.id!r} of {earlier.position.item}"
            raise line.position.error(found, "an id of its own", "Give one of the two lines another id.")


def _label_and_fragments(line: Line, length: int) -> tuple[str, list[tuple[int, int]]]:
    label, _, spans = line.body.partition(" ")
    fragments = []
    for fragment in spans.split(";"):
        offsets = fragment.split()
        if not label or len(offsets) != 2:
            expected = "a label, a start and an end"
            raise line.position.error(short_repr(line.body), expected, "Write, for example, 'Person 0 5'.")
        start, end = (read_number(line.position, offset) for offset in offsets)
        line.position.check_span(start, end, length, "characters")
        fragments.append((start, end))
    return label, fragments


def _resolver(
    lines: list[Line], mentions: dict[str, Entity | None]
) -> Callable[[FilePosition, str], Entity | None]:
    """A function from an id, also one of an event, to the mention it stands for."""
    triggers = {line.id: _arguments(line)[0][1] for line in lines if line.id[0] == "E"}

    def resolve(position: FilePosition, argument: str) -> Entity | None:
        mention_id = triggers.get(argument, argument)
        if mention_id not in mentions:
            advice = "Add its line, or remove what refers to it."
            raise position.error(f"the id {mention_id!r}", "the id of a T or E line of this file", advice)
        return mentions[mention_id]

    return resolve


def _links(parsed: ParsedItem, line: Line, roles: Roles) -> Iterator[tuple[str, str, str]]:
    """The relations of a line, as ids of head and tail, and label."""
    if line.id[0] in "RE" and line.claimed and line.claimed.strip():
        parsed.drop("values behind the arguments of relations and events")
    if line.id[0] == "R":
        arguments = _arguments(line)
        if len(arguments) != 2:
            raise line.position.error(
                short_repr(line.body), "two arguments", "Write 'Label Arg1:T1 Arg2:T2'."
            )
        label = line.body.split()[0]
        (first, head), (second, tail) = arguments
        yield (tail, head, label) if (first, second) == ("Arg2", "Arg1") else (head, tail, label)
    elif line.id[0] == "E":
        (_, trigger), *arguments = _arguments(line)
        for role, argument in arguments:
            yield trigger, argument, roles.name(parsed, role)


def _arguments(line: Line) -> list[tuple[str, str]]:
    """The parts `name:id` of a line; for an event the first is its type and trigger."""
    words = line.body.split()
    parts = [word.rpartition(":") for word in (words[1:] if line.id[0] == "R" else words)]
    if not parts or not all(name and argument for name, _, argument in parts):
        expected = "Label Arg1:ID Arg2:ID" if line.id[0] == "R" else "Type:TRIGGER Role:ID ..."
        raise line.position.error(short_repr(line.body), expected, "Correct the line.")
    return [(name, argument) for name, _, argument in parts]

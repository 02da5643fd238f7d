"""brat standoff, in both directions: a folder of `NAME.txt` with its `NAME.ann`.

    T1	Material 0 5	B2O3
    R1	Part_Of Arg1:T1 Arg2:T2
    E1	Operation:T3 Target:T1 Solvent:T2

Mentions (T) are entities. Relations (R) lead from Arg1 to Arg2; an event (E) is one relation from its
trigger to each argument, labelled by the argument's role. An event as an argument is its trigger.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Unpack, get_args

from spacy_bispn.converters import (
    Conversion,
    Place,
    Rules,
    argument_indices,
    check_choice,
    read_text,
    show,
)
from spacy_bispn.converters.standoff import (
    CUT_OFF,
    Discontiguous,
    check_claims,
    ends_with_line,
    marked_text,
    read_number,
    single_span,
)
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Relation

IGNORED = {
    "*": "equivalences",
    "A": "attributes",
    "M": "attributes",
    "N": "normalisations",
    "#": "notes",
}
LONGEST_NAME = 200  # bytes; file systems allow 255 with the suffix


class Line(NamedTuple):
    """One annotation: `id`, tab, `body`, and for a mention a tab and the text it says it marks."""

    place: Place
    id: str
    body: str
    claimed: str | None


def recognizes(item: Any) -> bool:
    if isinstance(item, Path):
        return any(item.glob("[!.]*.ann"))
    return isinstance(item, str) and re.match(r"T[0-9]+\t\S+ [0-9]+ [0-9]+", item) is not None


def read(path: Path, discontiguous: Discontiguous = "drop", **rules: Unpack[Rules]) -> Conversion:
    """Read a folder, or one document by its .txt or .ann file. Raises ConversionError on malformed input.

    A document's id is its file name without suffix. Offsets count the characters of the .txt as it
    stands: a byte order mark is one, CR LF are two. Discontiguous mentions are dropped with the
    relations that lead to them, or (`discontiguous="cover"`) taken from their first to their last
    character. Reported as problems: mentions whose text is not the one in the .txt, and .txt files of
    a folder that have no .ann and are left out.
    """
    check_choice("discontiguous", discontiguous, get_args(Discontiguous))
    conversion = Conversion(**rules)
    for file in _annotation_files(path):
        with conversion.attempt():
            _add(conversion, file, discontiguous)
    if path.is_dir():
        for text in sorted(path.glob("[!.]*.txt")):
            if not text.with_suffix(".ann").is_file():
                conversion.drop({"texts without annotations": 1})
                conversion.problem(text.stem, f"left out: there is no {text.stem}.ann beside {text.name}")
    return conversion


def write(path: Path, texts: Iterable[AnnotatedText]) -> None:
    """Write a folder, two files for each text, named by its id.

    `read` gives the texts back, without scores and words. Raises ConversionError, before anything is
    written, for an id that is no good file name, for a file that exists, for a label with white space
    and for a relation whose end is not among the entities.
    """
    files: dict[Path, str] = {}
    names: set[str] = set()
    for text in texts:
        place = Place(path, f"text {text.id!r}")
        name = unicodedata.normalize("NFC", text.id).casefold()  # some file systems tell no more apart
        if name in names:
            raise place.error("an id that an earlier text has", "an id for each text", "Rename one of them.")
        names.add(name)
        _check_name(place, text.id)
        if not text.text:
            raise place.error("an empty text", "at least one character", "Leave it out.")
        files[path / f"{text.id}.txt"] = text.text
        files[path / f"{text.id}.ann"] = "".join(_to_lines(place, text))
    for file in files:
        if file.exists():
            place = Place(file, "whole file")
            raise place.error("a file of this name", "none", "Write to an empty folder, or remove the file.")
    made: list[Path] = []
    try:
        for file, content in files.items():
            save(file, content)
            made.append(file)
    except OSError:
        for file in made:  # what is left would look like a whole corpus
            file.unlink(missing_ok=True)
        raise


def _annotation_files(path: Path) -> list[Path]:
    """The .ann files of a folder by name, or the one of a document."""
    if path.is_dir():
        found = sorted(path.glob("[!.]*.ann"), key=lambda file: file.stem)
        if not found:
            folders = ", ".join(sorted(file.name for file in path.iterdir() if file.is_dir())[:5]) or "none"
            advice = f"Give the folder that holds them (folders in this one: {folders})."
            raise Place(path, "whole folder").error("no .ann file", "pairs of .txt and .ann", advice)
        return found
    if path.suffix not in (".ann", ".txt"):
        advice = "Give the folder, or one of its .ann files."
        raise Place(path, "whole file").error(f"the suffix {path.suffix!r}", ".ann or .txt", advice)
    return [path.with_suffix(".ann")]


def _add(conversion: Conversion, path: Path, discontiguous: Discontiguous) -> None:
    text_file = path.with_suffix(".txt")
    for file in (path, text_file):
        if not file.is_file():
            advice = f"Add {file.name} to the folder."
            raise Place(file, "whole file").error("no such file", "a .txt and an .ann of one name", advice)
    text, text_id = read_text(text_file, exactly=True), path.stem
    if not text:
        place = Place(text_file, "whole file")
        raise place.error("an empty file", "a text", "Fetch the file again, or remove it and its .ann.")

    lines: list[Line] = []
    for line in _lines(path):
        if line.id[0] in IGNORED:
            conversion.drop({IGNORED[line.id[0]]: 1})
        else:
            lines.append(line)
    _check_ids(lines)
    mentions: dict[str, Entity | None] = {}
    claims = []
    for line in lines:
        if line.id[0] == "T":
            label, fragments = _label_and_fragments(line, len(text))
            span = single_span(conversion, text, fragments, discontiguous)
            mentions[line.id] = None if span is None else Entity(*span, label)
            if line.claimed is None:
                conversion.note({"mentions whose offsets nothing checks, as no text stands behind them": 1})
            else:
                claims.append((line.place, marked_text(text, fragments), line.claimed))
    check_claims(conversion, text_id, claims)
    conversion.note({CUT_OFF: int(bool(lines) and not ends_with_line(path))})

    resolve = _resolver(lines, mentions)
    relations = []
    for line in lines:
        if line.id[0] == "E":
            resolve(line.place, line.id)  # an event without arguments has a trigger too
        for head_id, tail_id, label in _links(line):
            head, tail = resolve(line.place, head_id), resolve(line.place, tail_id)
            if head is None or tail is None:
                conversion.drop({"relations of dropped mentions": 1})
            else:
                relations.append(Relation(head, tail, label))
    entities = [mention for mention in mentions.values() if mention is not None]
    conversion.add(Place(path, "whole file"), text_id, text, entities, relations)


def _lines(path: Path) -> Iterator[Line]:
    content = read_text(path, exactly=True).removeprefix("\ufeff")
    if "\r" in content and "\n" not in content:
        expected = "lines that end in LF or CR LF"
        raise Place(path, "whole file").error("CR alone", expected, "Convert the ends of its lines.")
    # Only "\n" ends a line: a mention may contain other separators.
    for number, line in enumerate(content.split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        place = Place(path, f"line {number}")
        line_id, *columns = line.split("\t", 2)
        known = line_id[:1] in ("T", "R", "E", *IGNORED)
        if not known or (line_id[0] != "#" and not columns):
            expected = "an id that starts with one of T, R, E, A, M, N, #, * and a tab"
            raise place.error(show(line), expected, "Check the file's format.")
        yield Line(place, line_id, columns[0] if columns else "", columns[1] if columns[1:] else None)


def _check_ids(lines: list[Line]) -> None:
    first: dict[str, Line] = {}
    for line in lines:
        earlier = first.setdefault(line.id, line)
        if earlier is not line:
            found = f"the id {line.id!r} of {earlier.place.item}"
            raise line.place.error(found, "an id of its own", "Give one of the two lines another id.")


def _label_and_fragments(line: Line, length: int) -> tuple[str, list[tuple[int, int]]]:
    label, _, spans = line.body.partition(" ")
    fragments = []
    for fragment in spans.split(";"):
        offsets = fragment.split()
        if not label or len(offsets) != 2:
            expected = "a label, a start and an end"
            raise line.place.error(show(line.body), expected, "Write, for example, 'Person 0 5'.")
        start, end = (read_number(line.place, offset) for offset in offsets)
        line.place.check_span(start, end, length, "characters")
        fragments.append((start, end))
    return label, fragments


def _resolver(lines: list[Line], mentions: dict[str, Entity | None]) -> Callable[[Place, str], Entity | None]:
    """A function from an id, also one of an event, to the mention it stands for."""
    triggers = {line.id: _arguments(line)[0][1] for line in lines if line.id[0] == "E"}

    def resolve(place: Place, argument: str) -> Entity | None:
        mention_id = triggers.get(argument, argument)
        if mention_id not in mentions:
            advice = "Add its line, or remove what refers to it."
            raise place.error(f"the id {mention_id!r}", "the id of a T or E line of this file", advice)
        return mentions[mention_id]

    return resolve


def _links(line: Line) -> Iterator[tuple[str, str, str]]:
    """The relations of a line, as ids of head and tail, and label."""
    if line.id[0] == "R":
        arguments = _arguments(line)
        if len(arguments) != 2:
            raise line.place.error(show(line.body), "two arguments", "Write 'Label Arg1:T1 Arg2:T2'.")
        label = line.body.split()[0]
        (first, head), (second, tail) = arguments
        yield (tail, head, label) if (first, second) == ("Arg2", "Arg1") else (head, tail, label)
    elif line.id[0] == "E":
        (_, trigger), *arguments = _arguments(line)
        roles = {role for role, _ in arguments}
        for role, argument in arguments:
            yield trigger, argument, _without_number(role, roles)


def _arguments(line: Line) -> list[tuple[str, str]]:
    """The parts `name:id` of a line; for an event the first is its type and trigger."""
    words = line.body.split()
    parts = [word.rpartition(":") for word in (words[1:] if line.id[0] == "R" else words)]
    if not parts or not all(name and argument for name, _, argument in parts):
        expected = "Label Arg1:ID Arg2:ID" if line.id[0] == "R" else "Type:TRIGGER Role:ID ..."
        raise line.place.error(show(line.body), expected, "Correct the line.")
    return [(name, argument) for name, _, argument in parts]


def _without_number(role: str, roles: set[str]) -> str:
    """`Theme2` beside `Theme` is a second argument of the same role; `Arg2` beside `Arg1` is not."""
    numbered = re.fullmatch(r"(.+?)([2-9]|[1-9][0-9]+)", role)
    return numbered[1] if numbered and numbered[1] in roles else role


def _check_name(place: Place, name: str) -> None:
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
        raise place.error("an id that is no good file name", expected, "Give the text another id.")


def _to_lines(place: Place, text: AnnotatedText) -> Iterator[str]:
    entities, relations = text.extraction.entities, text.extraction.relations
    for label in [*(entity.label for entity in entities), *(relation.label for relation in relations)]:
        if label.split() != [label]:
            advice = "Rename the label, with _ for a space."
            raise place.error(f"the label {label!r}", "a label without white space", advice)
    for number, entity in enumerate(entities, start=1):
        place.check_span(entity.start, entity.end, len(text.text), "characters")
        marked = re.sub(r"\s", " ", text.text[entity.start : entity.end])
        yield f"T{number}\t{entity.label} {entity.start} {entity.end}\t{marked}\n"
    arguments = argument_indices(entities, relations, text.id)
    for number, (relation, (head, tail)) in enumerate(zip(relations, arguments, strict=True), start=1):
        yield f"R{number}\t{relation.label} Arg1:T{head + 1} Arg2:T{tail + 1}\t\n"

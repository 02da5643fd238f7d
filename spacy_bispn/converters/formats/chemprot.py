"""The three TSV files of ChemProt and DrugProt: abstracts, entities and relations, joined by their ids.

    1	ORC binds	ATP                     ..._abstracts.tsv
    1	T1	GENE	0	3	ORC             ..._entities.tsv
    1	T2	CHEMICAL	10	13	ATP
    1	BINDS	Arg1:T1	Arg2:T2             ..._relations.tsv of DrugProt
    1	CPR:4	Y	BINDS	Arg1:T1	Arg2:T2   ..._relations.tsv of ChemProt

Offsets count the characters of the title, one more, and the abstract.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    FilePosition,
    ParsedItem,
    Rules,
    corpus_format,
    read_lines,
    short_repr,
)
from spacy_bispn.converters.offsets import Offsets, unit_of
from spacy_bispn.converters.standoff import Claim, check_claims, marked_text, read_number
from spacy_bispn.records import Entity, Kind, Relation

ABSTRACTS = "abstrac"  # DrugProt's own file lacks the t
ENTITIES, RELATIONS, GOLD = "entit", "relation", "gold_standard"
LINE = re.compile(r"[^\t]+\t[^\t]+\t[^\t]*")
ARGUMENT = re.compile(r"Arg[12]:(\S+)")
Row = tuple[FilePosition, list[str]]


def is_chemprot(item: Any) -> bool:
    if isinstance(item, Path):
        return bool(_named(item, ABSTRACTS)) and bool(_named(item, ENTITIES))
    return (
        isinstance(item, str) and re.fullmatch(r"[0-9]+\t(?!-?[0-9]+\t)[^\t]{3,}\t[^\t]*", item) is not None
    )


@corpus_format("chemprot", about="ChemProt, DrugProt: three TSV files", recognizes=is_chemprot)
def read_chemprot(path: Path, *, offsets: Offsets = "characters", **rules: Unpack[Rules]) -> Conversion:
    """Read a folder with one set of files, or the set that a file of abstracts belongs to.

    The text is title, one space, abstract. Of ChemProt's relations the label is the group (`CPR:4`). Dropped
    and counted: finer types, relations of entities that are not there, and rows of abstracts that are not
    there. Raises ConversionError on malformed input.
    """
    conversion = Conversion(**rules, offsets=unit_of(offsets))
    abstracts, entities, relations = _files(path)
    mentions, links = _rows(entities, 6), _rows(relations, 4) if relations else {}
    conversion.report.note("files of abstracts without one of relations", relations is None)
    known = set()
    for position, line in read_lines(abstracts):
        columns = position.decode(line).removesuffix("\r").split("\t")
        known.add(columns[0])
        rows = mentions.get(columns[0], []), links.get(columns[0], [])
        conversion.add_item(_parse, position, columns, *rows)
    kinds: list[tuple[Kind, dict[str, list[Row]]]] = [("entities", mentions), ("relations", links)]
    for what, found in kinds:
        lost = {text_id: rows for text_id, rows in found.items() if text_id not in known}
        conversion.report.drop(f"{what} of abstracts that are not there", sum(map(len, lost.values())), what)
        for text_id in lost:
            conversion.report.problem(text_id, f"{what} left out: {abstracts.name} has no such abstract")
    return conversion


def _parse(
    parsed: ParsedItem,
    position: FilePosition,
    columns: list[str],
    mentions: list[Row],
    links: list[Row],
) -> None:
    if len(columns) < 2:
        expected = "the columns id, title and abstract"
        raise position.error(short_repr("\t".join(columns)), expected, "Check the tabs.")
    text_id, text = columns[0], parsed.measured(" ".join(columns[1:]))
    known: dict[str, Entity] = {}
    claims: list[Claim] = []
    for at, (_, name, label, start, end, claimed, *_) in mentions:
        span = read_number(at, start), read_number(at, end)
        at.check_span(*span, len(text), "characters")
        if name in known:
            raise at.error(f"the id {name!r} again", "an id of its own", "Give one of the two another id.")
        known[name] = Entity(*span, label.strip())
        claims.append((at, marked_text(text, [span]), claimed))
    check_claims(parsed, text_id, claims)
    relations = [one for at, row in links for one in _relations(parsed, at, text_id, row, known)]
    parsed.add(position, text_id, text, list(known.values()), relations)


def _relations(
    parsed: ParsedItem, position: FilePosition, text_id: str, columns: list[str], known: dict[str, Entity]
) -> Iterator[Relation[Entity]]:
    ends = [found[1] for column in columns[2:] if (found := ARGUMENT.fullmatch(column.strip()))]
    label = columns[1].strip()
    if len(ends) != 2:
        expected = "a label, 'Arg1:T1' and 'Arg2:T2'"
        raise position.error(
            short_repr("\t".join(columns)), expected, "Complete the relation, or check the tabs."
        )
    parsed.drop("types finer than a relation's group", len(columns) > 4)
    parsed.note("relations of groups that the task does not score", columns[2].strip() == "N")
    absent = [end for end in ends if end not in known]
    if absent:
        parsed.drop("relations of entities that are not there", of="relations")
        what = f"a {label!r} relation was dropped, there is no entity {' and '.join(absent)}"
        parsed.problem(text_id, f"{position.item}: {what}")
        return
    yield Relation(known[ends[0]], known[ends[1]], label)


def _rows(path: Path, width: int) -> dict[str, list[Row]]:
    """The lines of a file by the id of their abstract."""
    found: dict[str, list[Row]] = defaultdict(list)
    for position, line in read_lines(path):
        columns = position.decode(line).removesuffix("\r").split("\t")
        if len(columns) < width:
            raise position.error(
                short_repr("\t".join(columns)), f"at least {width} columns", "Check the tabs."
            )
        found[columns[0]].append((position, columns))
    return found


def _files(path: Path) -> tuple[Path, Path, Path | None]:
    """The files of abstracts, entities and relations, the last if there is one."""
    if path.is_dir():
        found = _named(path, ABSTRACTS)
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            expected, advice = "one file of abstracts", "Name the one to read in place of the folder."
            raise FilePosition(path, "whole folder").error(names, expected, advice)
        path = found[0]
    position = FilePosition(path, "whole file")
    before, named, _ = path.name.partition(ABSTRACTS)
    if not named:
        expected = f"a name with {ABSTRACTS!r}, as the file of abstracts has"
        raise position.error(f"the name {path.name!r}", expected, "Name that file, or the folder.")
    beside = {
        what: [file for file in _named(path.parent, what) if file.name.startswith(before)]
        for what in (ENTITIES, RELATIONS, GOLD)
    }
    if not beside[ENTITIES]:
        expected = f"a file named '{before}entities...' beside it"
        raise position.error("none", expected, "Put the three files into one folder.")
    return path, beside[ENTITIES][0], next(iter([*beside[RELATIONS], *beside[GOLD]]), None)


def _named(folder: Path, part: str) -> list[Path]:
    return sorted(file for file in folder.glob("[!.]*.tsv") if part in file.name.lower())

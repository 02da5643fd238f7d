"""Corpus formats in, `AnnotatedText` records out: one file per format, behind one registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

T = TypeVar("T")


class ConversionError(ValueError):
    """Input that cannot be read: where, what was found, what was expected, what to do."""


@dataclass(frozen=True)
class Place:
    """A position in a file, and the checks whose errors name it."""

    path: Path
    item: str

    def error(self, found: str, expected: str, advice: str) -> ConversionError:
        return ConversionError(f"{self.path}, {self.item}: found {found}, expected {expected}. {advice}")

    def parse(self, content: str) -> Any:
        """The JSON value in `content`."""
        try:
            return json.loads(content)
        except json.JSONDecodeError as error:
            raise self.error(f"invalid JSON ({error})", "JSON", "Check the file's format.") from error

    def get(self, item: Any, key: str, kind: type[T]) -> T:
        """`item[key]`, which must be of the given JSON type."""
        if type(item) is not dict:
            raise self.error(_show(item), f"an object with the key {key!r}", "Check the file's format.")
        if key not in item:
            keys = ", ".join(map(repr, item)) or "none"
            raise self.error(f"the keys {keys}", f"the key {key!r}", "Add it, or check the file's format.")
        # Exactly this type: in Python True is an int, in JSON it is not a number.
        if type(item[key]) is not kind:
            advice = f"Change the value of {key!r}."
            raise self.error(f"{key!r}: {_show(item[key])}", f"a value of type {kind.__name__}", advice)
        return item[key]  # type: ignore[no-any-return]

    def row(self, value: Any, *kinds: type) -> list[Any]:
        """`value`, which must be a list of exactly these JSON types."""
        if type(value) is not list or [type(cell) for cell in value] != list(kinds):
            names = ", ".join(kind.__name__ for kind in kinds)
            raise self.error(_show(value), f"a list of [{names}]", "Change the value.")
        return value

    def pick(self, choices: Sequence[T], index: int, what: str) -> T:
        """`choices[index]`, counting from 0."""
        if not 0 <= index < len(choices):
            expected = f"one of {len(choices)}, counted from 0"
            raise self.error(f"a relation to {what} {index}", expected, f"Add the {what} or correct it.")
        return choices[index]

    def check_span(self, start: int, end: int, length: int, unit: str) -> None:
        """Raise unless `start` to `end` (exclusive) is a non-empty stretch of `length` units."""
        if not 0 <= start < end <= length:
            expected = f"0 <= start < end <= {length} {unit}"
            raise self.error(f"the span {start} to {end}", expected, "Check the offsets against the text.")


@dataclass
class Report:
    """What a conversion kept and what it dropped; `problems` holds (text id, what) pairs."""

    texts: int = 0
    entities: int = 0
    relations: int = 0
    nested: int = 0  # pairs of different spans, one inside the other
    self_relations: int = 0  # head and tail are the same entity
    duplicate_entities: int = 0  # dropped
    duplicate_relations: int = 0  # dropped
    counts: dict[str, int] = field(default_factory=dict)  # what else a format counts, by what it is
    problems: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        also = "".join(f"{number} {what}; " for what, number in self.counts.items())
        return (
            f"{self.texts} texts, {self.entities} entities ({self.nested} nested pairs), "
            f"{self.relations} relations ({self.self_relations} from an entity to itself); dropped as "
            f"duplicates: {self.duplicate_entities} entities, {self.duplicate_relations} relations; "
            f"{also}{len(self.problems)} problems"
        )


@dataclass
class Conversion:
    """The texts read from a file, and the report on them.

    `symmetric` lists the relation labels without a direction; their head is the earlier entity.
    """

    symmetric: tuple[str, ...] = ()
    texts: list[AnnotatedText] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    _ids: set[str] = field(default_factory=set, repr=False)

    def add(
        self,
        place: Place,
        text_id: str,
        text: str,
        entities: Sequence[Entity],
        relations: Sequence[Relation[Entity]],
        words: Sequence[str] | None = None,
    ) -> None:
        """Add a text: drop and count duplicates, and check offsets (ConversionError if outside)."""
        for entity in entities:
            place.check_span(entity.start, entity.end, len(text), "characters")
        kept_entities = tuple(dict.fromkeys(entities))
        kept_relations = tuple(dict.fromkeys(map(self._orient, relations)))
        extraction = Extraction(kept_entities, kept_relations)
        self.texts.append(AnnotatedText(text_id, text, extraction, None if words is None else tuple(words)))

        report = self.report
        report.texts += 1
        report.entities += len(kept_entities)
        report.relations += len(kept_relations)
        report.nested += _count_nested(kept_entities)
        report.self_relations += sum(relation.head == relation.tail for relation in kept_relations)
        report.duplicate_entities += len(entities) - len(kept_entities)
        report.duplicate_relations += len(relations) - len(kept_relations)
        if text_id in self._ids:
            self.problem(text_id, "an earlier text has the same id")
        self._ids.add(text_id)

    def problem(self, text_id: str, what: str) -> None:
        self.report.problems.append((text_id, what))

    def count(self, what: str, number: int = 1) -> None:
        self.report.counts[what] = self.report.counts.get(what, 0) + number

    def _orient(self, relation: Relation[Entity]) -> Relation[Entity]:
        if relation.label in self.symmetric and relation.tail < relation.head:
            return Relation(relation.tail, relation.head, relation.label, relation.score)
        return relation


def read_json(path: Path) -> tuple[Place, Any]:
    """The value of a JSON file."""
    place = Place(path, "whole file")
    return place, place.parse(_read_text(path))


def read_items(path: Path) -> Iterator[tuple[Place, Any]]:
    """The items of a JSON list, counted from 0."""
    place, items = read_json(path)
    if type(items) is not list or not items:
        raise place.error(_show(items), "a list with at least one item", "Check the file's format.")
    for number, item in enumerate(items):
        yield Place(path, f"item {number}"), item


def read_lines(path: Path) -> Iterator[tuple[Place, Any]]:
    """The values of a JSON Lines file, lines counted from 1; blank lines are skipped."""
    # Only "\n" ends a line: `splitlines` would also cut at separators inside strings.
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if line.strip():
            place = Place(path, f"line {number}")
            yield place, place.parse(line)


def argument_indices(
    entities: Sequence[Entity], relations: Sequence[Relation[Entity]], text_id: str
) -> list[tuple[int, int]]:
    """Head and tail of each relation as positions in `entities`.

    Raises ConversionError if a head or tail is not among the entities.
    """
    positions = {entity: position for position, entity in reversed(list(enumerate(entities)))}
    for relation in relations:
        for argument in (relation.head, relation.tail):
            if argument not in positions:
                raise ConversionError(
                    f"text {text_id!r}: found a {relation.label!r} relation to {argument}, expected one of "
                    f"the text's {len(positions)} entities. Add the entity or leave out the relation."
                )
    return [(positions[relation.head], positions[relation.tail]) for relation in relations]


def _read_text(path: Path) -> str:
    place = Place(path, "whole file")
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise place.error(f"undecodable bytes ({error})", "UTF-8 text", "Save the file as UTF-8.") from error
    if not content.strip():
        raise place.error("an empty file", "at least one text", "Check the path, or fetch the file again.")
    return content


def _count_nested(entities: Sequence[Entity]) -> int:
    spans = sorted({(entity.start, -entity.end) for entity in entities})  # containers come first
    return sum(-inner_end <= -outer_end for (_, outer_end), (_, inner_end) in combinations(spans, 2))


def _show(value: Any, limit: int = 60) -> str:
    """A value as it fits into an error message."""
    shown = repr(value)
    return shown if len(shown) <= limit else f"{shown[:limit]}..."


Reader = Callable[[Path], Conversion]

# A format is a module of this package with a function `read(path) -> Conversion`.
FORMATS: dict[str, Reader] = {
    name: import_module(f"{__name__}.{name}").read
    for name in ("bioc", "biorelex", "brat", "jsonl", "pubtator", "spert")
}


def get_format(name: str) -> Reader:
    """The reader of a format. Raises ValueError for an unknown name."""
    if name not in FORMATS:
        known = ", ".join(sorted(FORMATS))
        raise ValueError(
            f"Unknown corpus format: found {name!r}, expected one of: {known}. "
            "Choose one of these, or convert the corpus to 'jsonl' first."
        )
    return FORMATS[name]

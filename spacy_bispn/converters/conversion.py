"""What every reader fills: the texts of a file, and a report on what was kept and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, ParamSpec, Self, TypedDict

from spacy_bispn.converters.cutting import cut, sentences_of
from spacy_bispn.converters.file_reading import ConversionError
from spacy_bispn.converters.offsets import Unit
from spacy_bispn.converters.parsed_item import Counts, ParsedItem
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Kind, Relation, distinct
from spacy_bispn.settings import SettingError
from spacy_bispn.span_index import SpanIndex

DISCONTIGUOUS = ("discontiguous mentions", "discontiguous mentions covered by one span")  # dropped, noted
ACROSS = "relations that join two texts"  # dropped: of sentences or passages
CONTRADICTING = "texts annotated otherwise than an earlier copy of them"  # noted

Starts = Callable[[AnnotatedText], Sequence[int]]
P = ParamSpec("P")


class Rules(TypedDict, total=False):
    """What a caller may ask of every reader; the fields of `Conversion` of the same names."""

    symmetric: tuple[str, ...]
    negative: tuple[str, ...]
    rename: Mapping[str, str]
    lenient: bool
    level: str
    starts: Starts
    measure: Callable[[AnnotatedText], object]
    take: Callable[[AnnotatedText], object]


@dataclass
class Report(Counts):
    """What a conversion kept and what it dropped."""

    texts: int = 0
    entities: int = 0
    relations: int = 0
    nested: int = 0  # pairs of different spans, one inside the other
    self_relations: int = 0  # head and tail are the same entity
    duplicate_entities: int = 0  # dropped
    duplicate_relations: int = 0  # dropped
    errors: list[str] = field(default_factory=list)  # one for each item that a lenient reader skipped

    def __str__(self) -> str:
        dropped = [
            f"{count} {what}"
            for what, count in [
                ("duplicate entities", self.duplicate_entities),
                ("duplicate relations", self.duplicate_relations),
                *sorted(self.dropped.items()),
                ("items that could not be read", len(self.errors)),
            ]
            if count
        ]
        noted = ", ".join(f"{count} {what}" for what, count in sorted(self.noted.items()))
        return (
            f"{self.texts} texts, {self.entities} entities ({self.nested} nested pairs), "
            f"{self.relations} relations ({self.self_relations} from an entity to itself); "
            f"dropped: {', '.join(dropped) or 'nothing'}; {noted and f'noted: {noted}; '}"
            f"{len(self.problems)} problems"
        )

    def besides(self) -> str:
        """What is left to say of a file where texts, entities and relations are counted elsewhere."""
        dropped = {what: count for what, count in self.dropped.items() if what not in self.kinds}
        return "; ".join(
            [
                f"{self.nested} nested pairs of entities",
                f"{self.self_relations} relations from an entity to itself",
                *(
                    f"{verb}: {', '.join(f'{count} {what}' for what, count in sorted(counts.items()))}"
                    for verb, counts in (("not read", dropped), ("noted", self.noted))
                    if counts
                ),
                f"{len(self.problems)} problems",
            ]
        )

    @property
    def discontiguous(self) -> int:
        """Mentions in several places, dropped or covered by one span."""
        return self.dropped[DISCONTIGUOUS[0]] + self.noted[DISCONTIGUOUS[1]]

    def lost(self, kind: Kind) -> dict[str, int]:
        """What the reader left out of one kind, and why; what it read is this and what is left."""
        twice = {"entities": self.duplicate_entities, "relations": self.duplicate_relations}.get(kind)
        return super().lost(kind) | ({f"duplicate {kind}": twice} if twice else {})

    def as_json(self) -> dict[str, Any]:
        """Every field as plain values, and how many mentions were in several places."""
        shown = {name: value for name, value in vars(self).items() if name != "kinds"}
        return shown | {
            "discontiguous": self.discontiguous,
            "dropped": dict(self.dropped),
            "noted": dict(self.noted),
            "problems": [f"{text_id}: {what}" for text_id, what in self.problems],
        }


@dataclass
class Conversion:
    """The texts read from a file, and the report on them.

    symmetric: the relation labels without a direction; their head is the earlier entity.
    negative: labels that say that there is no relation; such relations are dropped and counted.
    rename: new labels of entities and relations by those of the file. Symmetric and negative are what has
        such a label before or after. What becomes equal is dropped and counted.
    offsets: what the offsets of the file count, where these are not tokens.
    lenient: whether an item that cannot be read is skipped, its error in the report, or raises.
    level: what becomes a text: a "sentence", a whole "document" (all that an item of the file has), or so
        many sentences as a number says.
    starts: says where the sentences of a text begin, where its file does not; needed to cut such texts.
    measure: is given every text before it is cut.
    labels: those of the file, before they are renamed.
    take: is given every text as soon as it is read, for files larger than memory; without it they
        are kept in `texts`.
    """

    symmetric: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    lenient: bool = False
    level: str = "document"
    starts: Starts | None = None
    measure: Callable[[AnnotatedText], object] | None = None
    take: Callable[[AnnotatedText], object] | None = None
    offsets: Unit = "characters"
    texts: list[AnnotatedText] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    labels: dict[Kind, set[str]] = field(default_factory=lambda: {"entities": set(), "relations": set()})
    _ids: set[str] = field(default_factory=set, repr=False)
    _annotated: dict[int, int] = field(default_factory=dict, repr=False)  # hashes: of texts, of their gold

    def __post_init__(self) -> None:
        sentences_of(self.level)  # raises
        self.symmetric, self.negative = (
            tuple(dict.fromkeys([*labels, *(self.rename[label] for label in labels if label in self.rename)]))
            for labels in (self.symmetric, self.negative)
        )

    def add_item(
        self, parse: Callable[Concatenate[ParsedItem, P], None], *args: P.args, **named: P.kwargs
    ) -> None:
        """Keep what a function reads of one item; of its error, a lenient conversion takes note and goes on.

        parse: fills a ParsedItem, its first argument, from the others; raises ConversionError.
        """
        item = ParsedItem(offsets=self.offsets)
        try:
            parse(item, *args, **named)
        except ConversionError as error:
            if not self.lenient:
                raise
            self.report.errors.append(str(error))
            return
        self.report.dropped += item.dropped
        self.report.kinds |= item.kinds
        self.report.noted += item.noted
        self.report.problems += item.problems
        for given in item.texts:
            text = self._distinct(given)
            self._compare(text)
            for passage in self._cut(text):
                self._keep(passage)

    def add_items(self, parse: Callable[..., None], items: Iterable[tuple[Any, ...]], *same: Any) -> Self:
        """Add items one by one: each has its arguments of `parse`, which the `same` ones follow."""
        for item in items:
            self.add_item(parse, *item, *same)
        return self

    def _cut(self, text: AnnotatedText) -> list[AnnotatedText]:
        """What becomes of a text at the level.

        Raises SettingError where nothing says so.
        """
        if self.measure is not None:
            self.measure(text)
        sentences = sentences_of(self.level)
        if not sentences:
            return [text]
        if not text.sentences and self.starts is None:
            expected = "document, as this file does not say where sentences begin"
            raise SettingError("level", self.level, expected, "give `starts`, or leave out the level")
        passages, lost = cut(text, text.sentences or self.starts(text), sentences)  # type: ignore[misc]
        self.report.drop(ACROSS, lost, "relations")
        return passages

    def _compare(self, text: AnnotatedText) -> None:
        """Count a text that stands in the file already, with other gold."""
        entities, relations = text.extraction.entities, text.extraction.relations
        gold = hash((frozenset(entities), frozenset(relations)))
        if text.text.strip() and self._annotated.setdefault(hash(text.text), gold) != gold:
            self.report.note(CONTRADICTING)
            self.report.problem(text.id, "an earlier text has the same words and other annotations")

    def _distinct(self, text: AnnotatedText) -> AnnotatedText:
        """A text with new labels, without duplicates and negatives, which are counted."""
        entities, relations = text.extraction.entities, text.extraction.relations
        self.labels["entities"].update(entity.label for entity in entities)
        self.labels["relations"].update(relation.label for relation in relations)
        positive = [
            relation
            for relation in relations
            if not {relation.label, self._name(relation.label)} & {*self.negative}
        ]
        kept_entities = distinct(entities)
        kept_relations = tuple(dict.fromkeys(map(self._orient, positive)))
        self.report.duplicate_entities += len(entities) - len(kept_entities)
        self.report.duplicate_relations += len(positive) - len(kept_relations)
        self.report.drop("negative relations", len(relations) - len(positive), "relations")
        kept = Extraction(kept_entities, kept_relations)
        return replace(text, extraction=self._renamed(kept) if self.rename else kept)

    def _renamed(self, given: Extraction) -> Extraction:
        """The same with new labels; what these make equal is counted."""

        def renamed(entity: Entity) -> Entity:
            return replace(entity, label=self._name(entity.label))

        for label in [*(one.label for one in given.entities), *(one.label for one in given.relations)]:
            if label in self.rename:
                self.report.note(f"labels {label!r} renamed to {self._name(label)!r}")
        entities = distinct(map(renamed, given.entities))
        relations = tuple(
            dict.fromkeys(
                self._orient(Relation(renamed(x.head), renamed(x.tail), self._name(x.label), x.score))
                for x in given.relations
            )
        )
        equal: list[tuple[Kind, int]] = [
            ("entities", len(given.entities) - len(entities)),
            ("relations", len(given.relations) - len(relations)),
        ]
        for kind, count in equal:
            self.report.drop(f"{kind} that new labels make equal to others", count, kind)
        return Extraction(entities, relations)

    def _name(self, label: str) -> str:
        return self.rename.get(label, label)

    def _keep(self, text: AnnotatedText) -> None:
        """Hand a text on, and count what is in it."""
        entities, relations = text.extraction.entities, text.extraction.relations
        take = self.take or self.texts.append
        take(text)
        report = self.report
        report.texts += 1
        report.entities += len(entities)
        report.relations += len(relations)
        report.nested += _count_nested(entities)
        report.self_relations += sum(relation.head == relation.tail for relation in relations)
        if text.id in self._ids:
            report.problem(text.id, "an earlier text has the same id")
        self._ids.add(text.id)

    def _orient(self, relation: Relation[Entity]) -> Relation[Entity]:
        if relation.label in self.symmetric and relation.tail < relation.head:
            return Relation(relation.tail, relation.head, relation.label, relation.score)
        return relation


def _count_nested(entities: Sequence[Entity]) -> int:
    spans = {Entity(entity.start, entity.end, "") for entity in entities}
    index = SpanIndex(spans)
    return sum(
        outer.start <= inner.start and inner.end <= outer.end
        for outer in spans for inner in index.overlapping(outer.start, outer.end) if inner != outer
    )  # fmt: skip

"""What every reader fills: the texts of a file, and a report on what was kept and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, ParamSpec, Self, TypedDict

from spacy_bispn.converters.cutting import cut, sentences_of
from spacy_bispn.converters.file_reading import ConversionError
from spacy_bispn.converters.offsets import Unit
from spacy_bispn.converters.parsed_item import Counts, ParsedItem
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation
from spacy_bispn.settings import SettingError
from spacy_bispn.span_index import SpanIndex

DISCONTIGUOUS = ("discontiguous mentions", "discontiguous mentions covered by one span")  # dropped, noted
ACROSS = "relations across sentences"  # dropped
CONTRADICTING = "texts annotated otherwise than an earlier copy of them"  # noted

Starts = Callable[[AnnotatedText], Sequence[int]]
P = ParamSpec("P")


class Rules(TypedDict, total=False):
    """What a caller may ask of every reader; the fields of `Conversion` of the same names."""

    symmetric: tuple[str, ...]
    negative: tuple[str, ...]
    lenient: bool
    level: str
    starts: Starts
    measure: Callable[[AnnotatedText, Sequence[int]], object]
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

    @property
    def discontiguous(self) -> int:
        """Mentions in several places, dropped or covered by one span."""
        return self.dropped[DISCONTIGUOUS[0]] + self.noted[DISCONTIGUOUS[1]]

    def as_json(self) -> dict[str, Any]:
        """Every field as plain values, and how many mentions were in several places."""
        return vars(self) | {
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
    offsets: what the offsets of the file count, where these are not tokens.
    lenient: whether an item that cannot be read is skipped, its error in the report, or raises.
    level: what becomes a text: a "sentence", a whole "document" (all that an item of the file has), or so
        many sentences as a number says.
    starts: says where the sentences of a text begin, where its file does not; needed to cut such texts.
    measure: is given every text before it is cut, and where its sentences begin if its file says so.
    take: is given every text as soon as it is read, for files larger than memory; without it they
        are kept in `texts`.
    """

    symmetric: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    lenient: bool = False
    level: str = "document"
    starts: Starts | None = None
    measure: Callable[[AnnotatedText, Sequence[int]], object] | None = None
    take: Callable[[AnnotatedText], object] | None = None
    offsets: Unit = "characters"
    texts: list[AnnotatedText] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    _ids: set[str] = field(default_factory=set, repr=False)
    _annotated: dict[int, int] = field(default_factory=dict, repr=False)  # hashes: of texts, of their gold

    def __post_init__(self) -> None:
        sentences_of(self.level)  # raises

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
        self.report.noted += item.noted
        self.report.problems += item.problems
        for given, own in item.texts:
            text = self._distinct(given)
            self._compare(text)
            for passage in self._cut(text, own):
                self._keep(passage)

    def add_items(self, parse: Callable[..., None], items: Iterable[tuple[Any, ...]], *same: Any) -> Self:
        """Add items one by one: each has its arguments of `parse`, which the `same` ones follow."""
        for item in items:
            self.add_item(parse, *item, *same)
        return self

    def _cut(self, text: AnnotatedText, own: Sequence[int]) -> list[AnnotatedText]:
        """What becomes of a text at the level; `own`: where its sentences begin, if the file says so.

        Raises SettingError where nothing says so.
        """
        if self.measure is not None:
            self.measure(text, own)
        sentences = sentences_of(self.level)
        if not sentences:
            return [text]
        if not own and self.starts is None:
            expected = "document, as this file does not say where sentences begin"
            raise SettingError("level", self.level, expected, "give `starts`, or leave out the level")
        passages, lost = cut(text, own or self.starts(text), sentences)  # type: ignore[misc]
        self.report.drop(ACROSS, lost)
        return passages

    def _compare(self, text: AnnotatedText) -> None:
        """Count a text that stands in the file already, with other gold."""
        entities, relations = text.extraction.entities, text.extraction.relations
        gold = hash((frozenset(entities), frozenset(relations)))
        if text.text.strip() and self._annotated.setdefault(hash(text.text), gold) != gold:
            self.report.note(CONTRADICTING)
            self.report.problem(text.id, "an earlier text has the same words and other annotations")

    def _distinct(self, text: AnnotatedText) -> AnnotatedText:
        """A text without duplicates and negatives, which are counted."""
        entities, relations = text.extraction.entities, text.extraction.relations
        positive = [relation for relation in relations if relation.label not in self.negative]
        kept_entities = tuple(dict.fromkeys(entities))
        kept_relations = tuple(dict.fromkeys(map(self._orient, positive)))
        self.report.duplicate_entities += len(entities) - len(kept_entities)
        self.report.duplicate_relations += len(positive) - len(kept_relations)
        self.report.drop("negative relations", len(relations) - len(positive))
        return replace(text, extraction=Extraction(kept_entities, kept_relations))

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

"""What every reader fills: the texts of a file, and a report on what was kept and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

from spacy_bispn.converters.cutting import cut
from spacy_bispn.converters.reading import ConversionError, Place
from spacy_bispn.places import Places
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation, spaces_after

DISCONTIGUOUS = ("discontiguous mentions", "discontiguous mentions covered by one span")  # dropped, noted
ACROSS = "relations across sentences"  # dropped

Level = Literal["sentence", "document"]


class Rules(TypedDict, total=False):
    """What a caller may ask of every reader; the fields of `Conversion` of the same names."""

    symmetric: tuple[str, ...]
    negative: tuple[str, ...]
    lenient: bool
    starts: Callable[[AnnotatedText], Sequence[int]]
    take: Callable[[AnnotatedText], object]


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
    dropped: Counter[str] = field(default_factory=Counter)  # whatever else, in words
    noted: Counter[str] = field(default_factory=Counter)  # kept, but worth knowing, in words
    problems: list[tuple[str, str]] = field(default_factory=list)
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
    lenient: whether an item that cannot be read is skipped, its error in the report, or raises.
    starts: says where the sentences of a text begin, which then are the texts; without it a text is what
        the format has.
    take: is given every text as soon as it is read, for files larger than memory; without it they
        are kept in `texts`.
    """

    symmetric: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    lenient: bool = False
    starts: Callable[[AnnotatedText], Sequence[int]] | None = None
    take: Callable[[AnnotatedText], object] | None = None
    texts: list[AnnotatedText] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    _ids: set[str] = field(default_factory=set, repr=False)
    # of the item that is being read: texts, with their own sentences where the file has some
    _read: list[tuple[AnnotatedText, Sequence[int]]] = field(default_factory=list, repr=False)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """The reading of one item, which is kept whole or not at all.

        Of its errors, a lenient conversion takes note and goes on.
        """
        report = self.report
        dropped, noted, problems = report.dropped.copy(), report.noted.copy(), len(report.problems)
        try:
            yield
        except ConversionError as error:
            if not self.lenient:
                raise
            report.errors.append(str(error))
            # What is counted of an item that is skipped would be counted twice.
            report.dropped, report.noted = dropped, noted
            del report.problems[problems:]
            self._read = []
        read, self._read = self._read, []
        for given, own in read:
            text = self._distinct(given)
            starts = self.starts and (own or self.starts(text))
            sentences, lost = ([text], 0) if starts is None else cut(text, starts)
            self.drop({ACROSS: lost})
            for sentence in sentences:
                self._keep(sentence)

    def add(
        self,
        place: Place,
        text_id: str,
        text: str,
        entities: Sequence[Entity],
        relations: Sequence[Relation[Entity]],
        words: Sequence[str] | None = None,
        sentences: Sequence[int] = (),
    ) -> None:
        """Add a text to the item that is being read (see `attempt`), once its parts are checked.

        sentences: where those of the file begin, if it says so: they go before what `starts` says.

        Raises ConversionError for an entity outside the text, a blank label, an empty word and words that do
        not spell the text.
        """
        for entity in entities:
            place.check_span(entity.start, entity.end, len(text), "characters")
        for label in [*(entity.label for entity in entities), *(relation.label for relation in relations)]:
            if not label.strip():
                advice = "Name it, or leave out what has no label."
                raise place.error(f"the label {label!r}", "a label that is not blank", advice)
        if words is not None and "" in words:
            found = f"an empty word, number {words.index('')} of {len(words)} counted from 0"
            raise place.error(found, "words of at least one character", "Leave it out, and count without it.")
        if words is not None and spaces_after(text, words) is None:
            expected = "the text in words, with at most one space after each"
            advice = "Correct the text or its words."
            raise place.error("words that do not give the text", expected, advice)
        extraction = Extraction(tuple(entities), tuple(relations))
        prescribed = None if words is None else tuple(words)
        self._read.append((AnnotatedText(text_id, text, extraction, prescribed), sentences))

    def _distinct(self, text: AnnotatedText) -> AnnotatedText:
        """A text without duplicates and negatives, which are counted."""
        entities, relations = text.extraction.entities, text.extraction.relations
        positive = [relation for relation in relations if relation.label not in self.negative]
        kept_entities = tuple(dict.fromkeys(entities))
        kept_relations = tuple(dict.fromkeys(map(self._orient, positive)))
        self.report.duplicate_entities += len(entities) - len(kept_entities)
        self.report.duplicate_relations += len(positive) - len(kept_relations)
        self.drop({"negative relations": len(relations) - len(positive)})
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
            self.problem(text.id, "an earlier text has the same id")
        self._ids.add(text.id)

    def drop(self, counts: Mapping[str, int]) -> None:
        """Count what a reader left out, in words: what it was, and how many."""
        self.report.dropped += Counter(counts)

    def note(self, counts: Mapping[str, int]) -> None:
        """Count what a reader kept and a user should know of, in words: what it is, and how many."""
        self.report.noted += Counter(counts)

    def problem(self, text_id: str, what: str) -> None:
        self.report.problems.append((text_id, what))

    def _orient(self, relation: Relation[Entity]) -> Relation[Entity]:
        if relation.label in self.symmetric and relation.tail < relation.head:
            return Relation(relation.tail, relation.head, relation.label, relation.score)
        return relation


def _count_nested(entities: Sequence[Entity]) -> int:
    spans = {Entity(entity.start, entity.end, "") for entity in entities}
    places = Places(spans)
    return sum(
        outer.start <= inner.start and inner.end <= outer.end
        for outer in spans for inner in places.overlapping(outer.start, outer.end) if inner != outer
    )  # fmt: skip

"""What one item of a file gives: texts with their gold, checked, and counts of what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spacy_bispn.converters.file_reading import FilePosition
from spacy_bispn.converters.offsets import FILLER, TRIMMED, WORDS, Gathered, Unit, spread
from spacy_bispn.records import (
    AnnotatedText,
    Entity,
    Extraction,
    Kind,
    Relation,
    distinct,
    spaces_after,
    trimmed,
)


@dataclass
class Counts:
    """What was left out of a corpus, what is worth knowing of it, and single places to look at.

    dropped, noted: how many of what, in words; what is noted was kept. problems: (text id, what) pairs.
    kinds: which of the words of `dropped` mean texts, entities or relations.
    """

    dropped: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, Kind] = field(default_factory=dict)
    noted: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def drop(self, what: str, count: int = 1, of: Kind | None = None) -> None:
        """Count what a reader left out; `of` says that these are whole texts, entities or relations."""
        self.dropped += Counter({what: count})
        if of is not None:
            self.kinds[what] = of

    def lost(self, kind: Kind) -> dict[str, int]:
        """What was left out of one kind, and why."""
        return {what: count for what, count in self.dropped.items() if self.kinds.get(what) == kind}

    def note(self, what: str, count: int = 1) -> None:
        """Count what a reader kept and a user should know of."""
        self.noted += Counter({what: count})

    def drop_keys(self, item: Any, known: Collection[str], of: str) -> None:
        """Count what stands under other keys than the known ones; nothing, and lists of it, do not count."""
        for key in item if isinstance(item, dict) else ():
            if key not in known and not is_empty(item[key]):
                self.drop(f"values of the key {key!r} of {of}")

    def problem(self, text_id: str, what: str) -> None:
        """Name a single place to look at."""
        self.problems.append((text_id, what))


@dataclass
class ParsedItem(Counts):
    """What one item of a file gives, which is kept as a whole or not at all.

    offsets: what the offsets of the item count.
    """

    offsets: Unit = "characters"
    texts: list[AnnotatedText] = field(default_factory=list)

    def measured(self, text: str) -> str:
        """A text of the file as its offsets count it, for `add`; parts of it are to be gathered."""
        return spread(text) if self.offsets == "utf-16" else text

    def add(
        self,
        position: FilePosition,
        text_id: str,
        text: str,
        entities: Sequence[Entity],
        relations: Sequence[Relation[Entity]],
        words: Sequence[str] | None = None,
        sentences: Sequence[int] = (),
    ) -> None:
        """Add a text, once its parts are checked.

        White space at the edges of an entity is cut off and noted. An entity of nothing else is dropped with
        its relations, and a problem.

        text: as `measured` gave it. Entities, relations and sentences count what it counts.
        sentences: where those of the file begin, if it says so: they go before what `Conversion.starts` says.

        Raises ConversionError for an entity outside the text, a blank label, an empty word and words that do
        not spell the text.
        """
        unit: Unit = "utf-16" if FILLER in text else "characters"
        for entity in entities:
            position.check_span(entity.start, entity.end, len(text), WORDS[unit])
        if unit == "utf-16":
            self.note(f"texts whose offsets count {WORDS[unit]}")
            text, entities, relations, sentences = _in_characters(
                position, text, entities, relations, sentences
            )
        for label in [*(entity.label for entity in entities), *(relation.label for relation in relations)]:
            if not label.strip():
                advice = "Name it, or leave out what has no label."
                raise position.error(f"the label {label!r}", "a label that is not blank", advice)
        if words is not None and "" in words:
            found = f"an empty word, number {words.index('')} of {len(words)} counted from 0"
            raise position.error(
                found, "words of at least one character", "Leave it out, and count without it."
            )
        if words is not None and spaces_after(text, words) is None:
            expected = "the text in words, with at most one space after each"
            advice = "Correct the text or its words."
            raise position.error("words that do not give the text", expected, advice)
        extraction = self._trim(text_id, text, entities, relations)
        prescribed = None if words is None else tuple(words)
        self.texts.append(AnnotatedText(text_id, text, extraction, prescribed, tuple(sentences)))

    def _trim(
        self, text_id: str, text: str, entities: Sequence[Entity], relations: Sequence[Relation[Entity]]
    ) -> Extraction:
        """The entities without white space at their edges, and the relations that are left."""
        moved = {
            one: replace(one, start=start, end=end)
            for one in distinct(entities)
            for start, end in [trimmed(text, one.start, one.end)]
        }
        blank = {old for old, new in moved.items() if new.start == new.end}
        for entity in sorted(blank):
            self.problem(
                text_id,
                f"the entity ({entity.label}) from {entity.start} to {entity.end} was dropped, it is nothing "
                "but white space",
            )
        kept = [one for one in relations if one.head not in blank and one.tail not in blank]
        self.drop("entities of white space alone", len(blank), "entities")
        self.drop("relations of entities of white space alone", len(relations) - len(kept), "relations")
        self.note(TRIMMED, sum(old != new and old not in blank for old, new in moved.items()))
        return Extraction(
            tuple(moved[one] for one in entities if one not in blank),
            tuple(
                replace(one, head=moved.get(one.head, one.head), tail=moved.get(one.tail, one.tail))
                for one in kept
            ),
        )


def _in_characters(
    position: FilePosition,
    text: str,
    entities: Sequence[Entity],
    relations: Sequence[Relation[Entity]],
    sentences: Sequence[int],
) -> tuple[str, list[Entity], list[Relation[Entity]], list[int]]:
    """What was said in UTF-16 units, in characters. Raises ConversionError for half of a character."""
    gathered = Gathered(text)

    def move(entity: Entity) -> Entity:
        for unit in (entity.start, entity.end):
            if gathered.splits(unit):
                found = f"the span {entity.start} to {entity.end}, {unit} of which is inside of a character"
                advice = "Check the offsets, or pass --offsets characters."
                raise position.error(found, "offsets in UTF-16 units, between characters", advice)
        return replace(entity, start=gathered.offset(entity.start), end=gathered.offset(entity.end))

    moved = {entity: move(entity) for entity in distinct(entities)}
    related = [replace(one, head=moved[one.head], tail=moved[one.tail]) for one in relations]
    return (
        gathered.text,
        [moved[one] for one in entities],
        related,
        [gathered.offset(one) for one in sentences],
    )


def cluster_id(text_id: str, number: int) -> str:
    """The id of a cluster that only its text tells apart from others: the same in each of its sentences."""
    return f"{text_id}#{number}"


def is_empty(value: Any) -> bool:
    """Whether a value says nothing: null, false, an empty string, or a collection of such values."""
    unseen = [value]
    while unseen:  # no recursion: a file may nest as deeply as its parser can go
        one = unseen.pop()
        if isinstance(one, dict):
            unseen += one.values()
        elif isinstance(one, list | tuple | set):
            unseen += one
        elif one is not None and one is not False and one != "":
            return False
    return True

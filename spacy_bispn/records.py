"""Entities, relations and texts as plain values; offsets count characters, ends are exclusive."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, NamedTuple, TypeVar

Kind = Literal["texts", "entities", "relations"]  # of what is counted in a corpus
LABEL_LISTS = ("entity_labels", "relation_labels", "symmetric_labels")  # of a component's `cfg`
Argument = TypeVar("Argument", bound=Any)  # members can be sorted

PASSAGE_ID = re.compile("(.*):(0|[1-9][0-9]{0,8})", re.DOTALL)
NO_ID = ("", "-", "-1", "NIL")  # what corpora and entity linkers write where they know no id


@dataclass(frozen=True, order=True)
class Entity:
    """A labelled span of a text, `text[start:end]`.

    start: the first character, counted from 0.
    end: the character after the last one.
    label: the entity's type.
    score: a probability, 1.0 for gold. Scores are not compared.
    kb_id: what it is a mention of: a concept, or a cluster of coreference. Mentions with one id are of one
        thing, in whichever text they are. Ids are not compared.
    span_id: the `id_` of its Span, such as that of a ruler's pattern. Not compared either.
    """

    start: int
    end: int
    label: str
    score: float = field(default=1.0, compare=False)
    kb_id: str = field(default="", compare=False)
    span_id: str = field(default="", compare=False)

    def words(self, text: str) -> str:
        """What it says in `text`: white space, and how Unicode composes a letter, make no other words."""
        return unicodedata.normalize("NFC", " ".join(text[self.start : self.end].split()))


@dataclass(frozen=True, order=True)
class Mention:
    """What is left of a spaCy `Span` without its Doc, under the names that a Span has."""

    text: str
    label_: str
    start_char: int
    end_char: int


@dataclass(frozen=True, order=True)
class Relation(Generic[Argument]):
    """A directed, labelled link from `head` to `tail`.

    The arguments are spaCy `Span` objects on a Doc and `Entity` records elsewhere. A Span cannot leave its
    Doc: a relation that was pickled or copied has `Mention` records in their place.

    head: the first argument.
    tail: the second argument. For symmetric labels the order means nothing.
    label: the relation's type.
    score: a probability, 1.0 for gold. Scores are not compared.
    """

    head: Argument
    tail: Argument
    label: str
    score: float = field(default=1.0, compare=False)

    def oriented(self, symmetric: Collection[str]) -> Relation[Argument]:
        """The relation as it is stored: if its label is symmetric, `head` is the argument that comes first.

        symmetric: labels of relations without a direction.
        """
        ends: tuple[Any, Any] = (self.head, self.tail)
        if self.label in symmetric and ends[1] < ends[0]:
            return replace(self, head=self.tail, tail=self.head)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the names of the columns that `spacy bispn extract` writes.

        For each end its label and its characters, end exclusive, and its words unless it is an `Entity`.
        """
        row: dict[str, Any] = {"label": self.label, "score": float(self.score)}
        for name, end in (("head", self.head), ("tail", self.tail)):
            mention = _mention(end)
            if isinstance(mention, Mention):
                row[name] = mention.text
            row[f"{name}_label"], row[f"{name}_start"], row[f"{name}_end"] = place_of(mention)
        return row

    def toDict(self) -> dict[str, Any]:
        """What srsly writes for a relation in `doc.to_json(underscore=["relations"])`."""
        return self.to_dict()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (_mention(self.head), _mention(self.tail), self.label, self.score)


@dataclass(frozen=True)
class Extraction:
    """The annotation of one text, gold or predicted.

    entities: all entities, nested ones too.
    relations: relations; their arguments are among the entities, unless they were predicted with
        `coherence = "off"`.
    joined: of predictions, what `coherence_parts` gave before relations were changed to join entities.
    forbidden: of predictions under a schema, how many relations it gave another label or an end with another
        label, and how many it dropped.
    """

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation[Entity], ...] = ()
    joined: tuple[int, int] | None = field(default=None, compare=False)
    forbidden: tuple[int, int] | None = field(default=None, compare=False)

    def closed(self) -> Extraction:
        """With the ends of all relations among the entities, as formats need that number their entities."""
        ends = (end for relation in self.relations for end in (relation.head, relation.tail))
        return replace(self, entities=tuple(dict.fromkeys([*self.entities, *ends])))

    def coherence_parts(self) -> tuple[int, int]:
        """How many relations have ends that are entities, and how many there are."""
        known = set(self.entities)
        coherent = sum(x.head in known and x.tail in known for x in self.relations)
        return coherent, len(self.relations)


@dataclass(frozen=True)
class AnnotatedText:
    """One unit of a corpus: a text and its gold annotation.

    id: the text's name in reports.
    text: the text; offsets count its characters.
    extraction: its gold entities and relations.
    words: the corpus's own tokens, if it prescribes them. They spell `text`, with at most one space after
        each.
    sentences: the characters at which its sentences begin, if its source says so. They are not compared.
    """

    id: str
    text: str
    extraction: Extraction
    words: tuple[str, ...] | None = None
    sentences: tuple[int, ...] = field(default=(), compare=False)


class PassageId(NamedTuple):
    """The id of a passage of a document: "a:0" is the first one of "a"."""

    document: str
    number: int

    @classmethod
    def of(cls, name: str) -> PassageId | None:
        """What an id says; None for that of no passage."""
        found = PASSAGE_ID.fullmatch(name)
        return cls(found[1], int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.document}:{self.number}"


@dataclass(frozen=True)
class Labels:
    """The label sets of a model; `symmetric` lists the relation labels without a direction."""

    entity: tuple[str, ...] = ()
    relation: tuple[str, ...] = ()
    symmetric: tuple[str, ...] = ()

    @classmethod
    def of(cls, cfg: Mapping[str, Any]) -> Labels:
        """Those in the `cfg` of a component."""
        return cls(*(tuple(cfg[kind]) for kind in LABEL_LISTS))


def distinct(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Each entity once, in order, with its first score; several ids of one become one id, "D1|D2"."""
    same: dict[Entity, list[Entity]] = {}
    for entity in entities:
        same.setdefault(entity, []).append(entity)
    return tuple(
        entity
        if len(found) == 1
        else replace(
            entity, kb_id=_joined(one.kb_id for one in found), span_id=_joined(one.span_id for one in found)
        )
        for entity, found in same.items()
    )


def _joined(ids: Iterable[str]) -> str:
    return "|".join(dict.fromkeys(filter(None, ids)))


def overlap_ratio(left: Entity, right: Entity) -> float:
    """Shared characters over all characters of two spans, from 0 to 1; labels do not count."""
    if (left.start, left.end) == (right.start, right.end):
        return 1.0  # empty spans too
    shared = min(left.end, right.end) - max(left.start, right.start)
    return max(shared, 0) / (max(left.end, right.end) - min(left.start, right.start))


def place_of(argument: Any) -> tuple[str, int, int]:
    """Label, first character and end of an `Entity`, a `Mention` or a spaCy `Span`."""
    if isinstance(argument, Entity):
        return argument.label, argument.start, argument.end
    return argument.label_, argument.start_char, argument.end_char


def _mention(argument: Any) -> Any:
    # by its names: records know nothing of spaCy
    if isinstance(argument, Mention) or not hasattr(argument, "start_char"):
        return argument
    return Mention(argument.text, argument.label_, argument.start_char, argument.end_char)


def is_label(label: object) -> bool:
    """Whether this can be a label: a text, not None, and not the hash that spaCy has for it."""
    return isinstance(label, str) and label != ""


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The offsets without the white space at both ends; equal ones where there is nothing else.

    Offsets that are no stretch of the text stay as they are.
    """
    if not 0 <= start < end <= len(text):
        return start, end
    words = text[start:end]
    first = start + len(words) - len(words.lstrip())
    return first, max(first, start + len(words.rstrip()))


def spaces_after(text: str, words: Sequence[str]) -> list[bool] | None:
    """Whether a space follows each word where the words spell the text; None if they do not."""
    spaces: list[bool] = []
    at = 0
    for number, word in enumerate(words):
        if not text.startswith(word, at):
            return None
        at += len(word)
        # A space that the next word begins with is not the one between them.
        following = words[number + 1] if number + 1 < len(words) else ""
        spaces.append(text.startswith(" " + following, at))
        at += spaces[-1]
    return spaces if at == len(text) else None

"""BioC XML (Comeau et al., 2013): a collection of documents, their passages and, perhaps, sentences.

    <annotation id="1"><infon key="type">Chemical</infon><infon key="MESH">D009270</infon>
      <location offset="0" length="8"/><text>Naloxone</text></annotation>
    <relation id="R1"><infon key="type">CID</infon>
      <node refid="1" role=""/><node refid="2" role=""/></relation>

Offsets count characters from the beginning of the document. Relations are between mentions, by nodes, or
between concepts, by nodes or infons.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Unpack, get_args

from spacy_bispn.converters import Conversion, Rules, check_choice
from spacy_bispn.converters.markup import Element, parse
from spacy_bispn.converters.standoff import (
    Discontiguous,
    Pairs,
    check_claims,
    concept_names,
    marked_text,
    read_number,
    relate_concepts,
    single_span,
)
from spacy_bispn.records import Entity, Relation

INSIDE = {  # the elements that are read, or say nothing of text and annotations
    "collection": {"source", "date", "key", "infon", "document"},
    "document": {"id", "infon", "passage", "annotation", "relation"},
    "passage": {"infon", "offset", "text", "sentence", "annotation", "relation"},
    "sentence": {"infon", "offset", "text", "annotation", "relation"},
}
RELATION_LABELS = ("type", "relation")  # the infons that may hold a relation's label
HEAD_ROLES, TAIL_ROLES = ("arg1", "head", "subject"), ("arg2", "tail", "object")


class Piece(NamedTuple):
    """A stretch of text: from `offset` to `end` in the document, moved by `shift` in our text."""

    offset: int
    end: int
    shift: int


@dataclass
class Known:
    """What the relations of one document may point at, and the mentions that stand for it."""

    mentions: dict[str, list[Entity]] = field(default_factory=dict)  # none if the mention was dropped
    concepts: dict[str, list[Entity]] = field(default_factory=dict)
    relations: dict[str, list[Entity]] = field(default_factory=dict)

    def add(self, element: Element, ids: dict[str, list[Entity]], mentions: list[Entity]) -> None:
        """Note the id of an annotation or relation, if it has one."""
        name = element.attributes.get("id", "")
        if name and name in ids:
            expected = f"an id that no other <{element.tag}> of the document has"
            raise element.place.error(f"the id {name!r} again", expected, "Give one of them another id.")
        if name:
            ids[name] = mentions

    def is_relation(self, name: str) -> bool:
        return name in self.relations and name not in self.mentions and name not in self.concepts

    def has(self, name: str) -> bool:
        return name in self.mentions or name in self.concepts or name in self.relations


def recognizes(item: Any) -> bool:
    # The first line of any XML: no other format here is written in it.
    return isinstance(item, str) and item.startswith(("<?xml", "<!DOCTYPE collection", "<collection"))


def read(
    path: Path, pairs: Pairs = "all", discontiguous: Discontiguous = "drop", **rules: Unpack[Rules]
) -> Conversion:
    """Read a collection. Raises ConversionError on malformed input.

    The text is that of the passages (of their sentences, where passages have none), one space wherever
    their offsets leave a gap. Labels are the infons `type`, for relations `type` or else `relation`. The
    first node of a relation is its head, unless the roles say otherwise (arg1, head, subject; arg2, tail,
    object). `pairs` says which mentions a relation between concepts joins (see the pubtator format),
    `discontiguous` what becomes of mentions in several places (see the brat format).
    """
    check_choice("pairs", pairs, get_args(Pairs))
    check_choice("discontiguous", discontiguous, get_args(Discontiguous))
    conversion = Conversion(**rules)

    def take(document: Element) -> None:
        with conversion.attempt():
            _add(conversion, document, pairs, discontiguous)

    collection = parse(path, ("collection", "document"), take)
    documents = collection.all("document")
    if not documents:
        found, expected = "<collection> without a document", "<collection> with at least one <document>"
        raise collection.place.error(found, expected, "Check the file's format.")
    conversion.drop(_unread(collection))
    return conversion


def _add(conversion: Conversion, document: Element, pairs: Pairs, discontiguous: Discontiguous) -> None:
    text_id = document.one("id").text.strip()
    text, pieces, sentences = _layout(document)
    if not text.strip():
        conversion.drop({"documents without text": 1})
        conversion.problem(text_id, "left out: there is no text in it")
        return
    holders = list(_holders(document))
    for holder in holders:
        conversion.drop(_unread(holder))
    known = Known()
    entities, claims = [], []
    for annotation in (annotation for holder in holders for annotation in holder.all("annotation")):
        fragments = _fragments(annotation, pieces)
        mention = _mention(conversion, annotation, text, fragments, discontiguous)
        known.add(annotation, known.mentions, [] if mention is None else [mention])
        if mention is not None:
            entities.append(mention)
            for name in _concepts(annotation, mention.label):
                known.concepts.setdefault(name, []).append(mention)
        if fragments:
            marked = marked_text(text, fragments)
            claims += [(annotation.place, marked, claimed.text) for claimed in annotation.all("text")]
    check_claims(conversion, text_id, claims)

    links = [link for holder in holders for link in holder.all("relation")]
    for link in links:
        known.add(link, known.relations, [])
    relations = [
        relation for link in links for relation in _relations(conversion, link, text_id, known, pairs)
    ]
    conversion.add(document.place, text_id, text, entities, relations, sentences=sentences)


def _layout(document: Element) -> tuple[str, list[Piece], list[int]]:
    """The text of a document, where its pieces stand in it, and where its sentences begin if it has them."""
    parts = []
    undivided = False
    for passage in document.all("passage"):
        whole = any(element.text for element in passage.all("text"))
        undivided = undivided or whole
        for holder in [passage] if whole else passage.all("sentence"):
            where = holder.one("offset")
            content = "".join(element.text for element in holder.all("text"))
            if content:
                parts.append((read_number(where.place, where.text), content, where.place))
    text, pieces = "", list[Piece]()
    for offset, content, place in sorted(parts, key=lambda part: part[0]):
        before = pieces[-1].end if pieces else offset
        if offset < before:
            expected = f"{before} or more, where the text before it ends"
            advice = "Count offsets in characters from the beginning of the document."
            raise place.error(f"the offset {offset}", expected, advice)
        text += " " if offset > before else ""
        pieces.append(Piece(offset, offset + len(content), len(text) - offset))
        text += content
    return text, pieces, [] if undivided else [piece.offset + piece.shift for piece in pieces]


def _holders(document: Element) -> Iterator[Element]:
    """Everything that may hold annotations and relations."""
    yield document
    for passage in document.all("passage"):
        yield passage
        yield from passage.all("sentence")


def _unread(holder: Element) -> Counter[str]:
    """The elements, with all they hold, that stand where the format has none of their kind."""
    others = (child.tag for child in holder.children if child.tag not in INSIDE[holder.tag])
    return Counter(f"<{tag}> elements in a <{holder.tag}>" for tag in others)


def _infons(element: Element) -> list[tuple[str, str]]:
    return [(infon.attribute("key"), infon.text.strip()) for infon in element.all("infon")]


def _fragments(annotation: Element, pieces: list[Piece]) -> list[tuple[int, int]]:
    """The places of an annotation in our text."""
    fragments = []
    for location in annotation.all("location"):
        start = read_number(location.place, location.attribute("offset"))
        end = start + read_number(location.place, location.attribute("length"))
        starts = [piece.shift for piece in pieces if piece.offset <= start < piece.end]
        ends = [piece.shift for piece in pieces if piece.offset < end <= piece.end]
        if not starts or not ends or start >= end:
            expected = f"a stretch of the text, which ends at {pieces[-1].end}"
            advice = "Count offsets in characters, not bytes, from the beginning of the document."
            raise location.place.error(f"the span {start} to {end}", expected, advice)
        fragments.append((start + starts[0], end + ends[0]))
    return fragments


def _mention(
    conversion: Conversion,
    annotation: Element,
    text: str,
    fragments: list[tuple[int, int]],
    discontiguous: Discontiguous,
) -> Entity | None:
    if not fragments:
        conversion.drop({"annotations without a location": 1})
        return None
    label = next((value for key, value in _infons(annotation) if key == "type"), "")
    if not label:
        expected = "the infon 'type' with a label"
        raise annotation.place.error("none", expected, "Add it to the annotation.")
    span = single_span(conversion, text, fragments, discontiguous)
    return None if span is None else Entity(*span, label)


def _concepts(annotation: Element, label: str) -> set[str]:
    """The concepts of a mention: the values of all its infons but the label."""
    values = [value for key, value in _infons(annotation) if key != "type"]
    return {name for value in values for name in concept_names(label, value)}


def _relations(
    conversion: Conversion, link: Element, text_id: str, known: Known, pairs: Pairs
) -> list[Relation[Entity]]:
    infons = _infons(link)
    label = next((value for name in RELATION_LABELS for key, value in infons if key == name and value), "")
    if not label:
        expected = "the infon 'type' or 'relation' with a label"
        raise link.place.error("none", expected, "Add it to the relation.")
    nodes = [(node.attribute("refid"), node.attributes.get("role", "").lower()) for node in link.all("node")]
    if len(nodes) < 2:
        # The rest of the infons may be about the relation itself: its score, whether it is new.
        ends = [value for key, value in infons if key not in RELATION_LABELS and value in known.concepts]
        if len(ends) != 2:
            what = f"{len(ends)} of its infons name a concept of a mention, expected 2"
            conversion.drop({"relations between concepts without a pair of mentions": 1})
            conversion.problem(text_id, f"{link.place.item}: a {label!r} relation was dropped, {what}")
            return []
        relation = (ends[0], ends[1], label)
        return relate_concepts(conversion, link.place, text_id, relation, known.concepts, pairs)

    ids = [name for name, _ in nodes]
    unknown = [name for name in ids if not known.has(name)]
    if unknown and not known.concepts.keys() & set(ids):
        expected = "the id of an annotation or relation, or a concept of the document"
        advice = "Add the annotation, or remove the relation."
        raise link.place.error(f"a node with refid {unknown[0]!r}", expected, advice)
    if len(nodes) > 2:
        conversion.drop({"relations with more than two ends": 1})
        return []
    if any(known.is_relation(name) for name in ids):
        conversion.drop({"relations of relations": 1})
        return []
    if nodes[0][1] in TAIL_ROLES and nodes[1][1] in HEAD_ROLES:
        ids.reverse()
    head, tail = ids
    if not known.mentions.keys() >= {head, tail}:
        either = ChainMap(known.mentions, known.concepts)
        return relate_concepts(conversion, link.place, text_id, (head, tail, label), either, pairs)
    if not known.mentions[head] or not known.mentions[tail]:
        conversion.drop({"relations of dropped mentions": 1})
        return []
    return [Relation(known.mentions[head][0], known.mentions[tail][0], label)]

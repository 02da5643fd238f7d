"""BioC XML (Comeau et al., 2013): a collection of documents, their passages and, perhaps, sentences.

    <annotation id="1"><infon key="type">Chemical</infon><infon key="MESH">D009270</infon>
      <location offset="0" length="8"/><text>Naloxone</text></annotation>
    <relation id="R1"><infon key="type">CID</infon>
      <node refid="1" role=""/><node refid="2" role=""/></relation>

Offsets count characters from the beginning of the document. Relations are between mentions, by nodes, or
between concepts, by nodes or infons.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    Counts,
    FilePosition,
    ParsedItem,
    Rules,
    corpus_format,
    short_repr,
)
from spacy_bispn.converters.bioc_writing import write_bioc
from spacy_bispn.converters.markup import Element, parse
from spacy_bispn.converters.offsets import Offsets, unit_of
from spacy_bispn.converters.passages import check_sentences, find_layout, is_undivided
from spacy_bispn.converters.standoff import (
    Discontiguous,
    Pairs,
    check_claims,
    concept_names,
    marked_text,
    relate_concepts,
    single_span,
)
from spacy_bispn.records import NO_ID, Entity, Relation

INSIDE = {  # the elements that are read, or say nothing of text and annotations
    "collection": {"source", "date", "key", "infon", "document"},
    "document": {"id", "infon", "passage", "annotation", "relation"},
    "passage": {"infon", "offset", "text", "sentence", "annotation", "relation"},
    "sentence": {"infon", "offset", "text", "annotation", "relation"},
    "annotation": {"infon", "location", "text"},
    "relation": {"infon", "node"},
}
# the infons that hold the id of a concept: the usual one, or else others, as BC5CDR has "MESH"
CONCEPT_IDS = {re.compile(r"identifier"): True, re.compile(r".*\bidentifier|.*\bid|[A-Z]{3}.*"): False}
RELATION_LABELS = ("type", "relation")  # the infons that may hold a relation's label
HEAD_ROLES, TAIL_ROLES = ("arg1", "head", "subject"), ("arg2", "tail", "object")


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
            raise element.position.error(f"the id {name!r} again", expected, "Give one of them another id.")
        if name:
            ids[name] = mentions

    def is_relation(self, name: str) -> bool:
        return name in self.relations and name not in self.mentions and name not in self.concepts

    def has(self, name: str) -> bool:
        return name in self.mentions or name in self.concepts or name in self.relations


def is_bioc(item: Any) -> bool:
    return isinstance(item, str) and re.search(r"<(!DOCTYPE )?collection\b", item) is not None


@corpus_format("bioc", about="BioC XML", recognizes=is_bioc, write=write_bioc, ids=True)
def read_bioc(
    path: Path,
    *,
    pairs: Pairs = "all",
    discontiguous: Discontiguous = "drop",
    offsets: Offsets = "characters",
    **rules: Unpack[Rules],
) -> Conversion:
    """Read a collection. Raises ConversionError on malformed input.

    The text is that of the passages (of their sentences, where passages have none), one space wherever their
    offsets leave a gap; for offsets that do not fit the mentions see `passages`. A mention's id is its infon
    `identifier`, or else that of a vocabulary, such as `MESH`. Labels are the infons `type`, for relations
    `type` or else `relation`. The first node of a relation is its head, unless the roles say otherwise
    (arg1, head, subject; arg2, tail, object). `pairs` says which mentions a relation between concepts joins
    (see the pubtator format), `discontiguous` what becomes of mentions in several places (see the brat
    format).
    """
    conversion = Conversion(**rules, offsets=unit_of(offsets))
    numbers = count()

    def take(document: Element) -> None:
        conversion.add_item(parse_document, document, next(numbers), pairs, discontiguous)

    collection = parse(path, ("collection", "document"), take)
    documents = collection.all("document")
    if not documents:
        found, expected = "<collection> without a document", "<collection> with at least one <document>"
        raise collection.position.error(found, expected, "Check the file's format.")
    _drop_unread(conversion.report, collection)
    return conversion


def parse_document(
    parsed: ParsedItem, document: Element, number: int, pairs: Pairs, discontiguous: Discontiguous
) -> None:
    """Read a <document>, or what stands for one, the `number`-th of its file.

    Raises ConversionError on malformed input.
    """
    has_id = document.all("id") or not document.all("passage")
    text_id = (document.one("id").text.strip() if has_id else "") or str(number)
    holders = list(_holders(document))
    annotations = [(one, holder) for holder in holders for one in holder.all("annotation")]
    layout = find_layout(document, annotations, parsed.measured)
    text = layout.text
    if not text.strip():
        parsed.drop("documents without text", of="texts")
        parsed.problem(text_id, "left out: there is no text in it")
        return
    parsed.note(layout.about, bool(layout.about))
    check_sentences(parsed, text_id, document)
    for holder in holders:
        _drop_unread(parsed, holder)
    known = Known()
    entities, claims, outside = [], [], []
    for annotation, holder in annotations:
        _drop_unread(parsed, annotation)
        fragments = layout.fragments(annotation, holder)
        mention = _mention(parsed, annotation, text, fragments, discontiguous)
        known.add(annotation, known.mentions, [] if mention is None else [mention])
        if mention is not None:
            entities.append(mention)
            for name in _concepts(annotation, mention.label):
                known.concepts.setdefault(name, []).append(mention)
        if fragments:
            marked = marked_text(text, fragments)
            said = [claimed.text for claimed in annotation.all("text")] or [""]
            claims += [(annotation.position, marked, claimed) for claimed in said]
            if not layout.holds(fragments, holder):
                outside.append((annotation.position, f"{short_repr(marked)} outside of its <{holder.tag}>"))
    check_claims(parsed, text_id, claims)
    _check_places(parsed, text_id, outside, len(claims), any(claimed.strip() for _, _, claimed in claims))

    links = [link for holder in holders for link in holder.all("relation")]
    for link in links:
        known.add(link, known.relations, [])
    relations = [relation for link in links for relation in _relations(parsed, link, text_id, known, pairs)]
    sentences = [] if is_undivided(document) else [piece.offset + piece.shift for piece in layout.pieces]
    parsed.add(document.position, text_id, text, entities, relations, sentences=sentences)


def _holders(document: Element) -> Iterator[Element]:
    """Everything that may hold annotations and relations."""
    yield document
    for passage in document.all("passage"):
        yield passage
        yield from passage.all("sentence")


def _drop_infons(parsed: ParsedItem, infons: list[tuple[str, str]]) -> None:
    for key, value in infons:
        parsed.drop(f"infons {key!r} of relations", bool(value))


def _check_places(
    parsed: ParsedItem, text_id: str, outside: list[tuple[FilePosition, str]], total: int, checked: bool
) -> None:
    """Annotations outside of the element that they stand in are problems.

    Several, and more than half of a document's, are an error where no words say that the offsets are right.
    """
    if not checked and len(outside) > 1 and 2 * len(outside) > total:
        position, what = outside[0]
        raise position.error(
            f"{len(outside)} of the {total} mentions in {text_id!r} elsewhere than they stand (here {what})",
            "annotations in the passage that they lie in",
            "Count offsets in characters from the beginning of the document.",
        )
    for position, what in outside:
        parsed.problem(text_id, f"{position.item}: the mention {what}")


def _drop_unread(counts: Counts, holder: Element) -> None:
    """Count the elements, with all they hold, that stand where the format has none of their kind."""
    for child in holder.children:
        if child.tag not in INSIDE[holder.tag]:
            counts.drop(f"<{child.tag}> elements in a <{holder.tag}>")


def _infons(element: Element) -> list[tuple[str, str]]:
    return [(infon.attribute("key"), infon.text.strip()) for infon in element.all("infon")]


def _mention(
    parsed: ParsedItem,
    annotation: Element,
    text: str,
    fragments: list[tuple[int, int]],
    discontiguous: Discontiguous,
) -> Entity | None:
    if not fragments:
        parsed.drop("annotations without a location", of="entities")
        return None
    label = next((value for key, value in _infons(annotation) if key == "type"), "")
    if not label:
        expected = "the infon 'type' with a label"
        raise annotation.position.error("none", expected, "Add it to the annotation.")
    span = single_span(parsed, text, fragments, discontiguous)
    return None if span is None else Entity(*span, label, kb_id=_concept_id(parsed, annotation))


def _concept_id(parsed: ParsedItem, annotation: Element) -> str:
    """The id of the concept of a mention; several as one, "D1|D2"."""
    for keys, is_usual in CONCEPT_IDS.items():
        ids = {value: key for key, value in _infons(annotation) if keys.fullmatch(key) and value not in NO_ID}
        for key in () if is_usual else ids.values():
            parsed.note(f"ids of concepts from the infon {key!r}")
        if ids:
            return "|".join(ids)
    return ""


def _concepts(annotation: Element, label: str) -> set[str]:
    """The concepts of a mention: the values of all its infons but the label."""
    values = [value for key, value in _infons(annotation) if key != "type"]
    return {name for value in values for name in concept_names(label, value)}


def _relations(
    parsed: ParsedItem, link: Element, text_id: str, known: Known, pairs: Pairs
) -> list[Relation[Entity]]:
    infons = _infons(link)
    label = next((value for name in RELATION_LABELS for key, value in infons if key == name and value), "")
    if not label:
        expected = "the infon 'type' or 'relation' with a label"
        raise link.position.error("none", expected, "Add it to the relation.")
    infons.remove(next((key, label) for key in RELATION_LABELS if (key, label) in infons))
    nodes = [(node.attribute("refid"), node.attributes.get("role", "").lower()) for node in link.all("node")]
    if len(nodes) < 2:
        # The rest of the infons may be about the relation itself: its score, whether it is new.
        ends = [value for key, value in infons if key not in RELATION_LABELS and value in known.concepts]
        if len(ends) != 2:
            what = f"{len(ends)} of its infons name a concept of a mention, expected 2"
            parsed.drop("relations between concepts without a pair of mentions", of="relations")
            parsed.problem(text_id, f"{link.position.item}: a {label!r} relation was dropped, {what}")
            return []
        _drop_infons(parsed, [(key, value) for key, value in infons if value not in ends])
        relation = (ends[0], ends[1], label)
        return relate_concepts(parsed, link.position, text_id, relation, known.concepts, pairs)

    _drop_infons(parsed, infons)
    ids = [name for name, _ in nodes]
    unknown = [name for name in ids if not known.has(name)]
    if unknown and not known.concepts.keys() & set(ids):
        expected = "the id of an annotation or relation, or a concept of the document"
        advice = "Add the annotation, or remove the relation."
        raise link.position.error(f"a node with refid {unknown[0]!r}", expected, advice)
    if len(nodes) > 2:
        parsed.drop("relations with more than two ends", of="relations")
        return []
    if any(known.is_relation(name) for name in ids):
        parsed.drop("relations of relations", of="relations")
        return []
    if nodes[0][1] in TAIL_ROLES and nodes[1][1] in HEAD_ROLES:
        ids.reverse()
    head, tail = ids
    if not known.mentions.keys() >= {head, tail}:
        either = ChainMap(known.mentions, known.concepts)
        return relate_concepts(parsed, link.position, text_id, (head, tail, label), either, pairs)
    if not known.mentions[head] or not known.mentions[tail]:
        parsed.drop("relations of dropped mentions", of="relations")
        return []
    return [Relation(known.mentions[head][0], known.mentions[tail][0], label)]

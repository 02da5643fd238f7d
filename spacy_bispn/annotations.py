"""The only owner of what is on a Doc: the span groups, `doc.ents` and `doc._.relations`.

What is public in Python is explained in docs/annotations.md; doc_storage.py says how it is stored.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite
from numbers import Real
from typing import Any

from spacy.tokens import Doc, Span

from spacy_bispn.doc_storage import KEY as KEY
from spacy_bispn.doc_storage import RELATIONS, Place, Row, Stored, find, id_of, name_of, put, span_at
from spacy_bispn.records import Entity, Extraction, Mention, Relation, distinct, is_label, place_of, trimmed
from spacy_bispn.settings import SettingError
from spacy_bispn.span_group import members

NAME = "relations"
_names: set[str] = set()  # extensions that somebody asked for; NAME is there without being asked for
_reported: set[str] = set()


def get_relations(doc: Doc) -> tuple[Relation[Span], ...]:
    """The relations of a Doc, whatever other libraries do with `doc._.relations`; empty if there are none.

    Their ends are Spans with the label of an entity. `text`, `start_char` and `end_char` are those of the
    entity even where its tokens were merged into larger ones.
    """
    check_extension()
    entities, rows, *_ = find(doc)
    ends = {place: span_at(doc, place, entities.get(place, Stored())) for row in rows for place in row[:2]}
    return tuple(Relation(ends[head], ends[tail], label, score) for head, tail, label, score in rows)


def set_relations(doc: Doc, relations: Iterable[Relation[Any] | Mapping[str, Any]]) -> None:
    """Give a Doc its relations, as `doc._.relations = ...` does; ends that are no entities yet become some.

    An end is a Span of this Doc, or an `Entity`, a `Mention` or a Span of a Doc with the same text. One
    without a label stands for the first entity with its characters. What `Relation.to_dict` gives is a
    relation too.

    Raises ValueError, and changes nothing, where an end is none of these or a label is no text.
    """
    check_extension()
    entities = find(doc).entities
    put(doc, entities, _rows(doc, relations, entities))


def set_annotations(
    doc: Doc, entities: Iterable[Span], relations: Iterable[Relation[Any]] | None = None
) -> None:
    """Give a Doc its gold: all of its entities, which may be nested, and its relations.

    relations: None leaves open whether there are any, and nothing is learnt from the Doc; an empty list says
        that there are none.

    Replaces what the Doc said before. `doc.ents` become the entities that do not overlap, the longest first.
    Raises ValueError, and changes nothing, as `set_relations` does, and for an entity without a label.
    """
    check_extension()
    found: dict[Place, Stored] = {}
    text = doc.text
    for entity in entities:
        _end(doc, text, entity, found, "entities")
    rows = None if relations is None else _rows(doc, relations, found)
    doc.set_ents(flat([span_at(doc, *item) for item in found.items()], [1.0] * len(found), []))
    put(doc, found, rows)


def has_relations(doc: Doc) -> bool:
    """Whether the Doc says anything about relations, be it that there are none."""
    check_extension()
    return KEY in doc.spans and (RELATIONS in doc.spans or "relations" in doc.spans[KEY].attrs)


def has_entities(doc: Doc) -> bool:
    """Whether the Doc says anything about entities: by its group or by `doc.ents`."""
    return KEY in doc.spans or doc.has_annotation("ENT_IOB")


def read(doc: Doc) -> Extraction:
    """What a Doc says, in characters, each entity and each relation once.

    Without the group its entities are those of `doc.ents`. White space at the ends of an entity does not
    belong to it; what is nothing else is no entity. Raises ValueError for an entity without a label.
    """
    check_extension()
    found, rows, *counts = find(doc)
    entities = {
        place: Entity(*place, x.score, id_of(doc, x.kb_id), name_of(doc, x.id)) for place, x in found.items()
    }
    relations = (
        Relation(entities.get(head) or Entity(*head), entities.get(tail) or Entity(*tail), label, score)
        for head, tail, label, score in rows
    )
    return Extraction(tuple(entities.values()), tuple(relations), *counts)


def write(doc: Doc, extraction: Extraction, given: bool = False) -> int:
    """Put an extraction on a Doc; returns how many entities lie inside tokens and were widened.

    A span that ends inside a token is widened to whole tokens; spans that become equal are one, with
    the best score and all ids. Entities that other components set in `doc.ents` stay, ours fill the gaps:
    if some were `given`, with a score of 1, only the others.
    """
    check_extension()
    others = ents_before(doc) if given else _ents_of_others(doc)
    text = doc.text
    moved: list[Entity] = []
    place: dict[Entity, Place] = {}
    widened = 0
    free = (end for x in extraction.relations for end in (x.head, x.tail))
    known = set(extraction.entities)
    for entity in [*extraction.entities, *(end for end in free if end not in known)]:
        start, end = trimmed(text, entity.start, entity.end)
        span = doc.char_span(start, end, alignment_mode="expand") if start < end else None
        if span is None:
            continue
        place[entity] = (span.start_char, span.end_char, entity.label)
        if entity in known:
            widened += (span.start_char, span.end_char) != (start, end)
            moved.append(replace(entity, start=span.start_char, end=span.end_char))
    rows: dict[tuple[Place, Place, str], float] = {}
    for relation in extraction.relations:
        # two different ends may have become one span: that was no relation of it with itself
        apart = relation.head == relation.tail or place.get(relation.head) != place.get(relation.tail)
        if apart and relation.head in place and relation.tail in place:
            key = (place[relation.head], place[relation.tail], relation.label)
            rows[key] = max(relation.score, rows.get(key, 0.0))
    best = distinct(sorted(moved, key=lambda entity: (entity, -entity.score)))
    add = doc.vocab.strings.add
    found = {(x.start, x.end, x.label): Stored(x.score, add(x.kb_id), add(x.span_id)) for x in best}
    ours = {where: entity for where, entity in found.items() if not given or entity.score < 1}
    spans = [span_at(doc, *item) for item in ours.items()]
    doc.set_ents(flat(spans, [entity.score for entity in ours.values()], others))
    put(doc, found, [(*key, score) for key, score in rows.items()], (extraction.joined, extraction.forbidden))
    return widened


def flat(spans: list[Span], scores: list[float], kept: list[Span]) -> list[Span]:
    """The kept spans and the best of the others that overlap nothing: by score, then by length."""
    taken = {token for span in kept for token in range(span.start, span.end)}
    chosen = list(kept)
    order = sorted(range(len(spans)), key=lambda i: (-scores[i], spans[i].start - spans[i].end, i))
    for number in order:
        tokens = range(spans[number].start, spans[number].end)
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            chosen.append(spans[number])
    return chosen


def white_space(doc: Doc) -> tuple[int, int]:
    """How many entities of a Doc have white space at their ends, and how many are nothing else.

    `read` cuts it off, and leaves out the others with their relations.
    """
    text = doc.text
    group = doc.spans.get(KEY)
    found = (
        [(x.start_char, x.end_char) for x in doc.ents] if group is None else [x[:2] for x in members(group)]
    )
    cut = [(place, trimmed(text, *place)) for place in found]
    blank = sum(start == end for _, (start, end) in cut)
    return sum(old != new for old, new in cut) - blank, blank


def use_extension(name: str = NAME) -> None:
    """Offer the relations of Docs as `doc._.NAME` too.

    `doc._.relations` becomes free for another library, unless somebody asked for it by this function.
    Where the name belongs to another library already, it stays so, and a warning says it when it matters.
    Raises SettingError for what is no name of an attribute.
    """
    if not isinstance(name, str) or not name.isidentifier() or name in ("get", "has", "set"):
        raise SettingError("extension", name, "the name of an attribute", f'the default is "{NAME}"')
    _names.add(name)
    _register(name)
    if NAME not in _names and _owns(NAME):
        Doc.remove_extension(NAME)


def check_extension() -> None:
    """Warn, once for each name, where the extension belongs to another library."""
    for name in (_names or {NAME}) - _reported:
        if Doc.has_extension(name) and not _owns(name):
            _reported.add(name)
            warnings.warn(
                f"doc._.{name} belongs to another library: it shows none of the relations that spacy-bispn "
                f"predicts, and nothing is learnt from what is assigned to it. Use "
                f"spacy_bispn.get_relations(doc) and spacy_bispn.set_relations(doc, relations), or a name: "
                f'spacy_bispn.use_extension("bispn_{name}"), or extension = "bispn_{name}" in the config of '
                f"the component.", stacklevel=3,
            )  # fmt: skip


def _owns(name: str) -> bool:
    return bool(Doc.has_extension(name) and Doc.get_extension(name)[2] is get_relations)


def _register(name: str) -> None:
    if not Doc.has_extension(name):
        Doc.set_extension(name, getter=get_relations, setter=set_relations)


def ents_before(doc: Doc) -> list[Span]:
    """`doc.ents` without those that an earlier pass of ours found: these have a score below 1."""
    found = {place for place, entity in find(doc).entities.items() if entity.score < 1}
    return [x for x in doc.ents if (x.start_char, x.end_char, x.label_) not in found]


def _ents_of_others(doc: Doc) -> list[Span]:
    """`doc.ents` without those that an earlier pass of ours put there, whatever became of the tokens."""
    ours = [span for x in members(doc.spans[KEY]) if (span := x.on(doc))] if KEY in doc.spans else []
    places = {(span.start, span.end, span.label) for span in ours}
    # merged tokens may have left a part of an entity
    torn = [x for x in ours if doc.char_span(x.start_char, x.end_char) is None]
    return [
        span
        for span in doc.ents
        if (span.start, span.end, span.label) not in places
        and not any(x.label == span.label and x.start < span.end and span.start < x.end for x in torn)
    ]


def _rows(
    doc: Doc, relations: Iterable[Relation[Any] | Mapping[str, Any]], entities: dict[Place, Stored]
) -> list[Row]:
    """Relations that were given, with new ends added to the entities. Raises ValueError for a bad one."""
    if not isinstance(relations, Iterable) or isinstance(relations, str | Mapping):
        raise ValueError(
            f"doc._.relations was given {relations!r:.80}, expected a list of Relations: give an empty list "
            f"for a text without any."
        )
    text = doc.text
    rows: list[Row] = []
    for given in relations:
        relation = _from_dict(given) if isinstance(given, Mapping) else given
        if not isinstance(relation, Relation):
            raise ValueError(
                f"doc._.relations was given {given!r:.80}, expected a Relation: build it with "
                f'spacy_bispn.Relation(head, tail, "BINDS"). If another library assigns it, see '
                f"spacy_bispn.use_extension."
            )
        if not is_label(relation.label):
            raise ValueError(
                f"doc._.relations was given the label {relation.label!r}, expected a text: give a hash as "
                f"nlp.vocab.strings[label], and every relation a label."
            )
        if not isinstance(relation.score, Real) or not isfinite(relation.score):
            raise ValueError(
                f"doc._.relations was given the score {relation.score!r}, expected a number: leave it out "
                f"for 1."
            )
        ends = [_end(doc, text, end, entities) for end in (relation.head, relation.tail)]
        rows.append((ends[0], ends[1], relation.label, float(relation.score)))
    return rows


def _from_dict(row: Mapping[str, Any]) -> Relation[Entity] | None:
    """The relation of which this is the `to_dict`, if it is one."""
    try:
        head, tail = (
            Entity(row[f"{end}_start"], row[f"{end}_end"], row[f"{end}_label"]) for end in ("head", "tail")
        )
        return Relation(head, tail, row["label"], row.get("score", 1.0))
    except KeyError:
        return None


def _end(
    doc: Doc, text: str, argument: Any, entities: dict[Place, Stored], name: str = "doc._.relations"
) -> Place:
    """Where an entity or the end of a relation is; it is added to the entities if it is none of them yet."""
    shown = argument.text if isinstance(argument, Span) else argument
    given = f"{name} was given the argument {shown!r:.80}"
    advice = "build arguments with Span(doc, start, end, label=...) or take them from doc.ents."
    span = argument if isinstance(argument, Span) else None
    if not isinstance(argument, Span | Entity | Mention) or (span is not None and span.doc.text != text):
        if argument is None:
            advice += " doc.char_span gives None where characters do not begin and end with tokens."
        raise ValueError(f"{given}, expected a Span of this Doc: {advice}")
    label, first, last = place_of(argument)
    start, end = trimmed(text, first, last)
    if not 0 <= start < end <= len(text):
        raise ValueError(f"{given} from {first} to {last}, expected words of the text: leave it out.")
    if not label:
        alike = next((place for place in entities if place[:2] == (start, end)), None)
        if alike is None:
            raise ValueError(
                f"{given} without a label, expected one of the entities: set doc.ents first, or build it "
                f"with Span(doc, start, end, label=...)."
            )
        return alike
    if not is_label(label):
        raise ValueError(f"{given} with the label {label!r}, expected a text: give the label itself.")
    place = (start, end, label)
    if place not in entities:
        if (span is None or span.doc is not doc) and doc.char_span(start, end) is None:
            raise ValueError(
                f"{given} from {start} to {end}, expected characters that begin and end with tokens: use a "
                f"tokenizer that splits there, or "
                f'doc.char_span(start, end, label=..., alignment_mode="expand").'
            )
        entities[place] = Stored()
        if isinstance(argument, Entity):
            entities[place] = Stored(1.0, *map(doc.vocab.strings.add, (argument.kb_id, argument.span_id)))
        elif span is not None and span.doc.vocab is doc.vocab:  # else its hashes mean nothing here
            entities[place] = Stored(1.0, span.kb_id, span.id)
    return place


_register(NAME)

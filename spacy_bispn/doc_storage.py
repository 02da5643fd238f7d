"""How entities and relations are stored on a Doc, and how they are found again.

`doc.spans["bispn"]` holds the entities; its attribute `scores` has one number a span. A second group,
`doc.spans["bispn-relations"]`, holds two spans a relation: the head with the `kb_id_` "3 head BINDS", the
tail with "3 tail BINDS". An end is the entity with its characters and its label, so entities may be
filtered, sorted and replaced, and tokens merged and split. An end that was no entity when it was stored
needs none; it has "3 free head BINDS". The `kb_id_` of an entity is the id of what it is a mention of.
Groups survive `to_bytes`, a DocBin, copies, pickles and other processes; their characters, labels and
`kb_id_` also `Doc.from_docs`, JSON and `Example.to_dict`.

Attributes of the second group (of the first, where nothing is known about relations) hold what spans cannot:
`ents`, what `doc.ents` was, so that later changes of it count as corrections; `scores` of the relations by
number; `entities` with their scores; `joined` and `forbidden`, see `Found`. The first group's attribute
`relations`, rows of [head, tail, label, score] with positions in the group, is read only without a second
group, as in files of earlier versions.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span, SpanGroup

from spacy_bispn.records import NO_ID, trimmed
from spacy_bispn.span_group import CharSpan, CharSpanGroup, Member, members

KEY = "bispn"
RELATIONS = "bispn-relations"
COUNTS = ("joined", "forbidden")

PAIRED = re.compile(r"(\d+) (free )?(head|tail) (.+)", re.DOTALL)

Place = tuple[int, int, str]  # first character, end and label of an entity
Row = tuple[Place, Place, str, float]  # head, tail, label and score of a relation


class Stored(NamedTuple):
    """An entity on a Doc: its score and the hashes that a Span has beside its label."""

    score: float = 1.0
    kb_id: int = 0
    id: int = 0


class Found(NamedTuple):
    """What a Doc says: its entities by their places, in order, and the relations between them.

    joined: of predictions, how many relations joined entities before any was changed, and how many there
        were.
    forbidden: of predictions under a schema, how many relations it changed, and how many it dropped.
    """

    entities: dict[Place, Stored]
    relations: list[Row]
    joined: tuple[int, int] | None = None
    forbidden: tuple[int, int] | None = None


def find(doc: Doc) -> Found:
    """What a Doc says, each entity and each relation once, with the best of its scores.

    White space at the ends of an entity is cut off; what is nothing else is no entity. Raises ValueError
    for an entity without a label.
    """
    text = doc.text
    group = doc.spans.get(KEY)
    if group is None:
        ents = [_member_of(span) for span in doc.ents]
        return Found(_by_place(doc, text, ents, [1.0] * len(ents)), [])
    found = members(group)
    record = doc.spans.get(RELATIONS)
    attrs = {**group.attrs, **(record.attrs if record is not None else {})}
    entities = _by_place(doc, text, found, _scores(doc, found, group.attrs, attrs.get("entities")))
    moved = _correct(doc, text, entities, attrs["ents"]) if "ents" in attrs else {}
    free: set[Place] = set()
    rows = _old_rows(doc, text, found, group.attrs) if record is None else _pairs(doc, text, record, free)
    best: dict[tuple[Place, Place, str], float] = {}
    for head, tail, label, score in rows:
        ends = moved.get(head, head), moved.get(tail, tail)
        if all(end in entities or end in free for end in ends):
            best[*ends, label] = max(score, best.get((*ends, label), 0.0))
    counts = (attrs.get(name) for name in COUNTS)
    return Found(
        entities, [(*key, score) for key, score in best.items()], *(x and (x[0], x[1]) for x in counts)
    )


def put(
    doc: Doc,
    entities: Mapping[Place, Stored],
    rows: Sequence[Row] | None,
    counts: Sequence[tuple[int, int] | None] = (None, None),
) -> None:
    """Store entities and relations on a Doc; None where nothing is known about relations.

    counts: `joined` and `forbidden` of `Found`.
    `doc.ents` are to be in order before: what they are from now on are corrections.
    """
    scores = [float(entity.score) for entity in entities.values()]
    attrs: dict[str, Any] = {"ents": [[*place_of_span(span)] for span in doc.ents]}
    if any(score != 1.0 for score in scores):
        attrs["entities"] = [[*place, score] for place, score in zip(entities, scores, strict=True)]
    spans = [_plain_span(doc, place, entity) for place, entity in entities.items()]
    group = CharSpanGroup(doc, name=KEY, attrs={"scores": scores}, spans=spans)
    doc.spans[KEY] = group
    doc.spans.pop(RELATIONS, None)
    if rows is None:
        group.attrs.update(attrs)
        return
    index = {place: number for number, place in enumerate(entities)}
    group.attrs["relations"] = [
        [index[head], index[tail], *rest] for head, tail, *rest in rows if head in index and tail in index
    ]
    attrs |= {name: [*pair] for name, pair in zip(COUNTS, counts, strict=True) if pair is not None}
    attrs["scores"] = [float(score) for *_, score in rows]
    pairs = []
    for number, (head, tail, label, _) in enumerate(rows):
        for end, name in ((head, "head"), (tail, "tail")):
            free = "" if end in index else "free "
            kb_id = doc.vocab.strings.add(f"{number} {free}{name} {label}")
            pairs.append(_plain_span(doc, end, Stored(kb_id=kb_id)))
    doc.spans[RELATIONS] = CharSpanGroup(doc, name=RELATIONS, attrs=attrs, spans=pairs)


def span_at(doc: Doc, place: Place, entity: Stored) -> CharSpan:
    """The Span of an entity that is on a Doc."""
    start, end, label = place
    span = Member(start, end, doc.vocab.strings.add(label), entity.kb_id, entity.id).on(doc)
    if span is None:
        raise ValueError(
            f"the Doc has no characters from {start} to {end}, expected {len(doc.text)} at most."
        )
    return span


def _plain_span(doc: Doc, place: Place, entity: Stored) -> Span:
    # quicker than what is needed only for parts of tokens
    found = doc.char_span(*place, kb_id=entity.kb_id, span_id=entity.id)
    return span_at(doc, place, entity) if found is None else found


def id_of(doc: Doc, kb_id: int) -> str:
    """The text of an id in a knowledge base, empty where it says that there is none."""
    name = name_of(doc, kb_id)
    return "" if name in NO_ID else name


def name_of(doc: Doc, value: int) -> str:
    """The text of a hash that a Span has, its digits where the vocabulary lacks it."""
    return doc.vocab.strings[value] if value in doc.vocab.strings else str(value)


def place_of_span(span: Span) -> Place:
    """Where a Span is, with its label."""
    return span.start_char, span.end_char, label_of(span.doc, span.label)


def label_of(doc: Doc, label: int) -> str:
    """The text of a label. Raises ValueError where a Span has none, or a hash that the vocabulary lacks."""
    try:
        name: str = doc.vocab.strings[label]
    except KeyError:
        name = ""
    if not name:
        what = f"the hash {label}, which is not in the vocabulary" if label else "no label"
        raise ValueError(
            f"an entity of {doc.text[:60]!r} has {what}, expected a text: give Span(doc, start, end, "
            f'label="PROTEIN") the label itself.'
        )
    return name


def _member_of(span: Span) -> Member:
    return Member(span.start_char, span.end_char, span.label, span.kb_id, span.id)


def _place(doc: Doc, text: str, member: Member) -> Place | None:
    """Where an entity is without white space at its ends; None if it is nothing else."""
    start, end = trimmed(text, member.start, member.end)
    return (start, end, label_of(doc, member.label)) if start < end else None


def _by_place(doc: Doc, text: str, found: Sequence[Member], scores: Sequence[float]) -> dict[Place, Stored]:
    entities: dict[Place, Stored] = {}
    for member, score in zip(found, scores, strict=True):
        place = _place(doc, text, member)
        if place is not None and (place not in entities or entities[place].score < score):
            entities[place] = Stored(score, member.kb_id, member.id)
    return entities


def _scores(
    doc: Doc, found: Sequence[Member], own: Mapping[str, Any], saved: Sequence[Sequence[Any]] | None
) -> list[float]:
    """One score a member: by position as long as the group is as it was stored, else by place.

    What was added to the group by hand has 1.
    """
    places = [(x.start, x.end, label_of(doc, x.label)) for x in found]
    given = list(own.get("scores", ()))
    if saved is not None:
        by_place = {(start, end, label): score for start, end, label, score in saved}
        if len(given) != len(by_place) or places[: len(given)] != list(by_place):
            return [by_place.get(place, 1.0) for place in places]
    return (given + [1.0] * len(found))[: len(found)]


def _correct(
    doc: Doc, text: str, entities: dict[Place, Stored], saved: Sequence[Sequence[Any]]
) -> dict[Place, Place]:
    """Take over what was done to `doc.ents` since they were stored.

    What was taken out of them is no entity any more, what is new is one; an entity that nested ones or others
    keep out of `doc.ents` stays. An entity without an id gets the one that it has there, as entity linkers
    set it. Returns the new places of entities that only got another label.
    """
    before = {(start, end, label) for start, end, label in saved}
    now = {place_of_span(span): span for span in doc.ents}
    for place, span in now.items():
        if place in entities and not entities[place].kb_id:
            entities[place] = entities[place]._replace(kb_id=span.kb_id)
    gone, new = before - now.keys(), [place for place in now if place not in before]
    # What merged tokens cannot hold is still there: they made it vanish, or grow, or left a part of it.
    hidden = {place for place in gone if doc.char_span(*place[:2]) is None}
    if gone and not now and not hidden:
        entities.clear()
        return {}
    relabelled = {}
    for start, end, label in gone - hidden:
        place = (*trimmed(text, start, end), label)
        entities.pop(place, None)
        relabelled[place[:2]] = place
    moved = {}
    for start, end, label in new:
        if any(label == other and first < end and start < last for first, last, other in hidden):
            continue
        place = (*trimmed(text, start, end), label)
        span = now[start, end, label]
        if place[0] < place[1]:
            entities.setdefault(place, Stored(1.0, span.kb_id, span.id))
            if place[:2] in relabelled:
                moved[relabelled[place[:2]]] = place
    return moved


def _pairs(doc: Doc, text: str, record: SpanGroup, free: set[Place]) -> Iterator[Row]:
    """The relations of the second group, whose spans may have been sorted or filtered too.

    Ends that need no entity are added to `free`.
    """
    scores = record.attrs.get("scores", ())
    waiting: dict[tuple[str, str, str], list[Place | None]] = {}
    for member in members(record):
        named = PAIRED.fullmatch(label_of(doc, member.kb_id)) if member.kb_id else None
        if named is None:
            continue  # put there by somebody else
        number, alone, name, label = named.groups()
        place = _place(doc, text, member)
        if alone and place is not None:
            free.add(place)
        others = waiting.get((number, "tail" if name == "head" else "head", label))
        if not others:
            waiting.setdefault((number, name, label), []).append(place)
            continue
        other = others.pop(0)
        head, tail = (other, place) if name == "tail" else (place, other)
        if head is not None and tail is not None:
            yield head, tail, label, scores[int(number)] if int(number) < len(scores) else 1.0


def _old_rows(doc: Doc, text: str, found: Sequence[Member], attrs: Mapping[str, Any]) -> Iterator[Row]:
    """The relations of a Doc that was saved with positions in the group."""
    rows = attrs.get("relations", ())
    if rows and len(found) < len(attrs.get("scores", ())):
        warnings.warn(
            f"{len(rows)} relations of {text[:60]!r} are left out: they were saved by an earlier version as "
            f"positions in doc.spans[{KEY!r}], which was filtered since. Read them before and assign them "
            f"with spacy_bispn.set_relations, then filter.", stacklevel=2,
        )  # fmt: skip
        return
    for head, tail, label, score in rows:
        if max(head, tail) < len(found):
            first, second = _place(doc, text, found[head]), _place(doc, text, found[tail])
            if first is not None and second is not None:
                yield first, second, label, score

"""The only owner of what stands on a Doc: the span group, `doc.ents` and `doc._.relations`.

Everything is stored in the group `doc.spans["bispn"]`, whose attributes hold plain values: `scores`,
one a span, and `relations`, lists of [head, tail, label, score] with indices into the group. Span
groups survive `to_bytes`, a default DocBin, copies, pickles and other processes.
"""

from __future__ import annotations

from collections.abc import Iterable

from spacy.tokens import Doc, Span, SpanGroup

from .records import Entity, Extraction, Relation

KEY = "bispn"


def get_relations(doc: Doc) -> tuple[Relation[Span], ...]:
    """The relations of a Doc, with spans of its group as arguments; empty where there are none."""
    group = doc.spans.get(KEY, ())
    rows = group.attrs.get("relations", ()) if len(group) else ()
    return tuple(Relation(group[head], group[tail], label, score) for head, tail, label, score in rows)


def set_relations(doc: Doc, relations: Iterable[Relation[Span]]) -> None:
    """Give a Doc its relations; arguments that are not in the group yet are added to it.

    An argument without a label stands for the first span of the group at its place.

    Raises ValueError where an argument is no Span of this Doc, or has no label and stands for no entity.
    """
    relations = tuple(relations)
    group = doc.spans.get(KEY)
    spans = list(doc.ents if group is None else group)
    scores = [1.0] * len(spans) if group is None else _scores(group)
    index: dict[tuple[int, int, str], int] = {}
    for number, span in enumerate(spans):
        index.setdefault(_place(span), number)
        index.setdefault((span.start, span.end, ""), number)
    rows: list[list[object]] = []
    for relation in relations:
        ends: list[object] = []
        for span in (relation.head, relation.tail):
            if not isinstance(span, Span) or span.doc is not doc:
                raise ValueError(
                    f"doc._.relations was given the argument {span!r}, expected a Span of this Doc: "
                    f"build arguments with Span(doc, start, end, label=...) or take them from doc.ents."
                )
            if _place(span) not in index and not span.label_:
                raise ValueError(
                    f"doc._.relations was given the argument {span.text!r} without a label, expected one of "
                    f"the entities: set doc.ents first, or build it with Span(doc, start, end, label=...)."
                )
            if _place(span) not in index:
                index[_place(span)] = len(spans)
                spans.append(span)
                scores.append(1.0)
            ends.append(index[_place(span)])
        rows.append([*ends, relation.label, float(relation.score)])
    _store(doc, spans, scores, rows)


def has_relations(doc: Doc) -> bool:
    """Whether the Doc says anything about relations, be it that there are none."""
    return KEY in doc.spans and "relations" in doc.spans[KEY].attrs


def has_entities(doc: Doc) -> bool:
    """Whether the Doc says anything about entities: by its group or by `doc.ents`."""
    return KEY in doc.spans or doc.has_annotation("ENT_IOB")


def read(doc: Doc) -> Extraction:
    """What a Doc says, in characters. Without the group, its entities are those of `doc.ents`."""
    if KEY not in doc.spans:
        return Extraction(tuple(_entity(span, 1.0) for span in doc.ents))
    group = doc.spans[KEY]
    entities = tuple(_entity(span, score) for span, score in zip(group, _scores(group), strict=True))
    relations = tuple(
        Relation(entities[head], entities[tail], label, score)
        for head, tail, label, score in group.attrs.get("relations", ())
    )
    return Extraction(entities, relations)


def write(doc: Doc, extraction: Extraction, *, ents: bool = True) -> int:
    """Put an extraction on a Doc; returns how many entities lie inside tokens and were widened.

    A span that ends inside a token is widened to whole tokens; spans that become equal are one, with
    the best score. Entities that other components set in `doc.ents` stay, ours fill the gaps.
    """
    others = _ents_of_others(doc)
    best: dict[tuple[int, int, str], float] = {}
    place: dict[Entity, tuple[int, int, str]] = {}
    widened = 0
    for entity in extraction.entities:
        span = doc.char_span(entity.start, entity.end, label=entity.label, alignment_mode="expand")
        if span is None:
            continue
        widened += (span.start_char, span.end_char) != (entity.start, entity.end)
        place[entity] = _place(span)
        best[_place(span)] = max(entity.score, best.get(_place(span), 0.0))
    order = sorted(best)
    index = {where: number for number, where in enumerate(order)}
    rows: dict[tuple[int, int, str], float] = {}
    for relation in extraction.relations:
        # two different ends may have become one span: that was no relation of it with itself
        apart = relation.head == relation.tail or place.get(relation.head) != place.get(relation.tail)
        if apart and relation.head in place and relation.tail in place:
            where = (index[place[relation.head]], index[place[relation.tail]], relation.label)
            rows[where] = max(relation.score, rows.get(where, 0.0))
    spans = [Span(doc, start, end, label=label) for start, end, label in order]
    scores = [best[where] for where in order]
    _store(doc, spans, scores, [[*where, score] for where, score in rows.items()])
    if ents:
        doc.set_ents(flat(spans, scores, others))
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


def _ents_of_others(doc: Doc) -> list[Span]:
    """`doc.ents` without those that an earlier pass of ours put there."""
    ours = {_place(span) for span in doc.spans.get(KEY, ())}
    return [span for span in doc.ents if _place(span) not in ours]


def _scores(group: SpanGroup) -> list[float]:
    """One score a span; spans that were appended to the group by hand have 1."""
    scores = list(group.attrs.get("scores", ()))[: len(group)]
    return scores + [1.0] * (len(group) - len(scores))


def _store(doc: Doc, spans: list[Span], scores: list[float], relations: list[list[object]]) -> None:
    attrs = {"scores": [float(score) for score in scores], "relations": relations}
    doc.spans[KEY] = SpanGroup(doc, name=KEY, attrs=attrs, spans=spans)


def _entity(span: Span, score: float) -> Entity:
    return Entity(span.start_char, span.end_char, span.label_, float(score))


def _place(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label_


if not Doc.has_extension("relations"):
    Doc.set_extension("relations", getter=get_relations, setter=set_relations)

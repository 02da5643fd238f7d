"""Docs made of other Docs without a loss, tables of what is on them, and where their sentences start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spacy.pipeline import Sentencizer
from spacy.tokens import Doc, Span, Token

from spacy_bispn.annotations import flat, get_relations, has_entities, has_relations
from spacy_bispn.doc_storage import KEY, RELATIONS, Found, Place, find, put, span_at
from spacy_bispn.span_group import Member, members

# keys of `doc.user_data`, which `DocBin(store_user_data=True)` keeps
ID = "id"
CONTEXT = "bispn-context"  # the text before and the text behind, see context.py


def text_id(doc: Doc) -> str | None:
    """The id that the corpus gives the text of a Doc, `doc.user_data["id"]`; None if it has none."""
    name = doc.user_data.get(ID)
    return None if name is None else str(name)


def as_doc(span: Span, *, copy_user_data: bool = False) -> Doc:
    """`span.as_doc()` with the entities inside the Span and the relations between them.

    `doc.ents` are those of spaCy and the best entities beside them. What the Span cuts through is left out.
    """
    part = span.as_doc(copy_user_data=copy_user_data)
    part.user_data.pop(CONTEXT, None)  # other text is around a part
    doc, start, end = span.doc, span.start_char, span.end_char
    if not has_entities(doc):
        return part
    found = find(doc)
    entities = {x: stored for x, stored in found.entities.items() if start <= x[0] and x[1] <= end}
    rows = [row for row in found.relations if all(start <= x[0] and x[1] <= end for x in row[:2])]
    moved = _shifted(Found(entities, rows), -start)
    spans = [span_at(part, *item) for item in moved.entities.items()]
    part.set_ents(flat(spans, [stored.score for stored in entities.values()], list(part.ents)))
    # a part says no more than its Doc: "there are none" is not "nobody looked"
    put(part, moved.entities, moved.relations if has_relations(doc) else None)
    return part


def from_docs(docs: Iterable[Doc], **settings: Any) -> Doc | None:
    """`Doc.from_docs(docs)` with all scores, even where tokens were merged; None without any Doc.

    settings: those of `Doc.from_docs`. The new Doc says something about relations if one of the others does.
    """
    docs = list(docs)
    excluded = set(settings.pop("exclude", ()))
    # spaCy would look for spans in tokens that may have been merged since
    joined = Doc.from_docs(docs, exclude=[*excluded, "spans"], **settings)
    if joined is None or "spans" in excluded:
        return joined
    whole = Found({}, [])
    first = 0  # the Doc's first token
    for doc in docs:
        offset = joined[first].idx if len(doc) else 0
        first += len(doc)
        found = _shifted(find(doc), offset)
        whole.entities.update(found.entities)
        whole.relations.extend(found.relations)
        for key in doc.spans.keys() - {KEY, RELATIONS}:
            moved = (Member(x.start + offset, x.end + offset, *x[2:]) for x in members(doc.spans[key]))
            joined.spans.setdefault(key).extend([span for x in moved if (span := x.on(joined)) is not None])
    if any(KEY in doc.spans for doc in docs):
        put(joined, whole.entities, whole.relations if any(has_relations(doc) for doc in docs) else None)
    return joined


def to_rows(docs: Doc | Iterable[Doc]) -> list[dict[str, Any]]:
    """A row of plain values for each relation of one Doc or of many, as `pandas.DataFrame` takes them.

    The columns are those of `Relation.to_dict`, behind `doc`, the number of the Doc from 0.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    return [
        {"doc": number, **relation.to_dict()}
        for number, doc in enumerate(docs)
        for relation in get_relations(doc)
    ]


def _shifted(found: Found, by: int) -> Found:
    """The same, so many characters further on."""

    def move(place: Place) -> Place:
        return place[0] + by, place[1] + by, place[2]

    entities = {move(place): stored for place, stored in found.entities.items()}
    return Found(
        entities, [(move(head), move(tail), label, score) for head, tail, label, score in found.relations]
    )


def sentence_starts(doc: Doc) -> list[int]:
    """The characters where sentences start: those set by another component, or else by punctuation.

    Nothing is written on the Doc. A full stop with no space behind it ends no sentence: it stands in a number
    or a name that a tokenizer took apart.
    """
    if doc.has_annotation("SENT_START"):
        return [sentence.start_char for sentence in doc.sents]
    (starts,) = Sentencizer().predict([doc])
    return [
        token.idx for token, is_start in zip(doc, starts, strict=True) if is_start and not _goes_on(token)
    ]


def _goes_on(token: Token) -> bool:
    before = token.nbor(-1) if token.i else None
    return before is not None and before.text.endswith(".") and not before.whitespace_ and not token.is_space

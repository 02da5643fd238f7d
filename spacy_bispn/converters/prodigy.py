"""Prodigy's relations (`rel.manual`), as `prodigy db-out` writes them: JSON Lines, one task a line.

    {"text": "ORC binds ATP", "answer": "accept",
     "tokens": [{"text": "ORC", "start": 0, "end": 3, "id": 0, "ws": true}, ...],
     "spans": [{"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "protein"}, ...],
     "relations": [{"head": 0, "child": 2, "label": "binds", "head_span": {...}, "child_span": {...}}]}

Characters end exclusive, tokens inclusive; `head` and `child` are the last tokens of the arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    Place,
    Rules,
    argument_indices,
    read_lines,
    show,
    word_offsets,
    word_ranges,
)
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Relation

NEGATIVE = ("No-rel",)
ANSWERS = ("accept", "reject", "ignore")
EITHER = ("answer", "relations")  # what tells an annotated task from other spans

Offsets = list[tuple[int, int]]  # of each token, in characters; none where a task has no tokens
Spans = list[tuple[Entity, int | None]]  # each with its last token, where the file says it


def recognizes(item: Any) -> bool:
    return isinstance(item, dict) and {"text", "spans"} <= item.keys() and not item.keys().isdisjoint(EITHER)


def read(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read the tasks that were accepted, with their own tokens; a task without an answer counts as such.

    A text's id is `meta.id` or else its position in the file, counted from 0. Dropped and counted: other
    answers, negative relations ("No-rel" unless told otherwise), and relations of tokens without a span.
    Raises ConversionError on malformed input.
    """
    rules.setdefault("negative", NEGATIVE)
    conversion = Conversion(**rules)
    for number, (place, line) in enumerate(read_lines(path)):
        with conversion.attempt():
            _add(conversion, place, place.parse(line), number)
    return conversion


def write(path: Path, texts: Iterable[AnnotatedText]) -> None:
    """Write accepted tasks, to look at or to correct; `read` gives the same texts back.

    Raises ConversionError for a text without words, an entity that starts or ends inside a word, and
    a relation to what is not among the entities.
    """
    save(path, "".join(json.dumps(_to_task(text), ensure_ascii=False) + "\n" for text in texts))


def _add(conversion: Conversion, place: Place, item: Any, number: int) -> None:
    text = place.get(item, "text", str)
    answer = place.get(item, "answer", str, "accept")
    if answer not in ANSWERS:
        raise place.error(f"the answer {answer!r}", f"one of {', '.join(ANSWERS)}", "Correct the answer.")
    if answer != "accept":
        conversion.drop({f"tasks with the answer {answer!r}": 1})
        return
    tokens = place.get(item, "tokens", list, [])
    words = [place.get(token, "text", str) for token in tokens] if "tokens" in item else None
    placed = all(isinstance(token, dict) and {"start", "end"} <= token.keys() for token in tokens)
    offsets = [_offsets(place, token, text) for token in tokens] if placed else []
    spans: Spans = []
    wrong: list[str] = []
    for span in place.get(item, "spans", list):
        start, end = place.get(span, "start", int), place.get(span, "end", int)
        last = _last_token(place, span, offsets)
        wrong += [f"{start} to {end}"] if last != span.get("token_end", last) else []
        spans.append((Entity(start, end, place.get(span, "label", str)), last))
    relations = []
    rows = place.get(item, "relations", list)
    for row in rows:
        head, child = (_argument(place, row, key, spans, offsets) for key in ("head", "child"))
        label = place.get(row, "label", str)
        if head is not None and child is not None:
            relations.append(Relation(head, child, label))
    meta = item.get("meta")
    text_id = str(meta["id"] if isinstance(meta, dict) and "id" in meta else number)
    conversion.add(place, text_id, text, [entity for entity, _ in spans], relations, words)
    conversion.drop({"relations of tokens without a span": len(rows) - len(relations)})
    for where in wrong:
        conversion.problem(text_id, f"the span {where} names other tokens than those at its characters")


def _offsets(place: Place, token: Any, text: str) -> tuple[int, int]:
    """The characters of a token. Raises ConversionError if the text has others there."""
    start, end = place.get(token, "start", int), place.get(token, "end", int)
    if text[start:end] != token["text"]:
        expected = f"{show(text[start:end])}, which is there"
        found = f"the token {show(token['text'])} at {start} to {end}"
        raise place.error(found, expected, "Check the offsets of the tokens.")
    return start, end


def _last_token(place: Place, span: Any, offsets: Offsets) -> int | None:
    """The last token of a span: by its characters, or by what it says itself where those tell nothing."""
    ending = [number for number, (_, end) in enumerate(offsets) if end == span["end"]]
    if ending:
        return ending[0]
    return place.get(span, "token_end", int) if "token_end" in span else None


def _argument(place: Place, relation: Any, key: str, spans: Spans, offsets: Offsets) -> Entity | None:
    """The entity that "head" or "child" of a relation stands for; None for a token without a span."""
    token = place.get(relation, key, int)
    if f"{key}_span" not in relation:
        ending = [entity for entity, last in spans if last == token]
        if len(ending) != 1:
            found = f"{len(ending)} spans whose last token is {token}"
            raise place.error(found, f"one, the {key} of a relation", f"Add {key}_span, or correct {key!r}.")
        return ending[0]
    span = place.get(relation, f"{key}_span", dict)
    start, end = place.get(span, "start", int), place.get(span, "end", int)
    first, last = (place.get(span, f"token_{side}", int, token) for side in ("start", "end"))
    elsewhere = bool(offsets) and not start <= place.pick(offsets, token, "token")[0] < end
    if elsewhere or not first <= token <= last:
        expected = f"one of its {key}_span {show(span)}"
        raise place.error(f"the {key} token {token}", expected, "Correct one of them.")
    there = {entity.label: entity for entity, _ in spans if (entity.start, entity.end) == (start, end)}
    if span.get("label") is None:
        return next(iter(there.values()), None)
    return place.find(there, place.get(span, "label", str), f"the span {start} to {end} with the label")


def _to_task(text: AnnotatedText) -> dict[str, Any]:
    entities, relations = text.extraction.entities, text.extraction.relations
    offsets, ranges = word_offsets(text), word_ranges(text)
    spans = [
        {
            "start": entity.start,
            "end": entity.end,
            "token_start": first,
            "token_end": behind - 1,
            "label": entity.label,
        }
        for entity, (first, behind) in zip(entities, ranges, strict=True)
    ]
    following = [*(start for start, _ in offsets[1:]), len(text.text)][: len(offsets)]
    return {
        "text": text.text,
        "tokens": [
            {"text": text.text[start:end], "start": start, "end": end, "id": number, "ws": behind > end}
            for number, ((start, end), behind) in enumerate(zip(offsets, following, strict=True))
        ],
        "spans": spans,
        "relations": [
            {
                "head": spans[head]["token_end"],
                "child": spans[tail]["token_end"],
                "head_span": spans[head],
                "child_span": spans[tail],
                "label": relation.label,
            }
            for relation, (head, tail) in zip(
                relations, argument_indices(entities, relations, text.id), strict=True
            )
        ],
        "meta": {"id": text.id},
        "answer": "accept",
        "_view_id": "relations",
    }

"""Prodigy's relations (`rel.manual`), as `prodigy db-out` writes them: JSON Lines, one task a line.

    {"text": "ORC binds ATP", "answer": "accept",
     "tokens": [{"text": "ORC", "start": 0, "end": 3, "id": 0, "ws": true}, ...],
     "spans": [{"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "protein"}, ...],
     "relations": [{"head": 0, "child": 2, "label": "binds", "head_span": {...}, "child_span": {...}}]}

Characters end exclusive, tokens inclusive; `head` and `child` are the last tokens of the arguments.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    FilePosition,
    ParsedItem,
    Rules,
    argument_indices,
    corpus_format,
    read_lines,
    short_repr,
    word_offsets,
    word_ranges,
)
from spacy_bispn.converters.annotators import FURTHER, OTHER_ANNOTATORS, Annotator, check_annotator
from spacy_bispn.converters.offsets import Offsets, gather, unit_of
from spacy_bispn.converters.text_keys import TextKey, get_text
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Relation

NEGATIVE = ("No-rel",)
ANSWERS = ("accept", "reject", "ignore")
EITHER = ("answer", "relations")  # what tells an annotated task from other spans

TokenOffsets = list[tuple[int, int]]  # of each token, in characters; none where a task has no tokens
Spans = list[tuple[Entity, int | None]]  # each with its last token, where the file says it


def is_prodigy(item: Any) -> bool:
    return isinstance(item, dict) and {"text", "spans"} <= item.keys() and not item.keys().isdisjoint(EITHER)


def write_prodigy(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write accepted tasks, to look at or to correct; `read_prodigy` gives the same texts back.

    Raises ConversionError for a text without words, an entity that starts or ends inside a word, and
    a relation to what is not among the entities.
    """
    save(path, "".join(json.dumps(_to_task(text), ensure_ascii=False) + "\n" for text in texts))
    return Counter()


@corpus_format(
    "prodigy", about="Prodigy, `rel.manual`", recognizes=is_prodigy, write=write_prodigy, tokens="prescribed"
)
def read_prodigy(
    path: Path,
    *,
    annotator: Annotator = None,
    offsets: Offsets = "characters",
    text_key: TextKey = "text",
    **rules: Unpack[Rules],
) -> Conversion:
    """Read the tasks that were accepted, with their own tokens; a task without an answer counts as such.

    annotator: whose answers are read, by `_annotator_id` or `_session_id`. Without it, of each text the first
        accepted answer; those of other annotators to the same text are dropped and counted.
    offsets: what offsets count, see `find_unit`. text_key: the key of the texts.

    A text's id is `meta.id` or else its position in the file, counted from 0. Dropped and counted: other
    answers, negative relations ("No-rel" unless told otherwise), and relations of tokens without a span.
    Raises ConversionError on malformed input.
    """
    rules.setdefault("negative", NEGATIVE)
    conversion = Conversion(**rules, offsets=unit_of(offsets))
    chosen = _Chosen(path, annotator)
    numbered = ((*item, number) for number, item in enumerate(read_lines(path)))
    conversion.add_items(_parse, numbered, chosen, text_key)
    chosen.check()
    return conversion


class _Chosen:
    """Whose answers are read: those of one annotator, or the first to each text."""

    def __init__(self, path: Path, annotator: str | None) -> None:
        self._path, self._annotator = path, annotator
        self._found: set[str] = set()
        self._first: dict[int, str] = {}  # by the hashes of texts

    def leaves_out(self, item: Any, text: str) -> str:
        """Why an accepted task is not read; nothing if it is."""
        names = [str(item[key]) for key in ("_annotator_id", "_session_id") if item.get(key) is not None]
        self._found.update(names)
        if self._annotator is not None:
            return "" if self._annotator in names else OTHER_ANNOTATORS
        whose = names[0] if names else ""
        first = self._first.setdefault(hash(text), whose)
        return "" if first == whose else FURTHER

    def check(self) -> None:
        """Raise ConversionError if nothing is from the annotator that was asked for."""
        check_annotator(self._path, self._annotator, self._found)


def _parse(
    parsed: ParsedItem, position: FilePosition, line: bytes, number: int, chosen: _Chosen, text_key: str
) -> None:
    item = position.parse(line)
    text = parsed.measured(get_text(position, item, text_key))
    answer = position.get(item, "answer", str, "accept")
    if answer not in ANSWERS:
        raise position.error(f"the answer {answer!r}", f"one of {', '.join(ANSWERS)}", "Correct the answer.")
    if answer != "accept":
        parsed.drop(f"tasks with the answer {answer!r}", of="texts")
        return
    if left_out := chosen.leaves_out(item, text):
        parsed.drop(left_out, of="texts")
        return
    tokens = position.get(item, "tokens", list, [])
    words = [position.get(token, "text", str) for token in tokens] if item.get("tokens") is not None else None
    placed = all(isinstance(token, dict) and {"start", "end"} <= token.keys() for token in tokens)
    offsets = [_offsets(position, token, text) for token in tokens] if placed else []
    spans: Spans = []
    wrong: list[str] = []
    for span in position.get(item, "spans", list):
        start, end = position.get(span, "start", int), position.get(span, "end", int)
        last = _last_token(position, span, offsets)
        wrong += [f"{start} to {end}"] if last != span.get("token_end", last) else []
        spans.append((Entity(start, end, position.get(span, "label", str)), last))
    relations = []
    rows = position.get(item, "relations", list)
    for row in rows:
        head, child = (_argument(position, row, key, spans, offsets) for key in ("head", "child"))
        label = position.get(row, "label", str)
        if head is not None and child is not None:
            relations.append(Relation(head, child, label))
    meta = item.get("meta")
    named = isinstance(meta, dict) and meta.get("id") is not None
    text_id = str(meta["id"] if named else number)
    parsed.add(position, text_id, text, [entity for entity, _ in spans], relations, words)
    parsed.drop("relations of tokens without a span", len(rows) - len(relations), "relations")
    for where in wrong:
        parsed.problem(text_id, f"the span {where} names other tokens than those at its characters")


def _offsets(position: FilePosition, token: Any, text: str) -> tuple[int, int]:
    """The characters of a token. Raises ConversionError if the text has others there."""
    start, end = position.get(token, "start", int), position.get(token, "end", int)
    if gather(text[start:end]) != token["text"]:
        expected = f"{short_repr(gather(text[start:end]))}, which is there"
        found = f"the token {short_repr(token['text'])} at {start} to {end}"
        raise position.error(found, expected, "Check the offsets of the tokens.")
    return start, end


def _last_token(position: FilePosition, span: Any, offsets: TokenOffsets) -> int | None:
    """The last token of a span: by its characters, or by what it says itself where those tell nothing."""
    ending = [number for number, (_, end) in enumerate(offsets) if end == span["end"]]
    if ending:
        return ending[0]
    return position.get(span, "token_end", int) if "token_end" in span else None


def _argument(
    position: FilePosition, relation: Any, key: str, spans: Spans, offsets: TokenOffsets
) -> Entity | None:
    """The entity that "head" or "child" of a relation stands for; None for a token without a span."""
    token = position.get(relation, key, int)
    if f"{key}_span" not in relation:
        ending = [entity for entity, last in spans if last == token]
        if len(ending) != 1:
            found = f"{len(ending)} spans whose last token is {token}"
            raise position.error(
                found, f"one, the {key} of a relation", f"Add {key}_span, or correct {key!r}."
            )
        return ending[0]
    span = position.get(relation, f"{key}_span", dict)
    start, end = position.get(span, "start", int), position.get(span, "end", int)
    first, last = (position.get(span, f"token_{side}", int, token) for side in ("start", "end"))
    elsewhere = bool(offsets) and not start <= position.pick(offsets, token, "token")[0] < end
    if elsewhere or not first <= token <= last:
        expected = f"one of its {key}_span {short_repr(span)}"
        raise position.error(f"the {key} token {token}", expected, "Correct one of them.")
    there = {entity.label: entity for entity, _ in spans if (entity.start, entity.end) == (start, end)}
    if span.get("label") is None:
        return next(iter(there.values()), None)
    return position.find(there, position.get(span, "label", str), f"the span {start} to {end} with the label")


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

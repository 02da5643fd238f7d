"""The JSON of DocRED, Re-DocRED and what is shared in their form: documents of sentences of tokens.

    [{"title": "a", "sents": [["ORC", "binds", "ATP"]],
      "vertexSet": [[{"name": "ORC", "sent_id": 0, "pos": [0, 1], "type": "protein"}],
                    [{"name": "ATP", "sent_id": 0, "pos": [2, 3], "type": "chemical"}]],
      "labels": [{"h": 0, "t": 1, "r": "binds", "evidence": [0]}]}]

A vertex is what several mentions name: its mentions have one id. Positions count the tokens of a sentence,
ends exclusive; labels join vertices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, FilePosition, ParsedItem, Rules, Words, corpus_format
from spacy_bispn.converters.file_reading import read_objects
from spacy_bispn.converters.parsed_item import cluster_id
from spacy_bispn.converters.standoff import Claim, Pairs, check_claims, relate_concepts
from spacy_bispn.records import Entity, Relation

MENTION = ("name", "sent_id", "pos", "type", "index", "global_pos")  # the last two say where once more


def is_docred(item: Any) -> bool:
    return isinstance(item, dict) and {"sents", "vertexSet"} <= item.keys()


@corpus_format("docred", about="DocRED, Re-DocRED", recognizes=is_docred, tokens="prescribed", ids=True)
def read_docred(path: Path, *, pairs: Pairs = "all", **rules: Unpack[Rules]) -> Conversion:
    """Read a list of documents, or one a line. Raises ConversionError on malformed input.

    Every mention is an entity; those of a vertex have one id, "title#0". A label becomes a relation between
    every mention of its head and every mention of its tail, or with `pairs="nearest"` between the two that
    have the least text between them. Dropped and counted: the sentences that are evidence. Noted: documents
    without `labels`.
    """
    numbered = ((position, item, number) for number, (position, item) in enumerate(read_objects(path)))
    return Conversion(**rules).add_items(_parse, numbered, pairs)


def _parse(parsed: ParsedItem, position: FilePosition, item: Any, number: int, pairs: Pairs) -> None:
    sentences = [
        position.row(words, *[str] * len(words)) if isinstance(words, list) else position.row(words)
        for words in position.get(item, "sents", list)
    ]
    text = Words([word for words in sentences for word in words])
    firsts = [0, *accumulate(len(words) for words in sentences)]
    text_id = position.get_id(item, "title", number)
    parsed.drop_keys(item, ("title", "sents", "vertexSet", "labels"), "documents")
    claims: list[Claim] = []
    vertices: dict[str, list[Entity]] = {}
    for vertex, mentions in enumerate(position.get(item, "vertexSet", list)):
        if not isinstance(mentions, list):
            position.row(mentions)
        kb_id = cluster_id(text_id, vertex)
        found = [_mention(position, text, firsts, one, claims) for one in mentions]
        vertices[str(vertex)] = [replace(one, kb_id=kb_id) for one in found]
        for mention in mentions:
            parsed.drop_keys(mention, MENTION, "mentions")
    check_claims(parsed, text_id, claims, spaces=False)

    relations: list[Relation[Entity]] = []
    parsed.note("documents without 'labels'", int(item.get("labels") is None))
    for label in [] if item.get("labels") is None else position.get(item, "labels", list):
        head, tail = (position.get(label, key, int) for key in ("h", "t"))
        for end in (head, tail):
            position.pick(list(vertices), end, "vertex")
        parsed.drop("sentences that are evidence", len(position.get(label, "evidence", list, [])))
        parsed.drop_keys(label, ("h", "t", "r", "evidence"), "labels")
        relation = (str(head), str(tail), position.get(label, "r", str))
        relations += relate_concepts(parsed, position, text_id, relation, vertices, pairs)
    entities = [mention for mentions in vertices.values() for mention in mentions]
    starts = [text.start(first) for first in firsts]
    parsed.add(position, text_id, text.text, entities, relations, text.words, starts)


def _mention(
    position: FilePosition, text: Words, firsts: list[int], mention: Mapping[str, Any], claims: list[Claim]
) -> Entity:
    sentence = position.get(mention, "sent_id", int)
    start, end = position.row(position.get(mention, "pos", list), int, int)
    first = position.pick(firsts[:-1], sentence, "sentence")
    position.check_span(start, end, firsts[sentence + 1] - first, f"tokens of sentence {sentence}")
    entity = text.entity(position, first + start, first + end, position.get(mention, "type", str))
    if "name" in mention:
        claims.append((position, text.text[entity.start : entity.end], position.get(mention, "name", str)))
    return entity

"""The JSON of DocRED, Re-DocRED and what is shared in their form: documents of sentences of tokens.

    [{"title": "a", "sents": [["ORC", "binds", "ATP"]],
      "vertexSet": [[{"name": "ORC", "sent_id": 0, "pos": [0, 1], "type": "protein"}],
                    [{"name": "ATP", "sent_id": 0, "pos": [2, 3], "type": "chemical"}]],
      "labels": [{"h": 0, "t": 1, "r": "binds", "evidence": [0]}]}]

A vertex is what several mentions name: its mentions have one id. Positions count the tokens of a sentence,
ends exclusive; labels join vertices.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import Conversion, FilePosition, ParsedItem, Rules, Words, corpus_format
from spacy_bispn.converters.file_reading import read_objects
from spacy_bispn.converters.parsed_item import cluster_id
from spacy_bispn.converters.standoff import Claim, Pairs, check_claims, link_concepts, relate_concepts
from spacy_bispn.converters.token_documents import TokenDocument, token_documents
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Relation

MENTION = ("name", "sent_id", "pos", "type", "index", "global_pos")  # the last two say where once more


def is_docred(item: Any) -> bool:
    return isinstance(item, dict) and {"sents", "vertexSet"} <= item.keys()


def write_docred(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write a list of documents, see `token_documents`; entities with one id are a vertex, others one each.

    Counted: what `read_docred` does not give back, or gives besides. Raises ConversionError where
    `token_documents` does.
    """
    lost: Counter[str] = Counter()
    documents = token_documents(texts, lost)
    save(path, json.dumps([_to_item(document, lost) for document in documents], ensure_ascii=False))
    return lost


@corpus_format(
    "docred",
    about="DocRED, Re-DocRED",
    recognizes=is_docred,
    write=write_docred,
    tokens="prescribed",
    ids=True,
)
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
    starts = [text.start(first) for first in firsts[:-1]]
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


def _to_item(document: TokenDocument, lost: Counter[str]) -> dict[str, Any]:
    vertices = list(document.clusters().values())
    held: dict[Entity, list[int]] = {}
    for number, mentions in enumerate(vertices):
        for mention in mentions:
            held.setdefault(mention, []).append(number)
    document.count_new_ids(held, lost)
    links = link_concepts(document.extraction.relations, dict(enumerate(vertices)), lost)
    return {
        "title": document.id,
        "sents": document.sentences,
        "vertexSet": [[_to_mention(document, mention) for mention in mentions] for mentions in vertices],
        "labels": [{"h": head, "t": tail, "r": label, "evidence": []} for head, tail, label in links],
    }


def _to_mention(document: TokenDocument, mention: Entity) -> dict[str, Any]:
    sentence = document.sentence(mention)
    start, end = (edge - document.starts[sentence] for edge in (mention.start, mention.end))
    return {
        "name": " ".join(document.sentences[sentence][start:end]),
        "sent_id": sentence,
        "pos": [start, end],
        "type": mention.label,
    }

"""The JSON Lines of DyGIE, PURE and PL-Marker, in which SciERC and ACE05 are shared: a document a line.

    {"doc_key": "a", "sentences": [["ORC", "binds", "ATP", "."], ["It", "does"]],
     "ner": [[[0, 0, "protein"], [2, 2, "chemical"]], []], "relations": [[[0, 0, 2, 2, "binds"]], []]}

Indices count the tokens of the whole document, ends included; `ner` and `relations` have a list for
each sentence.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    Conversion,
    FilePosition,
    ParsedItem,
    Rules,
    Words,
    corpus_format,
    read_lines,
)
from spacy_bispn.converters.parsed_item import cluster_id
from spacy_bispn.converters.spelling import BRACKETS
from spacy_bispn.converters.token_documents import TokenDocument, token_documents
from spacy_bispn.files import save
from spacy_bispn.records import AnnotatedText, Entity, Relation

# SciERC's relation labels without a direction; to be asked for, since a file does not say whose it is.
SYMMETRIC = ("COMPARE", "CONJUNCTION")

KNOWN = ("doc_key", "sentences", "ner", "relations", "clusters", "events")

Row = tuple[int, list[Any]]  # the sentence in whose list it stands, and its cells: starts, ends and a label


def is_dygie(item: Any) -> bool:
    return isinstance(item, dict) and {"sentences", "ner"} <= item.keys()


def write_dygie(path: Path, texts: Iterable[AnnotatedText]) -> Counter[str]:
    """Write documents, see `token_documents`; entities with one id are a cluster.

    Counted: what `read_dygie` does not give back, and relations across sentences. Raises ConversionError
    where `token_documents` does.
    """
    lost: Counter[str] = Counter()
    items = [_to_item(document, lost) for document in token_documents(texts, lost)]
    save(path, "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
    return lost


@corpus_format(
    "dygie",
    about="DyGIE, PURE, PL-Marker: SciERC, ACE05",
    recognizes=is_dygie,
    write=write_dygie,
    tokens="prescribed",
    level="sentence",
    ids=True,
)
def read_dygie(path: Path, **rules: Unpack[Rules]) -> Conversion:
    """Read documents, by default cut into their sentences (ids "doc_key:0", ...).

    Names of brackets become brackets. The entities of a coreference cluster get an id, "doc_key#0". Dropped
    and counted: mentions of clusters that are no entities, events and what stands under other keys. Rows
    outside of the sentence in whose list they stand are problems. Raises ConversionError on malformed input,
    and where most rows are.
    """
    numbered = ((*item, number) for number, item in enumerate(read_lines(path)))
    return Conversion(**rules).add_items(_parse, numbered)


def _parse(parsed: ParsedItem, position: FilePosition, line: bytes, number: int) -> None:
    item = position.parse(line)
    sentences = _sentences(position, item)
    key = position.get_id(item, "doc_key", number)
    text = Words([word for sentence in sentences for word in sentence])

    parsed.drop_keys(item, KNOWN, "documents")
    ids = _cluster_ids(parsed, position, key, position.get(item, "clusters", list, []))
    if "events" in item:
        parsed.drop("events", len(_rows(position, item, "events", len(sentences))))
    named = [
        (index, position.row(row, int, int, str))
        for index, row in _rows(position, item, "ner", len(sentences))
    ]
    linked = [
        (index, position.row(row, int, int, int, int, str))
        for index, row in _rows(position, item, "relations", len(sentences))
    ]
    for _, (start, end, _) in named:
        position.check_span(start, end + 1, len(text.words), "tokens, ends included")
    _check_sentences(parsed, position, key, sentences, [*named, *linked])

    found: list[Entity] = []
    entities: dict[tuple[int, int], Entity] = {}
    for _, (start, end, label) in named:
        found.append(replace(text.entity(position, start, end + 1, label), kb_id=ids.get((start, end), "")))
        # Arguments are named by their place: of several entities there, it means the first.
        entities.setdefault((start, end), found[-1])
    parsed.drop("mentions of coreference clusters that are no entities", len(ids.keys() - entities.keys()))
    related = [
        Relation(
            position.find(entities, (head, head_end), "the span"),
            position.find(entities, (tail, tail_end), "the span"),
            label,
        )
        for _, (head, head_end, tail, tail_end, label) in linked
    ]
    # where a sentence without tokens begins, the next one does
    starts = [text.start(at) for at in accumulate(map(len, sentences[:-1]), initial=0)]
    parsed.add(position, key, text.text, found, related, text.words, starts)


def _cluster_ids(
    parsed: ParsedItem, position: FilePosition, key: str, clusters: list[Any]
) -> dict[tuple[int, int], str]:
    """The id of the cluster of each mention, by its first and last token."""
    ids: dict[tuple[int, int], dict[str, None]] = {}
    position.row(clusters, *[list] * len(clusters))
    for number, cluster in enumerate(clusters):
        for mention in position.row(cluster, *[list] * len(cluster)):
            ids.setdefault(tuple(position.row(mention, int, int)), {})[cluster_id(key, number)] = None
    parsed.note("coreference clusters", sum(map(bool, clusters)))
    return {place: "|".join(names) for place, names in ids.items()}


def _check_sentences(
    parsed: ParsedItem, position: FilePosition, key: str, sentences: list[list[str]], rows: list[Row]
) -> None:
    """Compare where rows lie with the sentence in whose list they stand: one of their tokens is in it.

    Rows that are elsewhere are problems. If most are, they are counted otherwise: ConversionError. What lies
    in the first sentence, and stands in its list, does not tell.
    """
    starts = [0, *accumulate(map(len, sentences))]
    wrong, told = [], 0
    for index, (*ends, label) in rows:
        low, high = starts[index], starts[index + 1]
        spans = list(zip(ends[::2], ends[1::2], strict=True))
        is_there = any(start < high and low <= end for start, end in spans)
        told += index > 0 or not is_there
        if not is_there:
            places = " and ".join(f"{start} to {end}" for start, end in spans)
            there = f"the list of sentence {index}, which is {low} to {high - 1}"
            wrong.append(f"a {label!r} at tokens {places} in {there}")
    if 2 * len(wrong) > told:
        expected = "rows in the list of their sentence, counted in tokens of the whole document"
        raise position.error(
            f"{len(wrong)} of {told} rows in another sentence than that of their list (here {wrong[0]})",
            expected,
            "Add the number of tokens before its sentence to the indices of a row, or move it to the list of "
            "its sentence.",
        )
    for what in wrong:
        parsed.problem(key, f"{position.item}: {what}")


def _sentences(position: FilePosition, item: Any) -> list[list[str]]:
    sentences: list[list[str]] = []
    for words in position.get(item, "sentences", list):
        if type(words) is not list:
            raise position.error(f"the sentence {words!r}", "a list of tokens", "Split it into its tokens.")
        sentences.append([BRACKETS.get(word, word) for word in position.row(words, *[str] * len(words))])
    return sentences


def _rows(position: FilePosition, item: Any, key: str, count: int) -> list[tuple[int, Any]]:
    """What is listed under a key, each with the number of the sentence in whose list it stands."""
    lists = position.get(item, key, list)
    if len(lists) != count:
        expected = f"one for each of the {count} sentences"
        advice = "Add empty lists where there is nothing."
        raise position.error(f"{len(lists)} lists in {key!r}", expected, advice)
    position.row(lists, *[list] * count)
    return [(index, row) for index, rows in enumerate(lists) for row in rows]


def _to_item(document: TokenDocument, lost: Counter[str]) -> dict[str, Any]:
    entities, relations = document.extraction.entities, document.extraction.relations
    clusters = [found for name, found in document.clusters().items() if isinstance(name, str)]
    spans = [list(dict.fromkeys(map(_span, cluster))) for cluster in clusters]
    held: dict[tuple[int, int], list[int]] = {}
    for number, cluster in enumerate(spans):
        for span in cluster:
            held.setdefault(span, []).append(number)
    document.count_new_ids({entity: held.get(_span(entity), []) for entity in entities}, lost)

    ner: list[list[Any]] = [[] for _ in document.sentences]
    first: dict[tuple[int, int], Entity] = {}
    for entity in _arguments_first(entities, relations):
        ner[document.sentence(entity)].append([*_span(entity), entity.label])
        first.setdefault(_span(entity), entity)
    links: list[list[Any]] = [[] for _ in document.sentences]
    for relation in relations:
        head, tail = relation.head, relation.tail
        home = document.sentence(head)
        links[home].append([*_span(head), *_span(tail), relation.label])
        lost[f"{relation.label!r} relations across sentences, to read with --level document"] += (
            home != document.sentence(tail)
        )
        lost[
            f"{relation.label!r} relations that mean another label of a span, as only the first can be meant"
        ] += first[_span(head)] != head or first[_span(tail)] != tail
    return {
        "doc_key": document.id,
        "sentences": document.sentences,
        "ner": ner,
        "relations": links,
        "clusters": spans,
    }


def _span(entity: Entity) -> tuple[int, int]:
    return entity.start, entity.end - 1


def _arguments_first(entities: Sequence[Entity], relations: Sequence[Relation[Entity]]) -> list[Entity]:
    """Entities in their order, but of those at one span the ends of relations first: relations mean these."""
    arguments = {end for relation in relations for end in (relation.head, relation.tail)}
    first: dict[tuple[int, int], int] = {}
    for number, entity in enumerate(entities):
        first.setdefault(_span(entity), number)
    return sorted(entities, key=lambda entity: (first[_span(entity)], entity not in arguments))

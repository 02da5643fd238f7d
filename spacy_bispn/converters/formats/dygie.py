"""The JSON Lines of DyGIE, PURE and PL-Marker, in which SciERC and ACE05 are shared: a document a line.

    {"doc_key": "a", "sentences": [["ORC", "binds", "ATP", "."], ["It", "does"]],
     "ner": [[[0, 0, "protein"], [2, 2, "chemical"]], []], "relations": [[[0, 0, 2, 2, "binds"]], []]}

Indices count the tokens of the whole document, ends included; `ner` and `relations` have a list for
each sentence.
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any, Unpack

from spacy_bispn.converters import (
    ACROSS,
    Conversion,
    FilePosition,
    Level,
    ParsedItem,
    Rules,
    Words,
    corpus_format,
    read_lines,
)
from spacy_bispn.converters.parsed_item import is_empty
from spacy_bispn.converters.spelling import BRACKETS
from spacy_bispn.records import Entity, Relation

# SciERC's relation labels without a direction; to be asked for, since a file does not say whose it is.
SYMMETRIC = ("COMPARE", "CONJUNCTION")

KNOWN = ("doc_key", "sentences", "ner", "relations", "clusters", "events")

Row = tuple[int, list[Any]]  # the sentence in whose list it stands, and its cells: starts, ends and a label


def is_dygie(item: Any) -> bool:
    return isinstance(item, dict) and {"sentences", "ner"} <= item.keys()


@corpus_format(
    "dygie", about="DyGIE, PURE, PL-Marker: SciERC, ACE05", recognizes=is_dygie, tokens="prescribed"
)
def read_dygie(path: Path, *, level: Level = "sentence", **rules: Unpack[Rules]) -> Conversion:
    """Read documents, cut into their sentences (ids "doc_key:0", ...) or whole.

    Names of brackets become brackets. Dropped and counted: coreference clusters, events, what stands under
    other keys and, at sentence level, entities and relations across sentences. Rows outside of the sentence
    in whose list they stand are problems. Raises ConversionError on malformed input, and where most rows are.
    """
    numbered = ((*item, number) for number, item in enumerate(read_lines(path)))
    return Conversion(**rules).add_items(_parse, numbered, level)


def _parse(parsed: ParsedItem, position: FilePosition, line: bytes, number: int, level: Level) -> None:
    item = position.parse(line)
    sentences = _sentences(position, item)
    key = position.get_id(item, "doc_key", number)
    if level == "document":
        units = {key: [word for sentence in sentences for word in sentence]}
    else:
        units = {f"{key}:{index}": sentence for index, sentence in enumerate(sentences)}
    texts = [Words(words) for words in units.values()]
    starts = [0, *accumulate(len(text.words) for text in texts)]
    # A document's tokens, each by the text it is in.
    homes = [number for number, text in enumerate(texts) for _ in text.words]

    parsed.drop_keys(item, KNOWN, "documents")
    clusters = position.get(item, "clusters", list, [])
    parsed.drop("coreference clusters", sum(not is_empty(cluster) for cluster in clusters))
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
        position.check_span(start, end + 1, starts[-1], "tokens, ends included")
    _check_sentences(parsed, position, key, sentences, [*named, *linked])

    entities: dict[tuple[int, int], tuple[int, Entity]] = {}
    found: list[list[Entity]] = [[] for _ in texts]
    across: set[tuple[int, int]] = set()
    for _, (start, end, label) in named:
        home = homes[start]
        if homes[end] != home:
            parsed.drop("entities across sentences", of="entities")
            across.add((start, end))
            continue
        entity = texts[home].entity(position, start - starts[home], end + 1 - starts[home], label)
        found[home].append(entity)
        # Arguments are named by their place: of several entities there, it means the first.
        entities.setdefault((start, end), (home, entity))
    related: list[list[Relation[Entity]]] = [[] for _ in texts]
    for _, (*ends, label) in linked:
        spans = (ends[0], ends[1]), (ends[2], ends[3])
        if not across.isdisjoint(spans):
            parsed.drop(ACROSS, of="relations")
            continue
        (home, head), (other, tail) = (position.find(entities, span, "the span") for span in spans)
        if home == other:
            related[home].append(Relation(head, tail, label))
        else:
            parsed.drop(ACROSS, of="relations")
    for text_id, text, ents, relations in zip(units, texts, found, related, strict=True):
        parsed.add(position, text_id, text.text, ents, relations, text.words)


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

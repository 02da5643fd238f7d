"""The JSON Lines of DyGIE, PURE and PL-Marker, in which SciERC and ACE05 are shared: a document a line.

    {"doc_key": "a", "sentences": [["ORC", "binds", "ATP", "."], ["It", "does"]],
     "ner": [[[0, 0, "protein"], [2, 2, "chemical"]], []], "relations": [[[0, 0, 2, 2, "binds"]], []]}

Indices count the tokens of the whole document, ends included; `ner` and `relations` have a list for
each sentence.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any, Unpack, get_args

from spacy_bispn.converters import ACROSS, Conversion, Level, Place, Rules, Words, check_choice, read_lines
from spacy_bispn.records import Entity, Relation

# SciERC's relation labels without a direction; to be asked for, since a file does not say whose it is.
SYMMETRIC = ("COMPARE", "CONJUNCTION")

# The Penn Treebank's names of brackets, which no other text has.
BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}


def recognizes(item: Any) -> bool:
    return isinstance(item, dict) and {"sentences", "ner"} <= item.keys()


def read(path: Path, level: Level = "sentence", **rules: Unpack[Rules]) -> Conversion:
    """Read documents, cut into their sentences (ids "doc_key:0", ...) or whole.

    Names of brackets become brackets. Dropped and counted: coreference clusters, events and, at
    sentence level, entities and relations across sentences. Raises ConversionError on malformed input.
    """
    check_choice("level", level, get_args(Level))
    conversion = Conversion(**rules)
    for place, line in read_lines(path):
        with conversion.attempt():
            _add(conversion, place, place.parse(line), level)
    return conversion


def _add(conversion: Conversion, place: Place, item: Any, level: Level) -> None:
    key = place.get(item, "doc_key", str)
    sentences = _sentences(place, item)
    if level == "document":
        units = {key: [word for sentence in sentences for word in sentence]}
    else:
        units = {f"{key}:{number}": sentence for number, sentence in enumerate(sentences)}
    texts = [Words(words) for words in units.values()]
    starts = [0, *accumulate(len(text.words) for text in texts)]
    # A document's tokens, each by the text it is in.
    homes = [number for number, text in enumerate(texts) for _ in text.words]

    dropped: Counter[str] = Counter()
    if "clusters" in item:
        dropped["coreference clusters"] = len(place.get(item, "clusters", list))
    if "events" in item:
        dropped["events"] = len(_rows(place, item, "events", len(sentences)))
    entities: dict[tuple[int, int], tuple[int, Entity]] = {}
    found: list[list[Entity]] = [[] for _ in texts]
    across: set[tuple[int, int]] = set()
    for row in _rows(place, item, "ner", len(sentences)):
        start, end, label = place.row(row, int, int, str)
        place.check_span(start, end + 1, starts[-1], "tokens, ends included")
        home = homes[start]
        if homes[end] != home:
            dropped["entities across sentences"] += 1
            across.add((start, end))
            continue
        entity = texts[home].entity(place, start - starts[home], end + 1 - starts[home], label)
        found[home].append(entity)
        # Arguments are named by their place: of several entities there, it means the first.
        entities.setdefault((start, end), (home, entity))
    related: list[list[Relation[Entity]]] = [[] for _ in texts]
    for row in _rows(place, item, "relations", len(sentences)):
        *ends, label = place.row(row, int, int, int, int, str)
        spans = (ends[0], ends[1]), (ends[2], ends[3])
        if not across.isdisjoint(spans):
            dropped[ACROSS] += 1
            continue
        (home, head), (other, tail) = (place.find(entities, span, "the span") for span in spans)
        if home == other:
            related[home].append(Relation(head, tail, label))
        else:
            dropped[ACROSS] += 1
    for text_id, text, ents, relations in zip(units, texts, found, related, strict=True):
        conversion.add(place, text_id, text.text, ents, relations, text.words)
    conversion.drop(dropped)


def _sentences(place: Place, item: Any) -> list[list[str]]:
    sentences: list[list[str]] = []
    for words in place.get(item, "sentences", list):
        if type(words) is not list:
            raise place.error(f"the sentence {words!r}", "a list of tokens", "Split it into its tokens.")
        sentences.append([BRACKETS.get(word, word) for word in place.row(words, *[str] * len(words))])
    return sentences


def _rows(place: Place, item: Any, key: str, count: int) -> list[Any]:
    lists = place.get(item, key, list)
    if len(lists) != count:
        expected = f"one for each of the {count} sentences"
        advice = "Add empty lists where there is nothing."
        raise place.error(f"{len(lists)} lists in {key!r}", expected, advice)
    place.row(lists, *[list] * count)
    return [row for rows in lists for row in rows]

"""Formats that are known and cannot be read: what they lack, or how to get a corpus out of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Unreadable(NamedTuple):
    """A format by its name, what is missing of it, and what to do."""

    name: str
    recognizes: Callable[[Any], bool]
    missing: str
    advice: str


NO_SPANS = "it says which words are related, not where in the text they stand"
ONE_PAIR = "each example has one pair; whatever else is an entity or related in its sentence is not annotated"
NO_READER = "this package has no reader for it"
TO_JSONL = "Write its spans and relations as jsonl with a few lines of Python"


def known_unreadable(item: Any) -> str:
    """What to do with a file that begins like this, if its format is a known one that cannot be read."""
    for one in UNREADABLE:
        if one.recognizes(item):
            return f"This is {one.name}, which cannot be read: {one.missing}. {one.advice}."
    return ""


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, dict) and item.keys() >= set(keys)


def _has_one(first: str, *others: str) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, dict) and first in item and bool(item.keys() & set(others))


def _begins(pattern: str) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, str) and re.match(pattern, item) is not None


def _any_of(*tests: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda item: any(test(item) for test in tests)


def _is_fewrel(item: Any) -> bool:
    """A pair (`h`, `t`) of a sentence, or lists of them by their relation."""
    if isinstance(item, dict) and item.keys() >= {"h", "t"}:
        return bool(item.keys() & {"token", "tokens", "text"})
    return isinstance(item, dict) and any(
        isinstance(value, list) and value and _is_fewrel(value[0]) for value in item.values()
    )


def _is_lighttag(item: Any) -> bool:
    examples = item.get("examples") if isinstance(item, dict) else None
    return isinstance(examples, list) and bool(examples) and _has("content")(examples[0])


def _is_labelled_text(item: Any) -> bool:
    spans = item.get("label") if isinstance(item, dict) and "text" in item else None
    return isinstance(spans, list) and all(isinstance(span, list) and len(span) == 3 for span in spans)


def _contains(part: str) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, str) and part in item


def _holds(*patterns: str) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, Path) and any(any(item.glob(pattern)) for pattern in patterns)


UNREADABLE = (
    Unreadable(
        "TACRED (one pair of a sentence an item)",
        _has("subj_start", "obj_start"),
        ONE_PAIR,
        "Put the pairs of a sentence together and annotate its other entities, then write jsonl or spert",
    ),
    Unreadable(
        "FewRel or OpenNRE (one pair of a sentence an item)",
        _is_fewrel,
        ONE_PAIR,
        "Put the pairs of a sentence together and annotate its other entities, then write jsonl or spert",
    ),
    Unreadable(
        "SemEval-2010 Task 8 (one pair of a sentence, marked <e1> and <e2>)",
        _begins(r'(\d+\t)?"?.*<e1>.*</e1>'),
        f"{ONE_PAIR}, and entities have no labels",
        "Annotate all entities and relations of its sentences in a tool whose export can be read",
    ),
    Unreadable(
        "a list of triples (NYT, WebNLG, DuIE and others)",
        _any_of(
            _has_one("text", "triple_list", "spo_list", "triples", "relational_triple_list"),
            _has("sentText", "relationMentions"),
            _has_one("sentence", "triple_list", "spo_list", "triples", "relationMentions"),
        ),
        NO_SPANS,
        "Get a version with spans (`entities` with offsets), or find each name in its text and write jsonl",
    ),
    Unreadable(
        "tagtog's ann.json",
        _any_of(_has("annotatable", "entities"), _holds("*.ann.json", "ann.json.zip", "ann.json")),
        "the text stands in another file, a .plain.html whose parts the offsets count from",
        f"{TO_JSONL}: add the start of its part to each offset",
    ),
    Unreadable(
        "PubAnnotation JSON",
        _has("text", "denotations"),
        NO_READER,
        f"{TO_JSONL}: `denotations` are the entities, `relations` name them by their ids",
    ),
    Unreadable(
        "LightTag's JSON",
        _any_of(_is_lighttag, _has("examples", "schema")),
        NO_READER,
        f"{TO_JSONL}: `annotations` have start, end and tag",
    ),
    Unreadable(
        "WebAnno TSV 1 or 2",
        _begins(r"\s*# (webanno\.custom|de\.tudarmstadt)\S*( \||\s*$)|#\s*id=\d|#text="),
        "these versions have no offsets",
        "Import it into WebAnno or INCEpTION and export WebAnno TSV 3 or UIMA CAS",
    ),
    Unreadable(
        "the older JSON of UIMA (`_views`)",
        _any_of(_has("_views"), _has("_referenced_fss")),
        "INCEpTION itself replaced it",
        "Export UIMA CAS JSON, UIMA CAS XMI or WebAnno TSV 3 instead",
    ),
    Unreadable(
        "spans without relations (spaCy's or doccano's sequence labelling)",
        _is_labelled_text,
        "there are no relations in it",
        f"{TO_JSONL} with `relations` of its own, or train a component for entities alone",
    ),
    Unreadable(
        "tokens with tags, a line each (CoNLL-2003 and others)",
        _begins(r"-DOCSTART-|\S+([ \t]\S+)*[ \t](O|[BIESLU]-\S+)$"),
        "there are no relations in it",
        "Get the corpus with its relations, as spert, jsonl or brat",
    ),
    Unreadable(
        "ACE's XML (.apf.xml)",
        _contains("<source_file"),
        NO_READER,
        "Preprocess it as DyGIE does, and read that as dygie",
    ),
    Unreadable("GATE's XML", _contains("<GateDocument"), NO_READER, TO_JSONL),
    Unreadable(
        "a ZIP archive",
        _begins("PK\x03\x04"),
        "its files are not unpacked",
        "Unpack it and give the folder or file with the annotations",
    ),
)

"""The id of what an entity is a mention of stays on its Doc, whatever is done to the Doc."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_bispn import Entity, Extraction, Relation, as_doc, from_docs, set_annotations
from spacy_bispn.annotations import read, write

NLP = spacy.blank("en")
KELZEL, PART, TEM = Entity(0, 11, "P", kb_id="Q 1/é"), Entity(0, 6, "G", kb_id="a#0"), Entity(18, 21, "D")
IDS = {"Kelzel beta": "Q 1/é", "Kelzel": "a#0", "Tem": ""}


def gold() -> Doc:
    doc = NLP.make_doc("Kelzel beta binds Tem")
    set_annotations(doc, [KELZEL, PART, TEM], [Relation(PART, TEM, "BINDS")])
    return doc


def ids(doc: Doc) -> dict[str, str]:
    return {doc.text[one.start : one.end]: one.kb_id for one in read(doc).entities}


def merge(doc: Doc) -> Doc:
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
        retokenizer.merge(doc[2:4])
    return doc


def sort(doc: Doc) -> Doc:
    doc.spans["bispn"] = sorted(doc.spans["bispn"], key=lambda span: span.text)
    return doc


def example(doc: Doc) -> Doc:
    return Example.from_dict(NLP.make_doc(doc.text), Example(doc.copy(), doc).to_dict()).reference


CHANGES: dict[str, Callable[[Doc], Doc]] = {
    "nothing": lambda doc: doc,
    "copy": lambda doc: doc.copy(),
    "pickle": lambda doc: pickle.loads(pickle.dumps(doc)),
    "bytes": lambda doc: Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes()),
    "DocBin": lambda doc: next(DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(spacy.Vocab())),
    "json": lambda doc: Doc(NLP.vocab).from_json(json.loads(json.dumps(doc.to_json()))),
    "Example": example,
    "Doc.from_docs": lambda doc: Doc.from_docs([NLP("First ."), doc]),
    "from_docs": lambda doc: from_docs([NLP("First ."), merge(doc)]),
    "as_doc": lambda doc: as_doc(doc[:]),
    "merged tokens": merge,
    "sorted": sort,
}


@pytest.mark.parametrize("change", CHANGES)
def test_ids_survive(change: str) -> None:
    assert ids(CHANGES[change](gold())) == IDS


@pytest.mark.parametrize("change", ["Doc.from_docs", "from_docs"])
def test_one_id_is_one_thing_in_joined_docs(change: str) -> None:
    join: Any = {"Doc.from_docs": Doc.from_docs, "from_docs": from_docs}[change]
    assert [one.kb_id for one in read(join([gold(), gold()])).entities if one.label == "P"] == ["Q 1/é"] * 2


def test_an_entity_linker_behind_names_entities() -> None:
    doc = NLP.make_doc("Tem binds Dal")
    tem, dal = Entity(0, 3, "P"), Entity(10, 13, "P")
    write(doc, Extraction((tem, dal), (Relation(tem, dal, "BINDS"),)))
    linked = [("Q1", 0), ("NIL", 2)]  # as spaCy's entity_linker writes what it does not know
    doc.ents = [Span(doc, at, at + 1, label="P", kb_id=name) for name, at in linked]
    assert ids(doc) == {"Tem": "Q1", "Dal": ""} and len(doc._.relations) == 1
    doc.spans["bispn"] = [Span(doc, 0, 1, label="P", kb_id="Q2"), doc.spans["bispn"][1]]
    assert ids(doc)["Tem"] == "Q2", "what the group says goes before"


def test_mentions_that_become_one_have_the_ids_of_both() -> None:
    doc = NLP.make_doc("Tem2 binds")
    write(doc, Extraction((Entity(0, 3, "P", 0.4, "Q1"), Entity(0, 4, "P", 0.9, "Q2"))))
    (one,) = read(doc).entities
    assert (one, one.score, one.kb_id) == (Entity(0, 4, "P"), 0.9, "Q2|Q1")


def test_an_id_that_is_only_a_number_is_one() -> None:
    doc = NLP.make_doc("Tem binds")
    doc.ents = [Span(doc, 0, 1, label="P", kb_id=10**9)]
    assert ids(doc) == {"Tem": str(10**9)}

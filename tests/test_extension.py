"""`doc._.relations` where other libraries want the name too."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.tokens.underscore import Underscore

from spacy_bispn import Relation, annotations, get_relations, set_annotations, set_relations, use_extension
from spacy_bispn.annotations import has_relations, read, write
from spacy_bispn.records import Entity, Extraction
from spacy_bispn.settings import SettingError

NLP = spacy.blank("en")
ROV, TEM = Entity(0, 3, "P"), Entity(10, 13, "P")
SAID = Extraction((ROV, TEM), (Relation(ROV, TEM, "BINDS"),))


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Extensions and what was said of them are as they were, before and after each test."""
    monkeypatch.setattr(Underscore, "doc_extensions", dict(Underscore.doc_extensions))
    monkeypatch.setattr(annotations, "_names", set())
    monkeypatch.setattr(annotations, "_reported", set())
    yield


def predicted() -> Doc:
    doc = NLP.make_doc("Rov binds Tem .")
    write(doc, SAID)
    return doc


def taken(name: str = "relations") -> None:
    """What other relation extractors do."""
    Doc.set_extension(name, default=[], force=True)


@pytest.mark.parametrize("look", [get_relations, has_relations, read, lambda doc: set_relations(doc, [])])
def test_a_name_that_somebody_took_is_reported_once_and_nothing_is_lost(look: Any) -> None:
    doc = predicted()
    taken()
    with pytest.warns(UserWarning) as caught:
        look(doc)
        look(doc)
        predicted()
    (warning,) = caught
    for part in (
        "doc._.relations belongs to another library", "shows none of the relations",
        "nothing is learnt from what is assigned to it", "spacy_bispn.get_relations(doc)",
        "spacy_bispn.set_relations(doc, relations)", 'spacy_bispn.use_extension("bispn_relations")',
        'extension = "bispn_relations"',
    ):  # fmt: skip
        assert part in str(warning.message)
    doc = predicted()
    assert doc._.relations == [] and [x.head.text for x in get_relations(doc)] == ["Rov"]


def test_gold_finds_a_way_past_another_library() -> None:
    taken()
    doc = NLP.make_doc("Rov binds Tem .")
    rov, tem = Span(doc, 0, 1, label="P"), Span(doc, 2, 3, label="P")
    with pytest.warns(UserWarning, match=r"doc\._\.relations belongs to another library"):
        set_annotations(doc, [rov, tem], [Relation(rov, tem, "BINDS")])
    assert read(doc) == SAID and doc._.relations == []


def test_another_name_is_a_way_out() -> None:
    taken()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        use_extension("bispn_relations")
        doc = predicted()
        assert [x.label for x in doc._.bispn_relations] == ["BINDS"]
        doc._.bispn_relations = []
        assert has_relations(doc) and read(doc).relations == ()
    doc._.relations = ["theirs"]
    assert doc._.relations == ["theirs"] and doc._.bispn_relations == ()


def test_with_another_name_relations_is_free_for_others() -> None:
    use_extension("bispn_relations")
    assert not Doc.has_extension("relations")
    Doc.set_extension("relations", default=[])  # without force
    assert predicted()._.relations == []


def test_who_asked_for_relations_keeps_the_name() -> None:
    use_extension()
    use_extension("bispn_relations")
    doc = predicted()
    assert doc._.relations and doc._.bispn_relations
    taken("bispn_relations")
    with pytest.warns(UserWarning, match=r'"bispn_bispn_relations"'):
        predicted()
    assert doc._.relations


def test_nobody_is_warned_who_does_not_use_it() -> None:
    taken()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NLP("Rov binds Tem .")


@pytest.mark.parametrize("name", ["", "my relations", "set", "get", "has", None, 3])
def test_what_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(SettingError) as caught:
        use_extension(name)
    assert (caught.value.name, caught.value.value) == ("extension", name)
    assert caught.value.expected == "the name of an attribute"
    assert caught.value.advice == 'the default is "relations"'
    assert Doc.has_extension("relations")

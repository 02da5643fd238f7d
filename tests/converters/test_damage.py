"""Corpus files damaged at random: an error that names the file, or texts that hold together, nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from examples import DOCUMENTS, ITEMS, LINES, LISTS, encode
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters import ConversionError, detect, get_format

PARTS = [b"null", b"-1", b"3.5", b"99999999999999999999", b'""', b"[]", b"{}", b"<", b"&", b"\t", b"\xff"]
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    | st.sampled_from([[], {}, [[]], [0], [None], ["ORC"], {"start": 0}])
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content, a few times with some bytes of it left out and others put there."""
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(content)))
        last = draw(st.integers(first, len(content)) | st.just(first))
        content = content[:first] + draw(st.binary(max_size=3) | st.sampled_from(PARTS)) + content[last:]
    return content


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of an item, with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def check(form: str, content: bytes, folder: Path, lenient: bool) -> None:
    path = folder / "corpus.data"
    path.write_bytes(content)
    try:
        conversion = get_format(form).read(path, lenient=lenient)
    except ConversionError as error:
        assert "corpus.data, " in str(error) and "found" in str(error) and "expected" in str(error)
        return
    assert conversion.report.texts == len(conversion.texts)
    assert lenient or not conversion.report.errors
    for text in conversion.texts:
        entities = text.extraction.entities
        assert all(0 <= entity.start < entity.end <= len(text.text) for entity in entities)
        assert all(one.head in entities and one.tail in entities for one in text.extraction.relations)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


@pytest.mark.parametrize("form", sorted(ITEMS))
@given(st.data(), st.booleans())
def test_bytes(folder: Path, form: str, data: st.DataObject, lenient: bool) -> None:
    content = encode(form, [ITEMS[form]] * 2).encode()
    check(form, data.draw(damaged(content)), folder, lenient)


@pytest.mark.parametrize("form", sorted(DOCUMENTS))
@given(st.data(), st.booleans())
def test_bytes_of_documents(folder: Path, form: str, data: st.DataObject, lenient: bool) -> None:
    check(form, data.draw(damaged(DOCUMENTS[form].encode())), folder, lenient)


@given(st.data(), st.booleans())
def test_values_of_a_cas(folder: Path, data: st.DataObject, lenient: bool) -> None:
    item = json.loads(DOCUMENTS["cas-json"])
    container, key = data.draw(st.sampled_from(list(places(item))))
    container[key] = data.draw(VALUES)
    check("cas-json", json.dumps(item).encode("utf8", "replace"), folder, lenient)


@pytest.mark.parametrize("form", sorted({*LINES, *LISTS} - {"text2dt"}))
@given(st.data(), st.booleans())
def test_values(folder: Path, form: str, data: st.DataObject, lenient: bool) -> None:
    item = deepcopy(ITEMS[form])
    container, key = data.draw(st.sampled_from(list(places(item))))
    container[key] = data.draw(VALUES)
    check(form, encode(form, [item]).encode("utf8", "replace"), folder, lenient)


@given(st.binary(max_size=50) | st.text(max_size=50).map(str.encode))
def test_formats_are_found_or_named(folder: Path, content: bytes) -> None:
    path = folder / "unknown.data"
    path.write_bytes(content)
    try:
        assert detect(path) in {*ITEMS, *DOCUMENTS, "brat", "chemprot"}
    except ConversionError as error:
        assert "unknown.data" in str(error) and "expected" in str(error)


def test_what_is_no_literal_is_named_without_an_address(folder: Path) -> None:
    path = folder / "corpus.data"
    path.write_bytes(b"{'text': x}\n")
    said = r"line 1: found no Python literal \(malformed node[^<]*\), expected a Python literal\. Check"
    with pytest.raises(ConversionError, match=said):
        get_format("text2dt").read(path)

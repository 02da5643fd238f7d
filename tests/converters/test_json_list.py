"""A JSON list that is read in parts says the same as one that is read at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bispn.converters.json_list import NoList, parse_beginning, parse_list, parse_objects

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def in_parts(content: str, size: int) -> Iterator[str]:
    return (content[start : start + size] for start in range(0, len(content), size))


def items_of(chunks: Iterable[str]) -> list[object]:
    return [item for _, item in parse_list(chunks)]


@given(
    items=st.lists(VALUES, max_size=5),
    size=st.integers(1, 9),
    indent=st.none() | st.integers(0, 2),
    ascii_only=st.booleans(),
)
def test_parts_of_any_size_give_the_items(
    items: list[object], size: int, indent: int | None, ascii_only: bool
) -> None:
    content = json.dumps(items, indent=indent, ensure_ascii=ascii_only)
    assert items_of(in_parts(f" \n{content}\r\n", size)) == items


@given(content=st.text('[]{}",:.-e1\\ \n', max_size=12), size=st.integers(1, 4))
def test_what_json_refuses_is_refused_in_parts_too(content: str, size: int) -> None:
    try:
        expected = json.loads(content)
    except ValueError:
        expected = None
    if isinstance(expected, list):
        assert items_of(in_parts(content, size)) == expected
    else:  # NoList is a ValueError
        with pytest.raises(ValueError):
            list(parse_list(in_parts(content, size)))


@pytest.mark.parametrize("size", [1, 2, 5, 99])
def test_each_item_has_the_line_it_begins_in(size: int) -> None:
    content = '\n[{"a":\n1}, 2,\n\n3\n,4]'
    assert list(parse_list(in_parts(content, size))) == [(2, {"a": 1}), (3, 2), (5, 3), (6, 4)]


def test_an_item_comes_before_the_rest_is_read() -> None:
    def chunks() -> Iterator[str]:
        yield '[{"a": 1}, {"a": 2}'
        raise AssertionError("nobody asked for more")

    assert next(parse_list(chunks())) == (1, {"a": 1})


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ('[{"a": 1}, {"b" 2}, {"a": 1}', "Expecting ':' delimiter in line 1"),
        ('[{"a": 1}{"a": 2}, {"a": 3}', "expecting ',' or ']' in line 1"),
    ],
)
def test_behind_an_error_nothing_is_read(first: str, said: str) -> None:
    def chunks() -> Iterator[str]:
        yield first
        raise AssertionError("the error was there before")

    with pytest.raises(ValueError, match=said):
        list(parse_list(chunks()))


def test_an_item_of_many_parts_is_not_parsed_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []
    decode = json.JSONDecoder.raw_decode

    def count(self: json.JSONDecoder, content: str, at: int) -> tuple[object, int]:
        tries.append(len(content))
        return decode(self, content, at)

    monkeypatch.setattr("json.JSONDecoder.raw_decode", count)
    item = "a" * 10_000
    assert items_of(in_parts(json.dumps([item]), 10)) == [item]
    assert len(tries) < 20 and sum(tries) < 50_000


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1,\n\n2 3]", "expecting ',' or ']' in line 3"),
        ("[1,\n{]", "Expecting property name enclosed in double quotes in line 2"),
        ('[\n\n\n"a', "Unterminated string starting at in line 4"),
        ("[1]\n[2]", "expecting nothing behind the list in line 2"),
        ("", "Expecting value in line 1"),
    ],
)
def test_errors_name_the_line(content: str, said: str, size: int) -> None:
    with pytest.raises(ValueError, match=f"^{said.replace('[', '.')}$"):
        list(parse_list(in_parts(content, size)))


def test_another_value_is_shown() -> None:
    with pytest.raises(NoList) as caught:
        list(parse_list(in_parts('{"a": [1]}\n{"a": [2]}', 3)))
    assert caught.value.value == {"a": [1]}


@pytest.mark.parametrize("size", [3, 2**20])
def test_of_a_large_value_only_the_beginning_is_read_and_shown(size: int) -> None:
    content = '{"data": [' + "1, " * 2**20 + "1]}"
    read = 0

    def counted() -> Iterator[str]:
        nonlocal read
        for part in in_parts(content, size):
            read += len(part)
            yield part

    with pytest.raises(NoList) as caught:
        list(parse_list(counted()))
    assert caught.value.value == content[:60] and read < len(content)


def test_a_key_that_stands_twice_would_be_lost() -> None:
    with pytest.raises(ValueError, match="the key 'a' twice in one object in line 2"):
        list(parse_list(['[{},\n{"a": 1, "b": {"a": 2}, "a": 3}]']))


def test_half_of_a_pair_has_its_line() -> None:
    with pytest.raises(ValueError, match=r"surrogates not allowed in line 2"):
        list(parse_list(['[{},\n"\\ud800"]']))


MEMBERS = st.dictionaries(st.text(max_size=3).map("k".__add__), VALUES, max_size=3)


@given(items=st.lists(MEMBERS, min_size=1, max_size=4), size=st.integers(1, 9), indent=st.none() | st.just(1))
def test_objects_one_after_the_other_are_read_in_parts(
    items: list[dict[str, object]], size: int, indent: int | None
) -> None:
    content = "\n".join(json.dumps(item, indent=indent) for item in items)
    assert [item for _, item in parse_objects(in_parts(f" \n{content}\r\n", size))] == items
    listed = json.dumps(items, indent=indent)
    assert [item for _, item in parse_objects(in_parts(listed, size))] == items


@given(before=MEMBERS, items=st.lists(VALUES, max_size=4), after=MEMBERS, size=st.integers(1, 9))
def test_a_list_inside_an_object_is_read_in_its_place(
    before: dict[str, object], items: list[object], after: dict[str, object], size: int
) -> None:
    content = json.dumps({**before, "list": items, **after}) + json.dumps({"list": 1})
    found = [item for _, item in parse_objects(in_parts(content, size), ["list"])]
    assert found == [*items, {"list": 1}]


@given(content=st.text('{}[]",:.-e1\\ \n', max_size=12), size=st.integers(1, 4))
def test_what_json_refuses_is_no_object_in_parts_either(content: str, size: int) -> None:
    try:
        expected = json.loads(content)
    except ValueError:
        expected = None
    if isinstance(expected, dict):
        assert [item for _, item in parse_objects(in_parts(content, size))] == [expected]
    elif not isinstance(expected, list) and not content.lstrip(" \n").startswith("{}"):
        with pytest.raises(ValueError):
            list(parse_objects(in_parts(content, size)))


@given(before=MEMBERS, items=st.lists(VALUES, max_size=4), size=st.integers(1, 9))
def test_the_beginning_of_an_object_ends_at_its_first_list(
    before: dict[str, object], items: list[object], size: int
) -> None:
    before = {key: value for key, value in before.items() if not isinstance(value, list)}
    content = json.dumps({**before, "list": items})[:-1] + ', "broken'
    assert parse_beginning(in_parts(content, size)) == {**before, "list": items[:1]}


@pytest.mark.parametrize(
    "content", ['{"a" 1}', '{"a": 1', '{"a": 1,}', "{1: 1}", '{"a": 1} x', '{"a": 1, "a": 2}']
)
def test_broken_objects_are_refused_with_their_line(content: str) -> None:
    with pytest.raises(ValueError, match=r"in line 2|twice in one object"):
        list(parse_objects(["\n" + content]))


def test_what_is_neither_object_nor_list_is_shown() -> None:
    with pytest.raises(NoList, match="17"):
        list(parse_objects(["17"]))

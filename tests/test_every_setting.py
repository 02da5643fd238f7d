"""Every setting of every registered function: permitted values are taken, others are a SettingError."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING
from typing import Any

import pytest
from groups import GROUPS

from spacy_bispn.settings import SettingError, Settings, Values, default_of, is_retired, settings_of

# Settings that are permitted only beside others.
BESIDE = {
    "supervised_layers": {"shared_layers": 64},
    "shared_layers": {"supervised_layers": 1},
    "width": {"heads": 1},
    "heads": {"width": 256},
    "window": {"overlap": 0},
}


def each_setting() -> Iterator[Any]:
    seen: set[type[Settings]] = set()
    for name, groups in GROUPS.items():
        for group in groups:
            if group not in seen:
                seen.add(group)
                for each in settings_of(group):
                    yield pytest.param(group, each, id=f"{name}-{each.name}")


def edges(values: Values) -> tuple[list[Any], list[Any]]:
    """Values at the bounds, and just outside."""
    step = 1 if values.whole else 1e-9
    good, bad = list(values.choices), ["no such value", float("nan"), "1"]
    for bound, outside in ((values.least, -step), (values.most, step)):
        if bound is not None:
            good.append(bound)
            bad.append(bound + outside)
    for bound, inside in ((values.above, step), (values.below, -step)):
        if bound is not None:
            good.append(bound + inside)
            bad.append(bound)
    if values.words:
        return [*good, *(["a word"] if values.words[:2] == "a " else [])], [None] if None not in good else []
    return good, [value for value in bad if value not in good]


def make(group: type[Settings], **settings: Any) -> Settings:
    known = {each.name: each for each in settings_of(group)}
    required = {name: "x" for name, each in known.items() if default_of(each) is MISSING}
    beside = {name: value for x in settings for name, value in BESIDE.get(x, {}).items() if name in known}
    return group(**{**required, **beside, **settings})


@pytest.mark.parametrize(("group", "each"), each_setting())
def test_values_at_the_bounds(group: type[Settings], each: Any) -> None:
    good, bad = edges(each.metadata["values"])
    for value in good:
        assert getattr(make(group, **{each.name: value}), each.name) == value
    assert bad or each.metadata["values"].words
    for value in bad:
        with pytest.raises(SettingError) as caught:
            make(group, **{each.name: value})
        error = caught.value
        assert (error.name, error.expected) == (each.name, each.metadata["values"].expected)
        assert str(error).startswith(f"{each.name} is {value!r}, expected ") and error.advice


@pytest.mark.parametrize(("group", "each"), each_setting())
def test_a_setting_says_what_it_does(group: type[Settings], each: Any) -> None:
    assert each.metadata["meaning"].endswith((".", ")")) or is_retired(each)
    default = default_of(each)
    assert default is MISSING or each.metadata["values"].permit(default)


def test_most_settings_were_tried() -> None:
    assert len(list(each_setting())) > 50

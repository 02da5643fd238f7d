"""Groups of settings: what is checked, what spaCy's registry sees, and what an error says."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from spacy_bispn.settings import (
    PROBABILITY,
    SHARE,
    SWITCH,
    SettingError,
    Settings,
    Values,
    defaults,
    distribute,
    setting,
    takes,
)


@dataclass(frozen=True)
class Oven(Settings):
    """A group."""

    heat: float = setting(Values(above=0, most=300), "How hot.", default=180.0)
    trays: int = setting(Values(least=1, whole=True), "How many.", default=2)
    fan: bool = setting(SWITCH, "Whether air moves.", default=True)
    grill: str | None = setting(Values(choices=("top", "both", None)), "From where.", default=None)
    labels: list[str] = setting(Values(words="labels"), "Of what.", default=[])


@dataclass(frozen=True)
class Named(Settings):
    """A group with a setting that is required."""

    name: str = setting(Values(words="a name"), "Which one.")


@takes(Oven, Named)
def bake(dough: int, **settings: Any) -> tuple[Oven, Named]:
    oven, named = distribute(settings, Oven, Named)
    return oven, named


@pytest.mark.parametrize(
    ("values", "words", "good", "bad"),
    [
        (PROBABILITY, "0 to 1", [0, 0.5, 1], [-0.1, 1.1, float("nan"), float("inf"), "0.5", None, True]),
        (SHARE, "0 to below 1", [0, 0.99], [1, -1]),
        (Values(above=0, below=1), "above 0, below 1", [0.1], [0, 1]),
        (Values(above=0, most=300), "above 0, at most 300", [0.5, 300], [0, 301]),
        (Values(most=3), "at most 3", [-9], [4]),
        (Values(above=0), "above 0", [1e-9, 1e9], [0, float("inf")]),
        (Values(least=8, whole=True), "at least 8", [8], [7, 8.5, "8"]),
        (Values(least=-1, most=64, whole=True), "-1 to 64", [-1, 64], [-2, 65]),
        (Values(least=1, whole=True, choices=(None,)), "at least 1, `null`", [1, None], [0, "null"]),
        (Values(least=0, choices=("even",)), 'at least 0, `"even"`', [0, "even"], [-1, "odd"]),
        (SWITCH, "`true`, `false`", [True, False], [1, 0, "true"]),
        (Values(choices=("a", "b")), '`"a"`, `"b"`', ["a"], ["c", None]),
    ],
)
def test_values(values: Values, words: str, good: list[Any], bad: list[Any]) -> None:
    assert str(values) == words
    assert all(map(values.permit, good))
    assert not any(map(values.permit, bad))


def test_an_error_says_what_was_given_expected_and_what_to_do() -> None:
    with pytest.raises(SettingError) as caught:
        Oven(heat=0)
    assert str(caught.value) == "heat is 0, expected a number (above 0, at most 300): the default is 180.0."
    assert (caught.value.name, caught.value.value) == ("heat", 0)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_setting_without_a_default_is_required() -> None:
    assert defaults(Oven, Named) == {"heat": 180.0, "trays": 2, "fan": True, "grill": None, "labels": []}
    with pytest.raises(SettingError, match="name is None, expected a name: correct it in the config"):
        Named(None)


def test_a_default_that_is_a_list_is_never_shared() -> None:
    Oven().labels.append("bread")
    assert Oven().labels == [] == defaults(Oven)["labels"]


def test_the_registry_sees_every_setting() -> None:
    seen = inspect.signature(bake).parameters
    assert [*seen] == ["dough", "heat", "trays", "fan", "grill", "labels", "name"]
    assert seen["heat"].default == 180.0 and seen["heat"].annotation is float
    assert seen["name"].default is inspect.Parameter.empty
    assert bake(1, heat=200, name="rye") == (Oven(heat=200), Named("rye"))


def test_a_name_that_no_group_has_is_refused() -> None:
    with pytest.raises(SettingError, match=r"steam is 1, expected no setting of that name.*: remove it\."):
        bake(1, steam=1, name="rye")

"""Settings: name, type, default, permitted values and meaning of each, once, beside what it configures.

A group of settings is a frozen dataclass whose fields are made by `setting`. The checks, the signature of a
registered function (`takes`), the defaults of a config block (`defaults`) and the tables of
docs/configuration.md all come from there.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

Function = TypeVar("Function", bound=Callable[..., Any])


class SettingError(ValueError):
    """A setting or option that cannot be used: its name, its value, what was expected, and what to do."""

    def __init__(self, name: str, value: Any, expected: str, advice: str) -> None:
        shown = value if isinstance(value, Shown) else repr(value)
        super().__init__(f"{name} is {shown}, expected {expected}: {advice}.")
        self.name, self.value, self.expected, self.advice = name, value, expected, advice

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.value, self.expected, self.advice)


class Shown(str):
    """A value as a message should show it, where `repr` would not do."""


@dataclass(frozen=True)
class Values:
    """What a setting may be: a number within bounds, one of some choices, or whatever the `words` say.

    least, most, above, below: bounds of a number, the latter two exclusive.
    whole: whether it has no decimals.
    choices: values permitted as they are, beside numbers if there are bounds.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    whole: bool = False
    choices: tuple[Any, ...] = ()
    words: str = ""

    @property
    def numeric(self) -> bool:
        """Whether numbers are among the values."""
        return any(bound is not None for bound in (self.least, self.most, self.above, self.below))

    def permit(self, value: Any) -> bool:
        """Whether a value is one of these. NaN and infinity are not, nor is a number in quotes."""
        if any(
            value is choice or (type(value) is type(choice) and value == choice) for choice in self.choices
        ):
            return True
        if not self.numeric:
            return bool(self.words) and value is not None
        kinds = int if self.whole else (int, float)
        return (
            isinstance(value, kinds)
            and not isinstance(value, bool)
            and abs(value) < float("inf")
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    @property
    def bounds(self) -> str:
        """The bounds in words, such as "0 to below 1"."""
        high = "" if self.most is None else f"at most {_number(self.most)}"
        if self.below is not None:
            high = f"below {_number(self.below)}"
        if self.above is not None:
            return ", ".join(filter(None, [f"above {_number(self.above)}", high]))
        if self.least is None:
            return high
        if not high:
            return f"at least {_number(self.least)}"
        return f"{_number(self.least)} to {high.removeprefix('at most ')}"

    def __str__(self) -> str:
        parts = [self.bounds] if self.numeric else [self.words] if self.words else []
        return ", ".join([*parts, *(f"`{json.dumps(choice)}`" for choice in self.choices)])

    @property
    def expected(self) -> str:
        """What an error says was expected."""
        choices = ", ".join(json.dumps(choice) for choice in self.choices)
        if not self.numeric:
            return " or ".join(filter(None, [self.words, choices and f"one of {choices}"]))
        number = f"a {'whole ' if self.whole else ''}number ({self.bounds})"
        return f"{number} or {choices}" if choices else number


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


PROBABILITY = Values(least=0, most=1)
SHARE = Values(least=0, below=1)
SWITCH = Values(choices=(True, False))


def setting(values: Values, meaning: str, *, default: Any = MISSING, advice: str = "") -> Any:
    """A field of a group of settings.

    values: what is permitted. meaning: what it does and when to change it, in Markdown, for the docs.
    default: without one the setting is required.
    advice: what to do about a bad value, if not to take the default.
    """
    metadata = {"values": values, "meaning": meaning, "advice": advice}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: default.copy(), metadata=metadata)
    return field(default=default, metadata=metadata)


def retired(value: Any) -> Any:
    """A field of a setting that once had other values, for the configs of older models that still name it.

    This is the only value that is left, and no code reads it.
    """
    values = Values(choices=(value,))
    return field(default=value, metadata={"values": values, "meaning": "", "advice": "remove it"})


def is_retired(each: Field[Any]) -> bool:
    """Whether a setting is only there for configs that still name it."""
    return not each.metadata["meaning"]


class Settings:
    """The base of all groups of settings: each value is checked when a group is made. Raises SettingError."""

    def __post_init__(self) -> None:
        for each in settings_of(type(self)):
            check(each, getattr(self, each.name))


def settings_of(group: type[Any]) -> Iterator[Field[Any]]:
    """The settings of a group, in order; other fields of the dataclass are left out."""
    return (each for each in fields(group) if "values" in each.metadata)


def check(each: Field[Any], value: Any) -> None:
    """Raise SettingError unless a setting permits a value."""
    values: Values = each.metadata["values"]
    if not values.permit(value):
        default = default_of(each)
        usual = "correct it in the config" if default is MISSING else f"the default is {json.dumps(default)}"
        raise SettingError(each.name, value, values.expected, each.metadata["advice"] or usual)


def default_of(each: Field[Any]) -> Any:
    """A setting's default, MISSING where it is required."""
    return each.default_factory() if each.default_factory is not MISSING else each.default


def defaults(*groups: type[Settings]) -> dict[str, Any]:
    """Name and default of each setting that has one."""
    found = ((each.name, default_of(each)) for group in groups for each in settings_of(group))
    return {name: default for name, default in found if default is not MISSING}


def takes(*groups: type[Settings]) -> Callable[[Function], Function]:
    """Give a function with `**settings` the parameters of some groups, which spaCy's registry then fills in.

    The parameters come behind the function's own, by keyword only, with their types and defaults. The groups
    are kept in its attribute `groups`.
    """

    def decorate(function: Function) -> Function:
        signature, kinds = inspect.signature(function), inspect.Parameter
        found = [one for one in signature.parameters.values() if one.kind is not kinds.VAR_KEYWORD]
        for group in groups:
            types = get_type_hints(group)
            for each in settings_of(group):
                if each.name in signature.parameters:  # one that is given by position, too
                    continue
                default = kinds.empty if default_of(each) is MISSING else default_of(each)
                found.append(
                    kinds(each.name, kinds.KEYWORD_ONLY, default=default, annotation=types[each.name])
                )
        function.__signature__ = signature.replace(parameters=found)  # type: ignore[attr-defined]
        function.groups = groups  # type: ignore[attr-defined]
        return function

    return decorate


def distribute(given: Mapping[str, Any], *groups: type[Any]) -> tuple[Any, ...]:
    """One object of each group, made from the settings given; those left out have their defaults.

    Raises SettingError for a value that is not permitted, and for a name that no group has.
    """
    known = [{each.name for each in settings_of(group)} for group in groups]
    unknown = given.keys() - set().union(*known)
    if unknown:
        name = min(unknown)
        raise SettingError(
            name, given[name], f"no setting of that name ({len(given)} were given)", "remove it"
        )
    return tuple(
        group(**{name: given[name] for name in names & given.keys()})
        for group, names in zip(groups, known, strict=True)
    )

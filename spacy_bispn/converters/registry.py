"""Corpus formats by name: how one is registered, which there are, and which one a file has.

A format is a decorator above its reader, with all that is known of it:

    @corpus_format("conll", about="CoNLL 2004", recognizes=is_conll, write=write_conll)
    def read_conll(path: Path, *, tags: Tags = "bio", **rules: Unpack[Rules]) -> Conversion: ...

The reader's keyword-only parameters are options of the format, on the command line too. Their annotations
hold what they mean and, for a Literal, what they may be:

    Tags = Annotated[Literal["bio", "bilou"], "how tokens of entities are tagged"]

Built-in formats are the modules of `spacy_bispn.converters.formats`. Another package names its readers as
entry points of the group `spacy_bispn_formats`.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import catalogue

from spacy_bispn.converters.conversion import Conversion
from spacy_bispn.converters.file_reading import (
    UNREADABLE,
    ConversionError,
    first_item,
    folder_error,
    read_lines,
    short_repr,
)
from spacy_bispn.converters.literals import parse_literal
from spacy_bispn.converters.offsets import IN_CHARACTERS, Unit, find_unit
from spacy_bispn.converters.unreadable import known_unreadable
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError, Shown

SEARCHED = 1000  # lines
GROUP = "spacy_bispn_formats"  # of entry points
FORMATS = catalogue.create("spacy_bispn", "formats")

Reader = Callable[..., Conversion]  # of a path; keywords are those of `Rules` and the format's own options
# Gives what the format has no place for: counts by words. Raises ConversionError before it writes anything.
Writer = Callable[[Path, Iterable[AnnotatedText]], Counter[str]]
AnyReader = TypeVar("AnyReader", bound=Reader)
Chosen = TypeVar("Chosen")


@dataclass(frozen=True)
class Option:
    """An option that only some formats know: its type, what it means, and its choices if it has some."""

    name: str
    kind: Any
    meaning: str
    choices: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, hint: Any) -> Option:
        """The option that a type stands for, which may be Annotated with its meaning.

        Raises SettingError for a type that no word of a command line could have.
        """
        meaning = hint.__metadata__[0] if get_origin(hint) is Annotated else ""
        kind = hint.__origin__ if meaning else hint
        if get_origin(kind) is Literal:
            return cls(name, str, meaning, get_args(kind))
        members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
        kinds = [one for one in members if one is not NoneType]
        if len(kinds) != 1 or kinds[0] not in (str, int, float, bool, Path):
            expected = "a Literal of strings, or str, int, float, bool or Path, or one of these or None"
            raise SettingError(f"the type of {name}", Shown(kind), expected, "change its annotation")
        return cls(name, kinds[0], meaning)

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.meaning, " or ".join(self.choices)]))

    def check(self, value: Any) -> None:
        """Raise SettingError for a value that is not among the choices."""
        if self.choices and value not in self.choices:
            raise SettingError(self.name, value, " or ".join(self.choices), "choose one of these")


@dataclass(frozen=True)
class Format:
    """A corpus format.

    about: whose it is, in a few words. recognizes: whether it fits what a file begins with, see `first_item`.
    tokens: whether its texts come with tokens. level: what a text is, unless asked otherwise.
    options: the options of its reader, by name. ids: whether it says which mentions are of one thing.
    """

    name: str
    about: str
    tokens: Literal["no", "optional", "prescribed"]
    recognizes: Callable[[Any], bool]
    level: str
    read: Reader
    write: Writer | None
    options: dict[str, Option]
    ids: bool


def corpus_format(
    name: str,
    *,
    about: str,
    recognizes: Callable[[Any], bool],
    write: Writer | None = None,
    tokens: Literal["no", "optional", "prescribed"] = "no",
    counts: Unit | None = "characters",
    level: str = "document",
    ids: bool = False,
) -> Callable[[AnyReader], AnyReader]:
    """Register a reader, and perhaps a writer, as a format; see `Format` for the rest.

    The reader returned checks the choices of its options. Where its option `offsets` is "auto" it finds out
    what the offsets of a file count: if nothing in the file tells, what the format `counts`; None leaves all
    that to the reader. Raises SettingError if another module has a format
    of this name.
    """

    def register(read: AnyReader) -> AnyReader:
        earlier = FORMATS.get(name).read.__module__ if name in FORMATS else read.__module__
        if earlier != read.__module__:
            expected = f"another name than the one in {earlier}"
            raise SettingError(f"a format of {read.__module__}", name, expected, "rename it")
        hints = get_type_hints(read, include_extras=True)
        signature = inspect.signature(read)
        parameters = signature.parameters.values()
        own = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
        options = {option: Option.of(option, hints[option]) for option in own}
        usual = signature.parameters["offsets"].default if "offsets" in options else None

        @wraps(read)
        def checked_read(path: Path, **rules: Any) -> Conversion:
            for option in options.keys() & rules.keys():
                options[option].check(rules[option])
            rules.setdefault("level", level)
            if usual is None or counts is None or rules.get("offsets", usual) != "auto":
                return read(path, **rules)
            unit, texts = find_unit(read, path, counts, rules)
            conversion = read(path, **rules | {"offsets": unit})
            conversion.report.note(IN_CHARACTERS, texts if unit == "characters" else 0)
            return conversion

        reader = cast(AnyReader, checked_read)
        found = Format(name, about, tokens, recognizes, level, reader, write, options, ids)
        FORMATS.register(name, func=found)
        return reader

    return register


def all_formats() -> dict[str, Format]:
    """Every format by its name: built in, of an installed package, or registered by the program itself.

    An entry point that cannot be loaded is named in a warning and left out.
    """
    _load_formats()
    return dict(sorted(FORMATS.get_all().items()))


@cache
def _load_formats() -> None:
    # Imported when asked for: the modules of the formats import this package.
    import_module("spacy_bispn.converters.formats")
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:  # whatever it is, other formats and commands do not need it
            warnings.warn(
                f"The format {point.name!r} could not be loaded from {point.value} ({type(error).__name__}: "
                f"{error}), expected a reader below @corpus_format. Update or uninstall its package.",
                stacklevel=3,
            )


def get_format(name: str) -> Format:
    """The format of a name. Raises SettingError for an unknown one."""
    return _choose(name, all_formats(), "choose one of these, or convert the corpus to jsonl first")


def get_writer(name: str) -> Writer:
    """The writer of a format. Raises SettingError for a name without one."""
    writers = {one.name: one.write for one in all_formats().values() if one.write is not None}
    return _choose(name, writers, "choose one of these, or write jsonl and convert that")


def _choose(name: str, known: dict[str, Chosen], advice: str) -> Chosen:
    if name not in known:
        raise SettingError("the format", name, f"one of {', '.join(known)}", advice)
    return known[name]


def detect(path: Path) -> str:
    """The format of a file, by what it begins with. Raises ConversionError unless exactly one fits."""
    item = first_item(path)
    if isinstance(item, dict) and item.get("entities") == []:  # which some formats can only be told apart by
        item = _first_annotated(path, item)
    formats = all_formats()
    hits = [one.name for one in formats.values() if one.recognizes(item)]
    if isinstance(item, Path) and not hits:
        expected = f"a file of one of the formats: {', '.join(formats)}; or pairs of .txt and .ann"
        advice = known_unreadable(item)
        usual = "Pass --format with the name of the format if it has folders of its own."
        raise folder_error(item, "a folder", expected, advice or usual)
    if len(hits) != 1:
        found = "a folder" if isinstance(item, Path) else short_repr(item)
        if isinstance(item, dict) and item:
            found = f"the keys {', '.join(map(repr, item))}"
        fitting = f", which fits {' and '.join(hits)}" if hits else ""
        advice = "" if hits else known_unreadable(item)
        raise ConversionError(
            f"{path}, first item: found {found}{fitting}, expected an item of one of the formats: "
            f"{', '.join(formats)}. {advice or 'Pass --format with the name of the format.'}"
        )
    return hits[0]


def _first_annotated(path: Path, item: Any) -> Any:
    """The first item of the lines at the beginning of a file that has entities; else the given one."""
    for position, line in islice(read_lines(path), SEARCHED):
        for parse in (json.loads, parse_literal):
            with suppress(*UNREADABLE, ConversionError):
                value = parse(position.decode(line))
                if isinstance(value, dict) and value.get("entities"):
                    return value
                break
    return item


def format_options() -> dict[str, tuple[Option, tuple[str, ...]]]:
    """Every option of a format by its name, with the names of the formats that know it."""
    owners: dict[str, tuple[Option, tuple[str, ...]]] = {}
    for one in all_formats().values():
        for name, option in one.options.items():
            first, names = owners.get(name, (option, ()))
            owners[name] = first, (*names, one.name)
    return owners


def format_rows() -> Iterator[dict[str, str]]:
    """The rows of the table of formats in docs/formats.md, each by its columns."""
    for one in all_formats().values():
        yield {
            "format": f"[`{one.name}`](#{one.name})",
            "of": one.about,
            "written": "yes" if one.write else "",
            "tokens": one.tokens,
            "ids": "yes" if one.ids else "",
            "options": ", ".join(f"`{option.flag}`" for option in one.options.values()),
        }

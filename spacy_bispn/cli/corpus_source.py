"""Where a corpus comes from: an argument and options that are the same for every command that reads one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial, wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from spacy_bispn.cli.sources import DOCS, make_tokenizer
from spacy_bispn.converters import (
    Conversion,
    ConversionError,
    Rules,
    all_formats,
    detect,
    format_options,
    get_format,
)
from spacy_bispn.converters.cutting import sentences_of
from spacy_bispn.corpus import starts_in
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError, Shown

AUTO = "auto"
LEVEL = "What a text is: sentence, document or a number of sentences, such as 3; else as in the file"


@dataclass(frozen=True)
class CorpusSource:
    """A corpus and how it is read. The fields from `format` to `rename` are options of the commands.

    symmetric, negative, lenient, level: see `Conversion`; without a level, it is that of the format.
    lang: by whose rules sentences are found.
    settings: options that only some formats know, those that were given.
    """

    path: Path
    format: Annotated[
        str, typer.Option("--format", "-f", help=f"{AUTO}: by the content; or {', '.join(all_formats())}")
    ] = AUTO
    symmetric: Annotated[
        list[str] | None, typer.Option("--symmetric", help="Relation label without a direction (repeatable)")
    ] = None
    negative: Annotated[
        list[str] | None,
        typer.Option("--negative", help="Relation label that says there is none (repeatable)"),
    ] = None
    level: Annotated[str | None, typer.Option("--level", help=LEVEL)] = None
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="OLD=NEW", help="New label of entities and relations (repeatable)"),
    ] = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    lang: str = "en"
    lenient: bool = False

    def resolve(self) -> CorpusSource:
        """The same with the format named, `DOCS` for `.spacy` files, and every option checked.

        Raises SettingError for an unknown format or level and for an option that the format does not know,
        ConversionError for "auto" unless exactly one format fits.
        """
        needing = {name: self.settings.get(name) for name in ("fold", "part")}
        check_needed("--splits", self.settings.get("splits"), needing)
        if self.level is not None:
            sentences_of(self.level)  # raises
        self._renames()  # raises
        found = replace(self, format=self._find_format() if self.format == AUTO else self.format)
        given = dict(self.settings)
        known = {} if found.format == DOCS else get_format(found.format).options
        if found.format == DOCS:
            given |= {
                name: value for name in ("negative", "level", "rename") if (value := getattr(self, name))
            }
        for name in given.keys() - known.keys():
            owners = format_options()[name][1] if name in self.settings else ()
            shown = Shown(f"{given[name]} with the format {found.format!r}")
            expected = " or ".join(map(repr, owners)) or "the file of a corpus"
            flag = f"--{name.replace('_', '-')}"
            raise SettingError(flag, shown, expected, f"leave out {flag}")
        return found

    def _find_format(self) -> str:
        if self.path.suffix == DOCS:
            return DOCS
        check_regular(self.path, "--format auto")
        try:
            return detect(self.path)
        except ConversionError:
            if self.path.is_dir() and any(self.path.glob(f"**/*{DOCS}")):
                return DOCS
            raise

    @property
    def chosen_level(self) -> str:
        """The level that was asked for, or that of the format."""
        return self.level or get_format(self.format).level

    @property
    def cuts_documents(self) -> bool:
        """Whether texts are cut from documents."""
        return sentences_of(self.chosen_level) > 0

    def read(
        self,
        take: Callable[[AnnotatedText], object] | None = None,
        measure: Callable[[AnnotatedText], object] | None = None,
        held_out: bool = False,
    ) -> Conversion:
        """Read the corpus, whose format must be named; for `take` and `measure` see `Conversion`.

        held_out: whether it may lack labels that are renamed, as a small part of a corpus does.

        Raises SettingError for what the format does not permit, ConversionError for malformed input and
        where no text is left.
        """
        # Only what was asked for: a format has negative labels of its own.
        rules = Rules(lenient=self.lenient)
        if self.symmetric:
            rules["symmetric"] = tuple(self.symmetric)
        if self.negative:
            rules["negative"] = tuple(self.negative)
        if self.rename:
            rules["rename"] = self._renames()
        if take is not None:
            rules["take"] = take
        if measure is not None:
            rules["measure"] = measure
        if self.level is not None:
            rules["level"] = self.level
        if self.cuts_documents:
            rules["starts"] = partial(starts_in, make_tokenizer(self.lang))
        conversion = get_format(self.format).read(self.path, **self.settings, **rules)
        if not conversion.report.texts:
            first = "".join(f" First error: {error}" for error in conversion.report.errors[:1])
            raise ConversionError(f"{self.path}: {conversion.report}; expected at least one text.{first}")
        self._note_unknown(conversion)
        known = {label for labels in conversion.labels.values() for label in labels}
        for label in () if held_out else self._renames().keys() - known:
            expected = " or ".join(
                f"one of the labels of {kind} ({', '.join(sorted(labels)) or 'there is none'})"
                for kind, labels in conversion.labels.items()
            )
            raise SettingError("--rename", label, expected, "correct its spelling, or leave it out")
        return conversion

    def _note_unknown(self, conversion: Conversion) -> None:
        """Note labels that were said to be symmetric or negative, and that no relation has."""
        known = {*conversion.labels["relations"], *self._renames().values()}
        for flag, labels in (("--symmetric", self.symmetric), ("--negative", self.negative)):
            for label in set(labels or ()) - known:
                conversion.report.note(f"label of {flag} that no relation has: {label!r}")

    def _renames(self) -> dict[str, str]:
        """New labels by the old ones. Raises SettingError for what is no pair, and for two of one label."""
        renames: dict[str, str] = {}
        for pair in self.rename or ():
            old, _, new = (part.strip() for part in pair.partition("="))
            if not old or not new:
                raise SettingError("--rename", pair, "OLD=NEW, two labels", "write --rename OLD=NEW")
            if renames.setdefault(old, new) != new:
                shown = Shown(f"{old}={renames[old]} and {old}={new}")
                raise SettingError("--rename", shown, "one new label for each", "leave one of them out")
        return renames


def takes_corpus(argument: str, about: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the argument and the options that make its parameter `corpus: CorpusSource`.

    An option of a format is left out where the command itself has a parameter of that name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = signature(command, eval_str=True).parameters
        shared = list(_shared_options())
        taken = {*own, *(each.name for each in shared)}
        special = [each for each in _format_options() if each.name not in taken]
        path = Annotated[Path, typer.Argument(help=about, exists=True)]
        source = [Parameter(argument, Parameter.KEYWORD_ONLY, annotation=path), *shared, *special]
        parameters: list[Parameter] = []
        for name, each in own.items():
            parameters += source if name == "corpus" else [each.replace(kind=Parameter.KEYWORD_ONLY)]

        @wraps(command)
        def call(**given: Any) -> None:
            found = {each.name: given.pop(each.name) for each in source}
            settings = {each.name: value for each in special if (value := found.pop(each.name)) is not None}
            command(corpus=CorpusSource(found.pop(argument), **found, settings=settings), **given)

        call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return call

    return decorate


def _shared_options() -> Iterator[Parameter]:
    hints = get_type_hints(CorpusSource, include_extras=True)
    for each in fields(CorpusSource):
        if hasattr(hints[each.name], "__metadata__"):
            kind = Parameter.KEYWORD_ONLY
            yield Parameter(each.name, kind, default=each.default, annotation=hints[each.name])


def _format_options() -> Iterator[Parameter]:
    for name, (option, owners) in format_options().items():
        shown = typer.Option(option.flag, help=f"{', '.join(owners)}: {option}")
        annotation = Annotated[option.kind | None, shown]  # type: ignore[name-defined]
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def check_needed(needed: str, given: object, options: Mapping[str, object]) -> None:
    """Raise SettingError for options that were given without the one that they need."""
    for name, value in options.items():
        if given is None and value is not None:
            shown = Shown(f"{value} without {needed}")
            raise SettingError(f"--{name}", shown, "both or neither", f"add {needed}")


def check_regular(path: Path, option: str) -> None:
    """Raise SettingError for a pipe, which can be read once, where an option needs to read twice."""
    if not path.is_file() and not path.is_dir():
        expected = f"a file or a folder, as {option} reads it twice"
        advice = f"save it as a file, or leave out {option} and name the format"
        raise SettingError(str(path), Shown("a pipe"), expected, advice)

"""`spacy bispn convert`: a corpus to a `.spacy` file, with a report of what could not be placed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from itertools import permutations
from pathlib import Path
from typing import Annotated

import srsly
import typer
from spacy.language import Language
from wasabi import msg

from spacy_bispn.cli.convert_counts import Count, count_all, print_counts
from spacy_bispn.cli.corpus_source import CorpusSource, check_needed, check_regular, takes_corpus
from spacy_bispn.cli.docfiles import DocFiles
from spacy_bispn.cli.levels import measure_with, show_levels
from spacy_bispn.cli.recurring import OPTION, Recurring
from spacy_bispn.cli.sources import Documents, held_out, make_tokenizer
from spacy_bispn.converters import Report
from spacy_bispn.corpus import POSITIONS
from spacy_bispn.diagnosis.levels import LevelComparison
from spacy_bispn.files import check_apart, save
from spacy_bispn.records import AnnotatedText, Kind
from spacy_bispn.settings import SettingError, Shown

SHOWN = 5
SHARE = 0.1  # held out


@takes_corpus("source", "Corpus file, or folder of a corpus")
def convert_command(
    corpus: CorpusSource,
    output: Annotated[Path, typer.Argument(help="The .spacy file to write, or a new folder for several")],
    lang: Annotated[str, typer.Option(help="Language code")] = "en",
    punctuation: Annotated[bool, typer.Option(help="Make every punctuation mark its own token")] = False,
    lenient: Annotated[bool, typer.Option(help="Skip and report items that cannot be read")] = False,
    dev: Annotated[Path | None, typer.Option(help="Hold out a random share, written there")] = None,
    test: Annotated[Path | None, typer.Option(help="Hold out another share of this size")] = None,
    share: Annotated[float | None, typer.Option(help="The share of each, 0.1 unless given")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random shares, 0 unless given")] = None,
    drop_recurring: Annotated[
        list[Path] | None,
        typer.Option(
            help="Leave out of OUTPUT what recurs in this .spacy file, or in --dev or --test (repeatable)"
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file for the report")] = None,
) -> None:
    """Convert a corpus to spaCy's binary format, relations included."""
    try:
        places = {"SOURCE": corpus.path, "OUTPUT": output, "--dev": dev, "--test": test, "--report": report}
        check_apart(places)
        apart = {name: path for name in ("--dev", "--test") if (path := places[name]) is not None}
        check_needed("--dev or --test", next(iter(apart), None), {"share": share, "seed": seed})
        check_side_by_side({"OUTPUT": output, **apart})
        nlp = make_tokenizer(lang, punctuation)
        corpus = replace(corpus, lang=lang, lenient=lenient).resolve()
        paths = [*apart.values()]
        recurring = Recurring(nlp, drop_recurring or (), paths)
        documents, parts = Documents(corpus.cuts_documents), dict[int, int]()
        if paths:  # what is held out is chosen by number, so the documents are counted first
            check_regular(corpus.path, next(iter(apart)))
            corpus.read(take=documents.add)
            parts = held_out(documents.count, SHARE if share is None else share, seed or 0, len(paths))
            if recurring.awaited:
                corpus.read(take=lambda text: recurring.learn(text, parts.get(documents.number(text))))
                documents.rewind()
        other = None if punctuation else make_tokenizer(lang, punctuation=True)
        levels = LevelComparison()
        found, files = write_docs(
            corpus,
            (nlp, other),
            [output, *paths],
            recurring,
            lambda text: parts.get(documents.number(text)) if parts else None,
            levels,
        )
    except ValueError as error:
        msg.fail("The corpus cannot be converted", str(error), exits=1)
    problems = [line for made in files for line in made.problems]
    held: Counter[str] = sum((made.held for made in files), Counter())
    gained = Counter[str]()
    for made in files:
        gained.update(made.gained)
    counts = count_all(found, files, recurring.left_out)
    print_report(corpus.path.name, found, files, counts, problems, held, gained)
    if drop_recurring and not recurring.left_out:
        msg.info(f"{OPTION}: no text recurs")
    show_levels(levels, corpus.chosen_level)
    if report is not None:
        content = {
            **found.as_json(),
            "counts": {kind: asdict(one) for kind, one in counts.items()},
            **unplaced(files),
            "cross_window": held["cross_window"],
            "unplaced": problems,
            "punctuation_gains": dict(gained),
            "levels": levels.as_json(),
        }
        save(report, srsly.json_dumps(content, indent=2))


def write_docs(
    corpus: CorpusSource,
    tokenizers: tuple[Language, Language | None],
    paths: Sequence[Path],
    recurring: Recurring,
    part_of: Callable[[AnnotatedText], int | None],
    levels: LevelComparison,
) -> tuple[Report, list[DocFiles]]:
    """Convert a corpus to one output, or to several: the others get what is held out, by its part.

    tokenizers: see `DocFiles`. recurring: what the first output does not get. levels: filled.
    """

    def take(text: AnnotatedText) -> None:
        part = part_of(text)
        if part is not None:
            files[part + 1].add(text)
        elif not recurring.leaves_out(text):
            files[0].add(text)

    with ExitStack() as stack:
        files = [stack.enter_context(DocFiles(tokenizers[0], path, tokenizers[1])) for path in paths]
        conversion = corpus.read(take=take, measure=measure_with(make_tokenizer(corpus.lang), levels))
        for made in files:  # all of them, before the first is put in its place
            made.finish()
        recurring.check(files[0].docs)
    return conversion.report, files


def print_report(
    name: str,
    found: Report,
    files: Sequence[DocFiles],
    counts: dict[Kind, Count],
    problems: Sequence[str],
    held: Counter[str],
    gained: Counter[str],
) -> None:
    """Print what was converted, and a few of the errors and of what could not be placed on tokens."""
    for made in files:
        msg.good(f"{made.docs} texts in {made.path}")
    print_counts(counts)
    msg.info(f"{name}: {found.besides()}")
    named = [f"{text_id}: {what}" for text_id, what in found.problems]
    listed = (found.errors, named, problems)
    for line in (line for lines in listed for line in lines[:SHOWN]):
        msg.warn(line)
    if hidden := sum(max(len(lines) - SHOWN, 0) for lines in listed):
        msg.warn(f"{hidden} more problems: --report FILE lists all of them")
    if not found.entities or not found.relations:
        missing = "an entity" if not found.entities else "a relation"
        msg.warn(
            f"no text has {missing}, expected some in a corpus to train on: check that the export holds the "
            f"annotations, and the format"
        )
    if found.errors:
        msg.warn(f"{len(found.errors)} items could not be read and are missing from the output")
    if problems:
        msg.warn(f"{len(problems)} entities and relations could not be placed on tokens")
    lost = unplaced(files)
    if gained.total() > 0:
        msg.info(
            f"with --punctuation, {lost['unplaced_entities'] - gained['entities']} entities and "
            f"{lost['unplaced_relations'] - gained['relations']} relations would be left out instead of "
            f"{lost['unplaced_entities']} and {lost['unplaced_relations']}: convert again with it"
        )
    if held["cross_window"]:
        msg.warn(
            f"{held['cross_window']} relations join what lies more than {POSITIONS} tokens apart, more than "
            f"the usual encoder reads at once: `spacy bispn debug-data` says what a config loses"
        )


def unplaced(files: Sequence[DocFiles]) -> dict[str, int]:
    """How many entities and relations the tokens cannot hold."""
    lost = Counter[str]()
    for made in files:
        for (kind, _), count in made.lost.items():
            lost[kind] += count
    return {f"unplaced_{kind}": lost[kind] for kind in ("entities", "relations")}


def check_side_by_side(outputs: Mapping[str, Path]) -> None:
    """Raise SettingError where one of some outputs, by the names of their options, lies inside another."""
    for (outer, folder), (inner, path) in permutations(outputs.items(), 2):
        if folder.resolve() in path.resolve().parents:
            shown = Shown(f"{path} and {outer} is {folder}")
            advice = "each is put in its place as a whole, give one of them another name"
            raise SettingError(inner, shown, "two places side by side", advice)

"""`spacy bispn convert`: a corpus to a `.spacy` file, with a report of what could not be placed."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Annotated

import spacy
import srsly
import typer
from wasabi import msg

from ..files import save
from ..records import AnnotatedText
from .docfiles import DocFiles
from .options import (
    AUTO,
    DiscontiguousOption,
    Fold,
    Format,
    LevelOption,
    Negative,
    PairsOption,
    Part,
    Splits,
    Symmetric,
)
from .sources import find_format, held_out, read_source

PUNCTUATION = "spacy-bispn.PunctuationTokenizer.v1"
SHOWN = 5


def convert_command(
    source: Annotated[Path, typer.Argument(help="Corpus file, or folder of a corpus", exists=True)],
    output: Annotated[Path, typer.Argument(help="The .spacy file to write, or a new folder for several")],
    form: Format = AUTO,
    lang: Annotated[str, typer.Option(help="Language code")] = "en",
    punctuation: Annotated[bool, typer.Option(help="Make every punctuation mark its own token")] = False,
    symmetric: Symmetric = None,
    negative: Negative = None,
    lenient: Annotated[bool, typer.Option(help="Skip and report items that cannot be read")] = False,
    level: LevelOption = None,
    pairs: PairsOption = None,
    discontiguous: DiscontiguousOption = None,
    splits: Splits = None,
    fold: Fold = 0,
    part: Part = "train",
    dev: Annotated[Path | None, typer.Option(help="Hold out a random share, written there")] = None,
    share: Annotated[float, typer.Option(help="The share held out")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the random share")] = 0,
    report: Annotated[Path | None, typer.Option(help="JSON file for the report")] = None,
) -> None:
    """Convert a corpus to spaCy's binary format, relations included."""
    config = {"nlp": {"tokenizer": {"@tokenizers": PUNCTUATION}}} if punctuation else {}
    nlp = spacy.blank(lang, config=config)
    try:
        read = partial(
            read_source, source, find_format(source, form), splits, fold, part, symmetric, negative,
            lenient, level=level, pairs=pairs, discontiguous=discontiguous,
        )  # fmt: skip
        # What is held out is chosen by number, so the texts are counted first.
        held = held_out(read(take=ignore).report.texts, share, seed) if dev is not None else frozenset()
        with ExitStack() as stack:
            files = [stack.enter_context(DocFiles(nlp, path)) for path in (output, dev) if path is not None]
            number = count()
            conversion = read(take=lambda text: files[next(number) in held].add(text))
    except ValueError as error:
        msg.fail("The corpus cannot be converted", str(error), exits=1)
    for made in files:
        msg.good(f"{made.docs} texts in {made.path}")
    problems = [line for made in files for line in made.problems]
    found = conversion.report
    msg.info(f"{source.name}: {found}")
    for line in [*found.errors[:SHOWN], *problems[:SHOWN]]:
        msg.warn(line)
    if found.errors:
        msg.warn(f"{len(found.errors)} items could not be read and are missing from the output")
    if problems:
        msg.warn(f"{len(problems)} entities and relations could not be placed on tokens")
    if report is not None:
        save(report, srsly.json_dumps({**found.as_json(), "unplaced": problems}, indent=2))


def ignore(text: AnnotatedText) -> None:
    """Take no text: it is only counted."""

"""`spacy bispn convert`: a corpus to a `.spacy` file, with a report of what could not be placed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import spacy
import srsly
import typer
from spacy.language import Language
from wasabi import msg

from ..converters import FORMATS, Rules
from ..corpora import to_docbin
from ..records import AnnotatedText
from .sources import AUTO, hold_out, read_source

PUNCTUATION = "spacy-bispn.PunctuationTokenizer.v1"
SHOWN = 5


def convert_command(
    source: Annotated[Path, typer.Argument(help="Corpus file, or folder of a corpus", exists=True)],
    output: Annotated[Path, typer.Argument(help="The .spacy file to write")],
    form: Annotated[
        str, typer.Option("--format", "-f", help=f"{AUTO}: by the content; or {', '.join(FORMATS)}")
    ] = AUTO,
    lang: Annotated[str, typer.Option(help="Language code")] = "en",
    punctuation: Annotated[bool, typer.Option(help="Make every punctuation mark its own token")] = False,
    symmetric: Annotated[
        list[str] | None, typer.Option(help="Relation label without a direction (repeatable)")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option(help="Relation label that says there is none (repeatable)")
    ] = None,
    lenient: Annotated[bool, typer.Option(help="Skip and report items that cannot be read")] = False,
    level: Annotated[str | None, typer.Option(help="'sentence' or 'document' of a DyGIE file")] = None,
    splits: Annotated[Path | None, typer.Option(help="Folds of a SpERT file, as JSON")] = None,
    fold: Annotated[int, typer.Option(help="Which fold, counted from 0")] = 0,
    part: Annotated[str, typer.Option(help="'train' or 'test' part of the fold")] = "train",
    dev: Annotated[Path | None, typer.Option(help="Hold out a random share, written here")] = None,
    share: Annotated[float, typer.Option(help="The share held out")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the random share")] = 0,
    report: Annotated[Path | None, typer.Option(help="JSON file for the report")] = None,
) -> None:
    """Convert a corpus to spaCy's binary format, relations included."""
    # Only what was asked for: a format has negative labels of its own.
    rules = Rules()
    if symmetric:
        rules["symmetric"] = tuple(symmetric)
    if negative:
        rules["negative"] = tuple(negative)
    if lenient:
        rules["lenient"] = True
    try:
        conversion = read_source(source, form, splits, fold, part, level, **rules)
        texts = conversion.texts
        held: list[AnnotatedText] = []
        if dev is not None:
            texts, held = hold_out(texts, share, seed)
    except ValueError as error:
        msg.fail("The corpus cannot be converted", str(error), exits=1)
    config = {"nlp": {"tokenizer": {"@tokenizers": PUNCTUATION}}} if punctuation else {}
    nlp = spacy.blank(lang, config=config)
    problems = write(nlp, texts, output)
    if dev is not None:
        problems += write(nlp, held, dev)
    found = conversion.report
    msg.info(f"{source.name}: {found}")
    for line in [*found.errors[:SHOWN], *problems[:SHOWN]]:
        msg.warn(line)
    if found.errors:
        msg.warn(f"{len(found.errors)} items could not be read and are missing from the output")
    if problems:
        msg.warn(f"{len(problems)} entities and relations could not be placed on tokens")
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(report, {**found.as_json(), "unplaced": problems})


def write(nlp: Language, texts: list[AnnotatedText], path: Path) -> list[str]:
    """Write one `.spacy` file; returns what could not be placed."""
    docbin, problems = to_docbin(nlp, texts)
    path.parent.mkdir(parents=True, exist_ok=True)
    docbin.to_disk(path)
    msg.good(f"{len(docbin)} texts in {path}")
    return problems

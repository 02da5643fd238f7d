"""`spacy bispn convert`: a corpus to a `.spacy` file, with a report of what could not be placed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import spacy
import srsly
import typer
from spacy.language import Language
from wasabi import msg

from ..converters import FORMATS
from ..corpora import to_docbin
from ..records import AnnotatedText
from .sources import hold_out, read_source

PUNCTUATION = "spacy-bispn.PunctuationTokenizer.v1"
SHOWN = 5


def convert_command(
    source: Annotated[Path, typer.Argument(help="Corpus file", exists=True, dir_okay=False)],
    output: Annotated[Path, typer.Argument(help="The .spacy file to write")],
    form: Annotated[str, typer.Option("--format", "-f", help=f"One of {', '.join(FORMATS)}")] = "jsonl",
    lang: Annotated[str, typer.Option(help="Language code")] = "en",
    punctuation: Annotated[bool, typer.Option(help="Make every punctuation mark its own token")] = False,
    splits: Annotated[Path | None, typer.Option(help="Folds of a SpERT file, as JSON")] = None,
    fold: Annotated[int, typer.Option(help="Which fold, counted from 0")] = 0,
    part: Annotated[str, typer.Option(help="'train' or 'test' part of the fold")] = "train",
    dev: Annotated[Path | None, typer.Option(help="Hold out a random share, written here")] = None,
    share: Annotated[float, typer.Option(help="The share held out")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the random share")] = 0,
    report: Annotated[Path | None, typer.Option(help="JSON file for the report")] = None,
) -> None:
    """Convert a corpus to spaCy's binary format, relations included."""
    try:
        conversion = read_source(source, form, splits, fold, part)
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
    msg.info(f"{source.name}: {conversion.report}")
    described = [f"{text}: {what}" for text, what in conversion.report.problems]
    for line in problems[:SHOWN]:
        msg.warn(line)
    if problems:
        msg.warn(f"{len(problems)} entities and relations could not be placed on tokens")
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        counts = {key: value for key, value in vars(conversion.report).items() if key != "problems"}
        srsly.write_json(report, {**counts, "source": described, "unplaced": problems})


def write(nlp: Language, texts: list[AnnotatedText], path: Path) -> list[str]:
    """Write one `.spacy` file; returns what could not be placed."""
    docbin, problems = to_docbin(nlp, texts)
    path.parent.mkdir(parents=True, exist_ok=True)
    docbin.to_disk(path)
    msg.good(f"{len(docbin)} texts in {path}")
    return problems

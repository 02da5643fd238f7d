"""`spacy bispn convert`: a corpus to a `.spacy` file, with a report of what could not be placed."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import srsly
import typer
from wasabi import msg

from ..converters import Report
from ..corpora import POSITIONS
from ..files import check_apart, save
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
from .sources import (
    SENTENCES,
    Documents,
    check_needed,
    check_regular,
    find_format,
    held_out,
    make_tokenizer,
    read_source,
)

SHOWN = 5
SHARE = 0.1  # held out


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
    fold: Fold = None,
    part: Part = None,
    dev: Annotated[Path | None, typer.Option(help="Hold out a random share, written there")] = None,
    share: Annotated[float | None, typer.Option(help="The share held out, 0.1 unless given")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random share, 0 unless given")] = None,
    report: Annotated[Path | None, typer.Option(help="JSON file for the report")] = None,
) -> None:
    """Convert a corpus to spaCy's binary format, relations included."""
    try:
        check_apart({"SOURCE": source, "OUTPUT": output, "--dev": dev, "--report": report})
        check_needed("--splits", splits, fold=fold, part=part)
        check_needed("--dev", dev, share=share, seed=seed)
        if dev is not None:
            check_side_by_side(output, dev)
        nlp = make_tokenizer(lang, punctuation)
        form = find_format(source, form)
        by_sentences = level == "sentence" and form not in SENTENCES
        read = partial(
            read_source, source, form, splits, fold, part or "train", symmetric,
            negative, lenient, level=level, lang=lang, pairs=pairs, discontiguous=discontiguous,
        )  # fmt: skip
        apart: frozenset[int] = frozenset()
        if dev is not None:  # what is held out is chosen by number, so the documents are counted first
            check_regular(source, "--dev")
            documents = Documents(by_sentences)
            read(take=documents.number)
            apart = held_out(documents.count, SHARE if share is None else share, seed or 0)
        with ExitStack() as stack:
            files = [stack.enter_context(DocFiles(nlp, path)) for path in (output, dev) if path is not None]
            number = Documents(by_sentences).number
            conversion = read(take=lambda text: files[number(text) in apart].add(text))
            for made in files:  # all of them, before the first is put in its place
                made.finish()
    except ValueError as error:
        msg.fail("The corpus cannot be converted", str(error), exits=1)
    for made in files:
        msg.good(f"{made.docs} texts in {made.path}")
    problems = [line for made in files for line in made.problems]
    held: Counter[str] = sum((made.held for made in files), Counter())
    found = conversion.report
    msg.info(f"{source.name}: {found}")
    for line in [*found.errors[:SHOWN], *problems[:SHOWN]]:
        msg.warn(line)
    if found.errors:
        msg.warn(f"{len(found.errors)} items could not be read and are missing from the output")
    if problems:
        msg.warn(f"{len(problems)} entities and relations could not be placed on tokens")
    if held["cross_window"]:
        msg.warn(
            f"{held['cross_window']} relations join what lies more than {POSITIONS} tokens apart, more than "
            f"the usual encoder reads at once: `spacy bispn debug-data` says what a config loses"
        )
    if report is not None:
        said = {**found.as_json(), **left_out(found, held), "unplaced": problems}
        save(report, srsly.json_dumps(said, indent=2))


def left_out(found: Report, held: Counter[str]) -> dict[str, int]:
    """How much of what was found the Docs do not hold, and what no usual window will."""
    return {
        "unplaced_entities": found.entities - held["entities"],
        "unplaced_relations": found.relations - held["relations"],
        "cross_window": held["cross_window"],
    }


def check_side_by_side(output: Path, dev: Path) -> None:
    """Raise ValueError where one of two outputs lies inside the other."""
    one, other = output.resolve(), dev.resolve()
    if one in other.parents or other in one.parents:
        raise ValueError(
            f"--dev is {dev} and OUTPUT is {output}, expected two places side by side: each is put in its "
            f"place as a whole, give one of them another name."
        )

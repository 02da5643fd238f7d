"""`spacy bispn evaluate`: scores by the conventions of the field, and what kinds of errors there are."""

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from wasabi import msg

from .. import annotations
from ..bootstrap import intervals
from ..conventions import CONVENTIONS, Judged, get_convention, score
from ..converters import jsonl, read_json
from ..converters.biorelex import to_official
from ..errors import entity_errors, relation_errors
from ..files import check_apart, save
from ..records import AnnotatedText
from ..scoring import ANY, coherence, coherence_parts
from .options import (
    AUTO,
    GPU,
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
from .page import mistakes, render_page
from .sources import (
    DOCS,
    check_needed,
    check_options,
    find_format,
    predict_docs,
    predict_texts,
    read_source,
    symmetric_labels,
)
from .tables import ERROR_HEADER, SCORE_HEADER, error_rows, examples_in_words, html_table, score_rows

DEFAULT = ("strict", "boundaries")
ON_PAGE = 100  # texts: a page of thousands is slow to open and nobody reads it


def evaluate_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    data: Annotated[Path, typer.Argument(help="Gold: .spacy files, or a corpus", exists=True)],
    form: Format = AUTO,
    symmetric: Symmetric = None,
    negative: Negative = None,
    level: LevelOption = None,
    pairs: PairsOption = None,
    discontiguous: DiscontiguousOption = None,
    splits: Splits = None,
    fold: Fold = None,
    part: Part = None,
    convention: Annotated[
        list[str] | None,
        typer.Option("--convention", "-c", help=f"May be repeated: {', '.join(CONVENTIONS)}"),
    ] = None,
    samples: Annotated[int, typer.Option(help="How many samples the intervals rest on", min=1)] = 1000,
    output: Annotated[Path | None, typer.Option(help="JSON file for the report")] = None,
    page: Annotated[Path | None, typer.Option(help="HTML file for the report, gold beside predicted")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Predictions as JSON Lines; of biorelex in its official format")
    ] = None,
    gpu_id: GPU = -1,
) -> None:
    """Predict texts from their words alone, score them and sort the errors."""
    setup_gpu(gpu_id, silent=True)
    chosen = list(dict.fromkeys(convention or DEFAULT))
    try:
        check_apart({"DATA": data, "--output": output, "--page": page, "--predictions": predictions})
        for name in chosen:
            get_convention(name)
        check_needed("--splits", splits, fold=fold, part=part)
        form = find_format(data, form)
        conversion = None
        if form == DOCS:
            check_options(
                form, negative=negative, splits=splits, level=level, pairs=pairs, discontiguous=discontiguous
            )
        if form == "biorelex" and level == "sentence":
            raise ValueError(
                "--level sentence was given with the format 'biorelex', whose clusters are those of whole "
                "texts, expected --level document: leave out --level."
            )
        nlp = load_model(model)
        if form != DOCS:
            conversion = read_source(
                data, form, splits, fold, part or "test", symmetric, negative,
                level=level, lang=nlp.lang, pairs=pairs, discontiguous=discontiguous,
            )  # fmt: skip
    except ValueError as error:
        msg.fail("The texts cannot be evaluated", str(error), exits=1)
    if conversion is None:
        examples = predict_docs(nlp, data)
        texts = [
            Judged(
                AnnotatedText(str(number), example.reference.text, annotations.read(example.reference)),
                annotations.read(example.predicted),
                annotations.has_entities(example.reference),
                annotations.has_relations(example.reference),
            )
            for number, example in enumerate(examples)
        ]
    else:
        examples = predict_texts(nlp, conversion.texts)
        official = read_json(data)[1] if form == "biorelex" else [None] * len(examples)
        texts = [
            Judged(text, annotations.read(example.predicted), official=sentence)
            for text, example, sentence in zip(conversion.texts, examples, official, strict=True)
        ]
    declared = (symmetric or ()) if conversion is None else conversion.symmetric
    undirected = tuple(dict.fromkeys((*declared, *symmetric_labels(nlp))))
    try:
        report = make_report(texts, chosen, undirected, samples)
    except ValueError as error:
        msg.fail("The texts cannot be evaluated", str(error), exits=1)
    title = f"{nlp.meta['name']}: {data.name}"
    show(report, title)
    if output is not None:
        save(output, srsly.json_dumps(report, indent=2))
    if predictions is not None:
        write_predictions(predictions, texts, form)
    if page is not None:
        right = [mistakes(example, undirected) == 0 for example in examples]
        first = sorted(range(len(examples)), key=right.__getitem__)[:ON_PAGE]
        shown, names = [examples[number] for number in first], [texts[number].gold.id for number in first]
        html = render_page(shown, title, undirected, as_html(report), names)
        save(page, html)


def make_report(
    texts: list[Judged], conventions: list[str], symmetric: tuple[str, ...], samples: int
) -> dict[str, Any]:
    """Everything that is said of the predictions, as plain values.

    `scores` by convention (see conventions.py), `coherence` (see scoring.py) and its 95 % interval, `errors`
    of entities and of relations (see errors.py), the number of `texts` and the `symmetric` labels.
    Raises ValueError where there are no texts, or a convention lacks something.
    """
    if not texts:
        raise ValueError("found no texts, expected at least one: check the file and how it was converted.")
    entities = [(text.gold, text.predicted) for text in texts if text.entities_annotated]
    relations = [(text.gold, text.predicted) for text in texts if text.relations_annotated]
    share = coherence(text.predicted for text in texts)
    parts = [{ANY: coherence_parts(text.predicted)} for text in texts]
    coherent, _ = intervals(parts, by_label=False, samples=samples)
    return {
        "texts": len(texts),
        "symmetric": list(symmetric),
        "scores": {name: score(name, texts, symmetric, samples) for name in conventions},
        "coherence": share,
        "coherence_interval": None if share is None else list(coherent),
        "errors": {
            "entities": entity_errors(entities),
            "relations": relation_errors(relations, symmetric),
        },
    }


def show(report: dict[str, Any], title: str) -> None:
    """Print a report."""
    msg.divider(title)
    aligns = ("l", "l", "l", *"rrrrrr")
    msg.table(score_rows(report["scores"]), header=SCORE_HEADER, divider=True, aligns=aligns, max_col=50)
    msg.text(in_words(report))
    aligns = ("l", "l", "r")
    msg.table(error_rows(report["errors"]), header=ERROR_HEADER, divider=True, aligns=aligns)
    for line in examples_in_words(report["errors"], each=1):
        msg.text(line)


def in_words(report: dict[str, Any]) -> str:
    """How many texts there are, and the coherence of the predictions."""
    said = "no relation is predicted"
    if report["coherence"] is not None:
        share, low, high = (100 * part for part in (report["coherence"], *report["coherence_interval"]))
        said = f"{share:.1f} % ({low:.1f}–{high:.1f}) of the predicted relations join two predicted entities"
    return f"{report['texts']} texts. Coherence: {said}."


def as_html(report: dict[str, Any]) -> str:
    """The tables of a report, and all of its examples."""
    tables = (
        html_table(SCORE_HEADER, score_rows(report["scores"])),
        html_table((), [(in_words(report),)]),
        html_table(ERROR_HEADER, error_rows(report["errors"])),
        html_table((), [(line,) for line in examples_in_words(report["errors"])]),
    )
    shown = f"<p>Below stand at most {ON_PAGE} of {report['texts']} texts, those with errors first.</p>"
    return "".join(tables) + shown


def write_predictions(path: Path, texts: list[Judged], form: str) -> None:
    """All predictions, in the format that the official script of BioRelEx reads, or in our own."""
    if form == "biorelex":
        official = to_official((x.gold.id, x.gold.text, x.predicted) for x in texts)
        save(path, srsly.json_dumps(official, indent=2))
    else:
        jsonl.write(path, (AnnotatedText(x.gold.id, x.gold.text, x.predicted, x.gold.words) for x in texts))

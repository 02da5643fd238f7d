"""`spacy bispn published`: predictions and scores by the conventions of a corpus's publishers."""

import json
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.util import load_model
from wasabi import msg

from .. import annotations
from ..converters.biorelex import SYMMETRIC, official_scores, to_official
from ..converters.spert import strict_macro
from ..corpora import unlabelled
from ..records import AnnotatedText, Extraction
from ..scoring import score_extractions
from .sources import read_source


def published_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    gold: Annotated[Path, typer.Argument(help="Corpus file as published", exists=True, dir_okay=False)],
    form: Annotated[str, typer.Option("--format", "-f", help="biorelex or spert")] = "biorelex",
    splits: Annotated[Path | None, typer.Option(help="Folds of a SpERT file, as JSON")] = None,
    fold: Annotated[int, typer.Option(help="Which fold, counted from 0")] = 0,
    part: Annotated[str, typer.Option(help="'train' or 'test' part of the fold")] = "test",
    output: Annotated[Path | None, typer.Option(help="JSON file for the scores")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Predictions in BioRelEx's official format")
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Predict a corpus file from its raw text and score it as its publishers do."""
    setup_gpu(gpu_id, silent=True)
    try:
        texts = read_source(gold, form, splits, fold, part).texts
    except ValueError as error:
        msg.fail("The corpus cannot be read", str(error), exits=1)
    nlp = load_model(model)
    docs = nlp.pipe(unlabelled(nlp, text) for text in texts)
    found = [annotations.read(doc) for doc in docs]
    if form == "biorelex":
        official = to_official([(x.id, x.text, y) for x, y in zip(texts, found, strict=True)])
        scores = biorelex_scores(json.loads(gold.read_text("utf8")), official, texts, found)
        if predictions is not None:
            predictions.parent.mkdir(parents=True, exist_ok=True)
            srsly.write_json(predictions, official)
    else:
        pairs = [(text.extraction, extraction) for text, extraction in zip(texts, found, strict=True)]
        scores = {**strict_macro(pairs), **score_extractions(pairs)}
    shown = {key: f"{100 * value:.1f}" for key, value in scores.items() if isinstance(value, float)}
    msg.table(shown, title=f"{gold.name}, as published")
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(output, scores)


def biorelex_scores(
    gold: list[dict[str, Any]],
    official: list[dict[str, Any]],
    texts: list[AnnotatedText],
    found: list[Extraction],
) -> dict[str, Any]:
    """The official scores under `official_*`, and the strict ones of every mention pair."""
    pairs = [(text.extraction, extraction) for text, extraction in zip(texts, found, strict=True)]
    scores = {f"official_{key}": value for key, value in official_scores(gold, official).items()}
    return scores | score_extractions(pairs, SYMMETRIC)

"""`spacy bispn evaluate`: scores by the conventions of the field, and what kinds of errors there are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model
from wasabi import msg

from spacy_bispn import annotations
from spacy_bispn.cli.corpus_source import CorpusSource, takes_corpus
from spacy_bispn.cli.html_report import PageSource, write_page
from spacy_bispn.cli.sources import (
    DOCS,
    GOLD,
    GPU,
    PREDICTED,
    find_sentences,
    predict_docs,
    predict_texts,
    take_gold,
)
from spacy_bispn.cli.tables import (
    CALIBRATION_HEADER,
    ERROR_HEADER,
    SCORE_HEADER,
    calibration_rows,
    error_rows,
    examples_in_words,
    report_in_words,
    score_rows,
    unknown_in_words,
)
from spacy_bispn.converters import Conversion, read_json
from spacy_bispn.converters.cutting import edges
from spacy_bispn.converters.formats.biorelex import write_biorelex
from spacy_bispn.converters.formats.jsonl import write_jsonl
from spacy_bispn.corpus_reader import last_bispn, unfilled_group
from spacy_bispn.doc_utils import text_id
from spacy_bispn.evaluation.bootstrap import intervals
from spacy_bispn.evaluation.confidence import ScoredItems, calibration_scores, precision_recall
from spacy_bispn.evaluation.conventions import Judged, convention_names, get_convention, score
from spacy_bispn.evaluation.distances import score_distances
from spacy_bispn.evaluation.error_analysis import entity_errors, relation_errors
from spacy_bispn.evaluation.scorer import symmetric_labels
from spacy_bispn.evaluation.scoring import ANY, coherence, schema_counts
from spacy_bispn.files import check_apart, save
from spacy_bispn.model.score_settings import KINDS, lowered
from spacy_bispn.records import AnnotatedText
from spacy_bispn.settings import SettingError

DEFAULT = ("strict", "boundaries")


@takes_corpus("data", "Gold: .spacy files, or a corpus")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    corpus: CorpusSource,
    convention: Annotated[
        list[str] | None,
        typer.Option("--convention", "-c", help=f"May be repeated: {', '.join(convention_names())}"),
    ] = None,
    samples: Annotated[int, typer.Option(help="How many samples the intervals rest on", min=1)] = 1000,
    entities: Annotated[
        str, typer.Option(help="predicted, or gold: relations between gold entities are found")
    ] = PREDICTED,
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
        check_apart({"DATA": corpus.path, "--output": output, "--page": page, "--predictions": predictions})
        for name in chosen:
            get_convention(name)
        if entities not in (PREDICTED, GOLD):
            raise SettingError("--entities", entities, f"{PREDICTED!r} or {GOLD!r}", "choose one of these")
        corpus = corpus.resolve()
        if corpus.format == "biorelex" and corpus.cuts_documents:
            expected = "document for the format 'biorelex', whose clusters are those of whole texts"
            raise SettingError("--level", corpus.level, expected, "leave out --level")
        nlp = load_model(model)
        if entities == GOLD:
            take_gold(nlp)
        conversion = None if corpus.format == DOCS else read_gold(corpus, nlp.lang)
    except ValueError as error:
        msg.fail("The texts cannot be evaluated", str(error), exits=1)

    def judge() -> list[Judged]:
        if conversion is None:
            return judge_docs(predict_docs(nlp, corpus.path, entities))
        return judge_texts(predict_texts(nlp, conversion.texts, entities), conversion, corpus)

    texts = judge()
    declared = (corpus.symmetric or ()) if conversion is None else conversion.symmetric
    undirected = tuple(dict.fromkeys((*declared, *symmetric_labels(nlp))))
    try:
        report = make_report(texts, chosen, undirected, samples)
    except ValueError as error:
        msg.fail("The texts cannot be evaluated", str(error), exits=1)
    if page is not None and (pipe := last_bispn(nlp)) is not None:
        report["precision_recall"] = curves(pipe, judge, texts, undirected)
    source = PageSource.of(nlp, model, corpus.path, len(texts), chosen, undirected)
    if entities == GOLD or unfilled_group(nlp) is not None:
        source = replace(source, title=f"{source.title}, gold entities given")
    print_report(report, source.title)
    if output is not None:
        save(output, srsly.json_dumps(report, indent=2))
    if predictions is not None:
        write = write_biorelex if corpus.format == "biorelex" else write_jsonl
        write(predictions, [replace(text.gold, extraction=text.predicted.closed()) for text in texts])
    if page is not None:
        write_page(page, source, texts, report)


def read_gold(corpus: CorpusSource, lang: str) -> Conversion:
    """The texts of a corpus; of a fold, the test part unless another was asked for."""
    usual = {"part": "test"} if "splits" in corpus.settings else {}
    return replace(corpus, lang=lang, settings={**usual, **corpus.settings}).read(held_out=True)


def judge_docs(examples: Sequence[Example]) -> list[Judged]:
    """Gold Docs, by their ids or else numbered from 0, beside what was predicted for them."""
    return [
        Judged(
            AnnotatedText(
                text_id(example.reference) or str(number),
                example.reference.text,
                annotations.read(example.reference),
            ),
            annotations.read(example.predicted),
            annotations.has_entities(example.reference),
            annotations.has_relations(example.reference),
            edges=edges_of(example.reference),
        )
        for number, example in enumerate(examples)
    ]


def judge_texts(examples: Sequence[Example], conversion: Conversion, corpus: CorpusSource) -> list[Judged]:
    """Texts of a corpus beside what was predicted for them; of BioRelEx with their clusters."""
    official = read_json(corpus.path)[1] if corpus.format == "biorelex" else [None] * len(examples)
    return [
        Judged(
            text,
            annotations.read(example.predicted),
            official=sentence,
            edges=edges_of(example.reference),
        )
        for text, example, sentence in zip(conversion.texts, examples, official, strict=True)
    ]


def edges_of(gold: Doc) -> tuple[int, ...]:
    """Where the sentences of a gold Doc begin and it ends; none of them begins inside of an entity."""
    text = AnnotatedText("", gold.text, annotations.read(gold))
    return tuple(edges(text, find_sentences(gold)))


def make_report(
    texts: list[Judged], conventions: list[str], symmetric: tuple[str, ...], samples: int
) -> dict[str, Any]:
    """Everything that is said of the predictions, as plain values.

    `scores` by convention (see conventions.py), those of relations also by `distances` (see distances.py),
    `coherence` and `raw_coherence` (see scoring.py) with their
    95 % intervals (None if unknown), `schema` (see scoring.py, None without one), `calibration` of the scores
    (see confidence.py), `errors` of entities and of relations (see error_analysis.py), the number of `texts`
    and the `symmetric` labels.
    Raises ValueError where there are no texts, or a convention lacks something.
    """
    if not texts:
        raise ValueError("found no texts, expected at least one: check the file and how it was converted.")
    entities = [(text.gold, text.predicted) for text in texts if text.entities_annotated]
    relations = [(text.gold, text.predicted) for text in texts if text.relations_annotated]
    predicted = [text.predicted for text in texts]
    scores = {name: score(name, texts, symmetric, samples) for name in conventions}
    for name, parts in scores.items():
        if found := parts.get("relations"):
            found["distances"] = score_distances(name, texts, symmetric, samples)
    return {
        "texts": len(texts),
        "symmetric": list(symmetric),
        "scores": scores,
        **share("coherence", [found.coherence_parts() for found in predicted], samples),
        **share("raw_coherence", [found.joined or (0, 0) for found in predicted], samples),
        "schema": schema_counts(predicted),
        "calibration": {
            kind: calibration_scores(ScoredItems.of(texts, kind, symmetric), samples) for kind in KINDS
        },
        "errors": {
            "entities": entity_errors(entities),
            "relations": relation_errors(relations, symmetric),
        },
    }


def curves(
    pipe: Any, judge: Callable[[], list[Judged]], texts: Sequence[Judged], symmetric: tuple[str, ...]
) -> dict[str, Any]:
    """The precision-recall curves, see `precision_recall`, as one threshold moves and others stay.

    judge: predicts the texts again, with what the component `pipe` is then set to.
    """
    found = {}
    for kind in KINDS:
        with lowered(pipe, kind):
            candidates = ScoredItems.of(judge(), kind, symmetric)
        found[kind] = precision_recall(candidates, ScoredItems.of(texts, kind, symmetric))
    return found


def share(name: str, parts: Sequence[tuple[int, int]], samples: int) -> dict[str, Any]:
    """A coherence and its 95 % interval; None where no text has a relation, an interval also if unknown."""
    interval, _ = intervals([{ANY: one} for one in parts], by_label=False, samples=samples)
    return {name: coherence(parts), f"{name}_interval": interval and list(interval)}


def print_report(report: dict[str, Any], title: str) -> None:
    """Print a report."""
    msg.divider(title)
    aligns = ("l", "l", "l", *"rrrrrr")
    rows = score_rows(report["scores"])
    msg.table(rows, header=SCORE_HEADER, divider=True, aligns=aligns, max_col=50)
    if unknown := unknown_in_words(rows):
        msg.text(unknown)
    msg.text(report_in_words(report))
    if rows := calibration_rows(report["calibration"]):
        msg.table(rows, header=CALIBRATION_HEADER, divider=True, aligns=("l", *"rrrrr"))
    aligns = ("l", "l", "r")
    msg.table(error_rows(report["errors"]), header=ERROR_HEADER, divider=True, aligns=aligns)
    for line in examples_in_words(report["errors"], each=1):
        msg.text(line)

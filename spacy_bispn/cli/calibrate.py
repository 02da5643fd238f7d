"""`spacy bispn calibrate`: scores become probabilities, thresholds are chosen for what one wants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.util import load_model
from wasabi import msg

from spacy_bispn.cli.docfiles import check_free
from spacy_bispn.cli.evaluate import judge_docs
from spacy_bispn.cli.sources import DOCS, GPU, predict_docs
from spacy_bispn.cli.tables import decimal, percent
from spacy_bispn.corpus_reader import last_bispn
from spacy_bispn.evaluation.confidence import ScoredItems, calibration_scores
from spacy_bispn.evaluation.conventions import Judged, score
from spacy_bispn.evaluation.scorer import symmetric_labels
from spacy_bispn.model.score_settings import KINDS
from spacy_bispn.settings import SettingError

if TYPE_CHECKING:
    from spacy_bispn.training.calibration import KindReport

HEADER = ("Of", "Calibrated", "Threshold", "P", "R", "F", "ECE", "Brier")


def calibrate_command(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    data: Annotated[Path, typer.Argument(help="Development texts with gold: .spacy files", exists=True)],
    output: Annotated[
        Path | None, typer.Argument(help="Folder for the pipeline; without it MODEL is changed")
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Least precision that thresholds are chosen for")
    ] = None,
    recall: Annotated[float | None, typer.Option(help="Least recall that thresholds are chosen for")] = None,
    kind: Annotated[
        str | None, typer.Option(help="entities or relations: the target is for these alone")
    ] = None,
    gpu_id: GPU = -1,
) -> None:
    """Make scores the probabilities of being right, and choose thresholds: for the best F1, or a target."""
    from spacy_bispn.training.calibration import calibrate, check_target  # scipy is slow to import

    setup_gpu(gpu_id, silent=True)
    try:
        target = check_target(precision, recall)
        kinds = check_kind(kind, target)
        check_output(model, output)
        nlp = load_model(model)
        pipe = last_bispn(nlp)
        if pipe is None:
            names = ", ".join(nlp.pipe_names) or "none"
            raise SettingError(
                "MODEL", model, f"a pipeline with a component bispn, not only {names}", "train one"
            )
        symmetric = symmetric_labels(nlp)

        def predict() -> list[Judged]:
            return judge_docs(predict_docs(nlp, data))

        before = quality(predict(), pipe, "before", symmetric)
        reports = calibrate(pipe, predict, symmetric, {name: target for name in kinds if target})
        after = quality(predict(), pipe, "after", symmetric)
    except ValueError as error:
        msg.fail("The pipeline cannot be calibrated", str(error), exits=1)
    msg.divider(f"{nlp.meta['name']} on {data.name}")
    rows = [row for pair in zip(before, after, strict=True) for row in pair]
    msg.table(rows, header=HEADER, divider=True, aligns=("l", "l", *"rrrrrr"))
    for report in reports:
        for line in in_words(report, target if report.kind in kinds else None):
            msg.text(line)
    save(nlp, pipe, model, output)


def check_kind(kind: str | None, target: Any) -> list[str]:
    """The kinds that a target is for. Raises SettingError for an unknown one, and without a target."""
    if kind is None:
        return list(KINDS)
    if kind not in KINDS:
        raise SettingError("--kind", kind, " or ".join(KINDS), "leave it out for both")
    if target is None:
        advice = "add one, or leave out --kind"
        raise SettingError("--kind", kind, "--precision or --recall beside it", advice)
    return [kind]


def check_output(model: str, output: Path | None) -> None:
    """Raise SettingError unless the pipeline can be written where it is to be."""
    if output is None and not Path(model).is_dir():
        expected = "a folder, as an installed package is not changed"
        raise SettingError("MODEL", model, expected, "name a folder for the output after the data")
    if output is not None and output.absolute() != Path(model).absolute():
        check_free(output)


def quality(
    texts: Sequence[Judged], pipe: Any, when: str, symmetric: tuple[str, ...]
) -> list[tuple[str, ...]]:
    """For each kind a row of the table: threshold, strict scores, ECE and Brier score."""
    if not texts:
        raise ValueError(f"found no texts, expected some with gold: check that the {DOCS} file is not empty.")
    scores = score("strict", texts, symmetric, samples=1)
    rows = []
    for kind, (common, _) in KINDS.items():
        found = scores[kind] or {}
        confidence = calibration_scores(ScoredItems.of(texts, kind, symmetric), samples=1) or {}
        row = (kind, when, decimal(pipe.cfg[common]), *(percent(found.get(ratio)) for ratio in "prf"))
        rows.append((*row, *(decimal(confidence.get(name)) for name in ("ece", "brier"))))
    return rows


def in_words(report: KindReport, target: Any) -> Iterator[str]:
    """What was fitted to the candidates of a kind, and to which labels it was not; a line each."""
    counted = f"{report.candidates} candidates, {report.correct} of them correct, {report.gold} gold"
    if report.reason:
        yield f"{report.kind}: not calibrated, {report.reason}; scores are as the network gives them."
    else:
        wanted = f"a {target.name} of {target.value}" if target else "the best F1"
        yield f"{report.kind}: calibrated on {counted}; one threshold, {report.threshold:.3f}, for {wanted}."
    own = (f"{label} {threshold:.3f}" for label, threshold in report.thresholds.items())
    best = (f"{label} at most {value:.3f}" for label, value in report.unreached.items())
    unknown = (f"{label} ({count})" for label, count in report.unknown.items())
    for words, labels in (
        ("thresholds of their own, as they would miss the target", own),
        ("scales of their own", report.scales),
        ("too few items for a scale of their own", report.few_to_scale),
        ("miss the target with too few items for a threshold of their own", report.few),
        ("cannot reach the target", best),
        ("gold labels that the component does not know, counted as missed", unknown),
    ):
        if listed := ", ".join(labels):
            yield f"{report.kind}, {words}: {listed}."


def save(nlp: Language, pipe: Any, model: str, output: Path | None) -> None:
    """Write the pipeline, or only its component where the pipeline is the one that was read."""
    if output is None or output.absolute() == Path(model).absolute():
        pipe.to_disk(Path(model) / pipe.name, exclude=["vocab"])
        msg.good(f"Calibrated: {model}")
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        nlp.to_disk(output)
        msg.good(f"Calibrated: {output}")

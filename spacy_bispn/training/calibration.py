"""Scores that are probabilities: scales and thresholds, fitted on development texts.

Scores are scaled as Platt (1999) does: two numbers, fitted by maximum likelihood to whether gold has what was
predicted. Everything is fitted to candidates, predictions with very low thresholds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from spacy_bispn.evaluation.confidence import Cuts, ScoredItems, cuts
from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.model.score_settings import (
    EDGE,
    IDENTITY,
    KINDS,
    SHARED,
    Configurable,
    Scale,
    lowered,
    uncalibrated,
)
from spacy_bispn.settings import PROBABILITY, SettingError, Shown

LEAST = 20  # correct and wrong candidates for a scale; predictions for a precision, gold items for a recall
ADVICE = "or limit it to the other kind with --kind"
Predict = Callable[[], Sequence[Judged]]


class Target(NamedTuple):
    """What thresholds are chosen for: a `precision` or a `recall` of at least `value`."""

    name: str
    value: float


@dataclass
class KindReport:
    """What was fitted to the candidates of a kind.

    candidates, correct, gold: how many there are. unknown: gold items with labels that the component lacks.
    reason: why the kind was not calibrated; what follows is then empty.
    threshold: the one of all labels. thresholds: of labels that would miss the target with it.
    scales: the labels with a scale of their own. few_to_scale: those with too few items to try it.
    few: labels that miss the target, and have too few items for a threshold of their own.
    unreached: for labels that cannot reach the target, the best that they can.
    """

    kind: str
    candidates: int
    correct: int
    gold: int
    unknown: Counter[str]
    reason: str = ""
    threshold: float | None = None
    thresholds: dict[str, float] = field(default_factory=dict)
    scales: list[str] = field(default_factory=list)
    few_to_scale: list[str] = field(default_factory=list)
    few: list[str] = field(default_factory=list)
    unreached: dict[str, float] = field(default_factory=dict)


def calibrate(
    pipe: Configurable,
    predict: Predict,
    symmetric: Collection[str] = (),
    targets: Mapping[str, Target] | None = None,
) -> list[KindReport]:
    """Fit the scales and thresholds of a component, which has them then in its settings.

    predict: gives development texts with what the component predicts for them with its present settings.
    symmetric: relation labels without a direction.
    targets: for "entities", "relations" or both what their thresholds are for; otherwise for the best F1.

    Raises SettingError for a target that cannot be reached, ValueError if there are too few candidates of
    both kinds; the component is then as it was.
    """
    before = pipe.cfg
    pipe.cfg = uncalibrated(pipe)
    try:
        # relations are chosen among the entities that are then emitted
        reports = [
            _calibrate_kind(pipe, kind, predict, symmetric, (targets or {}).get(kind)) for kind in KINDS
        ]
        if all(report.reason for report in reports):
            reasons = "; ".join(f"{report.kind}: {report.reason}" for report in reports)
            raise ValueError(f"nothing can be calibrated. {reasons}. Use more development texts.")
    except Exception:
        pipe.cfg = before
        raise
    return reports


def _calibrate_kind(
    pipe: Configurable, kind: str, predict: Predict, symmetric: Collection[str], target: Target | None
) -> KindReport:
    fitted = pipe.cfg["calibration"] or {}
    with lowered(pipe, kind):
        pipe.cfg |= {"calibration": fitted | {kind: {SHARED: list(IDENTITY)}}}
        items = ScoredItems.of(predict(), kind, symmetric)
    known = pipe.cfg[{"entities": "entity_labels", "relations": "relation_labels"}[kind]]
    unknown = Counter({label: count for label, count in items.gold.items() if label not in known})
    correct = int(items.correct.sum())
    report = KindReport(kind, len(items), correct, items.gold.total(), unknown)
    if not enough(items):
        found = f"{correct} correct and {len(items) - correct} wrong candidates"
        report.reason = f"has {found}, expected at least {LEAST} of each"
        if not items.size:
            report.reason = f"has no text that is annotated with {kind}, expected some"
        if target:
            shown = Shown(f"{target.value} of {kind}")
            expected = f"a target for a kind that can be calibrated; it {report.reason}"
            raise SettingError(f"--{target.name}", shown, expected, f"use more development texts, {ADVICE}")
        return report
    scales = fit_scales(items)
    scaled = scale_items(items, scales)
    report.scales = [label for label in scales if label != SHARED]
    if len(_labels(items)) > 1:
        report.few_to_scale = sorted(_labels(items) - _labels_to_scale(items))
    _choose_thresholds(report, scaled, target)
    common, single = KINDS[kind]
    pipe.cfg = pipe.cfg | {
        "calibration": fitted | {kind: {label: list(scale) for label, scale in scales.items()}},
        common: report.threshold,
        single: report.thresholds,
    }
    return report


def enough(items: ScoredItems) -> bool:
    """Whether a scale can be fitted to the items."""
    correct = items.correct.sum()
    return bool(min(correct, len(items) - correct) >= LEAST)


def fit_scale(items: ScoredItems) -> Scale:
    """The Platt scaling under which the items are likeliest. Its slope is above 0: the order stays."""
    right = items.correct.sum()
    wrong = len(items) - right
    # Platt's targets: a score that separates the items perfectly would otherwise have an infinite slope
    wanted = np.where(items.correct, (right + 1) / (right + 2), 1 / (wrong + 2))
    odds = _log_odds(items)

    def loss(scale: Any) -> tuple[float, Any]:
        """The negative log-likelihood and its gradient."""
        scaled = scale[0] * odds + scale[1]
        error = expit(scaled) - wanted
        return float(np.logaddexp(0, scaled).sum() - wanted @ scaled), np.array([error @ odds, error.sum()])

    found = minimize(loss, IDENTITY, jac=True, method="L-BFGS-B", bounds=[(0.01, 100), (-100, 100)])
    return Scale(*map(float, found.x))


def fit_scales(items: ScoredItems) -> dict[str, Scale]:
    """The scale of all labels, under `SHARED`, and those of labels that do better with their own.

    Which do is measured on texts held out from the fit: each half of the texts is scored with what was fitted
    to the other half.
    """
    scales = {SHARED: fit_scale(items)}
    even, odd = _halves(items)
    for label in sorted(_labels_to_scale(items)) if len(_labels(items)) > 1 else ():
        gain = sum(
            _log_loss(held_out.labelled(label), fit_scale(fitted))
            - _log_loss(held_out.labelled(label), fit_scale(fitted.labelled(label)))
            for fitted, held_out in ((even, odd), (odd, even))
        )
        if gain > 0:
            scales[label] = fit_scale(items.labelled(label))
    return scales


def _halves(items: ScoredItems) -> tuple[ScoredItems, ScoredItems]:
    return items.where(items.texts % 2 == 0), items.where(items.texts % 2 == 1)


def _labels(items: ScoredItems) -> set[str]:
    return set(items.labels.tolist())


def _labels_to_scale(items: ScoredItems) -> set[str]:
    """The labels of which a scale can be fitted to either half of the texts."""
    return {label for label in _labels(items) if all(enough(half.labelled(label)) for half in _halves(items))}


def scale_items(items: ScoredItems, scales: Mapping[str, Scale]) -> ScoredItems:
    """The items with calibrated scores."""
    chosen = [scales.get(label, scales[SHARED]) for label in items.labels.tolist()]
    scores = [scale(score) for scale, score in zip(chosen, items.scores.tolist(), strict=True)]
    return ScoredItems(np.array(scores), items.correct, items.labels, items.texts, items.gold, items.size)


def _log_odds(items: ScoredItems) -> Any:
    return logit(np.clip(items.scores, EDGE, 1 - EDGE))


def _log_loss(items: ScoredItems, scale: Scale) -> float:
    scaled = scale.slope * _log_odds(items) + scale.shift
    return float(np.logaddexp(0, scaled).sum() - scaled[items.correct].sum())


def _choose_thresholds(report: KindReport, items: ScoredItems, target: Target | None) -> None:
    """One threshold for all labels; for a target also those of labels that would miss it.

    For the best F1 of all labels together one threshold is best, as scores are probabilities.
    Raises SettingError if all labels together cannot reach the target.
    """
    found = cuts(items)
    if target is None:
        report.threshold = float(found.thresholds[found.f1.argmax()])
        return
    report.threshold, best = _reach(found, target)
    if report.threshold is None:
        expected = f"at most {best:.3f}, which {report.kind} can reach on these texts"
        raise SettingError(f"--{target.name}", target.value, expected, f"choose a lower one, {ADVICE}")
    for label in sorted(_labels(items) | items.gold.keys()):
        one = items.labelled(label)
        above = one.where(one.scores >= report.threshold)
        whole = len(above) if target.name == "precision" else one.gold.total()
        if not whole or above.correct.sum() / whole >= target.value:
            continue
        if (one.gold.total() if target.name == "recall" else len(one)) < LEAST:
            report.few.append(label)
            continue
        own, best = _reach(cuts(one), target)
        if own is None:
            report.unreached[label] = best
        else:
            report.thresholds[label] = own


def _reach(found: Cuts, target: Target) -> tuple[float | None, float]:
    """The threshold with which most is right among those that reach a target, and the best that any reaches.

    A precision counts from `LEAST` predictions on.
    """
    reached, counts = found.recall, found.predicted > 0
    if target.name == "precision":
        reached, counts = found.precision, found.predicted >= LEAST
    best = float(reached[counts].max(initial=0.0))
    there = np.flatnonzero(counts & (reached >= target.value))
    if not len(there):
        return None, best
    return float(found.thresholds[there[-1 if target.name == "precision" else 0]]), best


def check_target(precision: float | None, recall: float | None) -> Target | None:
    """What was asked for. Raises SettingError for two targets, and for what is no probability."""
    both = {"precision": precision, "recall": recall}
    given = [Target(name, value) for name, value in both.items() if value is not None]
    for name, value in given:
        if not PROBABILITY.permit(value) or not value:
            raise SettingError(f"--{name}", value, "a number above 0, at most 1", "0.9 is usual")
    if len(given) > 1:
        shown = Shown(f"{precision} beside --recall {recall}")
        raise SettingError("--precision", shown, "one of the two", "leave one of them out")
    return given[0] if given else None

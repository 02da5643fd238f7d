"""From probabilities to scores: Platt scaling, and the least score of each label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import exp, isfinite, log
from typing import Any, NamedTuple, Protocol

from spacy.util import logger

from spacy_bispn.records import Entity, Relation
from spacy_bispn.settings import PROBABILITY, SettingError

EDGE = 1e-6  # the logarithm of the odds of 0 and 1 is infinite
FLOOR = 0.01  # candidates with a lower score are nearly always wrong, and many
SHARED = ""  # the key of labels without a scale of their own; no label is empty
IDENTITY = (1.0, 0.0)
# kind to its settings: the threshold of all labels, those of single ones
KINDS = {
    "entities": ("type_threshold", "entity_thresholds"),
    "relations": ("relation_threshold", "relation_thresholds"),
}
CALIBRATION = "what `spacy bispn calibrate` writes"
Scales = dict[str, list[float]]  # label, or `SHARED`, to slope and shift


class Configurable(Protocol):
    """A component, as far as its settings of decoding are replaced."""

    name: str
    cfg: dict[str, Any]
    configured: dict[str, Any]


class Scale(NamedTuple):
    """Platt scaling: the logarithm of the odds times `slope`, which is above 0, plus `shift`."""

    slope: float
    shift: float

    def __call__(self, probability: float) -> float:
        """The calibrated probability."""
        return _probability(self.slope * _log_odds(probability) + self.shift)

    def inverse(self, score: float) -> float:
        """The least probability whose calibrated one is at least `score`."""
        if score in (0, 1):
            return score
        found = _probability((_log_odds(score) - self.shift) / self.slope)
        return found if found > EDGE else 0.0


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, EDGE), 1 - EDGE)
    return log(clipped / (1 - clipped))


def _probability(log_odds: float) -> float:
    return 1 / (1 + exp(-log_odds)) if log_odds > -700 else 0.0  # exp overflows


@dataclass(frozen=True)
class ScoreSettings:
    """How entities, or relations, are scored, and which scores are high enough.

    threshold: of all labels without one of their own. None: the label must be likelier than null.
    thresholds: of single labels.
    scales: of single labels, and under `SHARED` that of all others; empty where nothing is calibrated.
    """

    threshold: float | None
    thresholds: Mapping[str, float]
    scales: Mapping[str, Scale]

    @property
    def floor(self) -> float | None:
        """The least probability of a label that can become a score high enough; None without a threshold."""
        if self.threshold is None:
            return None
        if not self.scales:
            return min(self.threshold, *self.thresholds.values(), 1.0)
        labels = {SHARED, *self.thresholds, *self.scales}
        return min(self._scale(x).inverse(self.thresholds.get(x, self.threshold)) for x in labels)

    def scaled(self, label: str, probability: float) -> float:
        """The calibrated probability, where scores are calibrated."""
        return self._scale(label)(probability) if self.scales else probability

    def reaches(self, label: str, score: float) -> bool:
        """Whether a score is high enough for its label."""
        return score >= (self.thresholds.get(label, self.threshold) or 0.0)

    def rescored(self, relation: Relation[Entity]) -> Relation[Entity] | None:
        """A relation whose score is the probability of its label, with its score, None where it is too low.

        A calibrated score says how often relation and ends are right.
        """
        score = relation.score
        if self.scales:
            score = self.scaled(relation.label, score * relation.head.score * relation.tail.score)
        return replace(relation, score=score) if self.reaches(relation.label, score) else None

    def _scale(self, label: str) -> Scale:
        return self.scales.get(label, self.scales[SHARED])


def score_settings(kind: str, settings: Mapping[str, Any]) -> ScoreSettings:
    """Those of a kind, of the settings of decoding. Raises SettingError for what they cannot be."""
    common, single = KINDS[kind]
    threshold, thresholds = settings[common], settings[single]
    if not isinstance(thresholds, Mapping) or not all(
        isinstance(label, str) and PROBABILITY.permit(x) for label, x in thresholds.items()
    ):
        expected = "a number (0 to 1) for each of some labels"
        raise SettingError(single, thresholds, expected, "the default is {}, no label")
    if thresholds and threshold is None:
        expected = f"no label beside {common} = null"
        raise SettingError(single, thresholds, expected, f"give {common} a number")
    calibration = settings["calibration"]
    try:
        scales = {x: Scale(*map(float, y)) for x, y in (calibration or {}).get(kind, {}).items()}
        possible = all(x.slope > 0 and isfinite(x.slope) and isfinite(x.shift) for x in scales.values())
        possible = possible and set(calibration or {}) <= set(KINDS) and (not scales or SHARED in scales)
    except (AttributeError, TypeError, ValueError):
        possible = False
    if not possible:
        advice = "run `spacy bispn calibrate`, or set it to null"
        raise SettingError("calibration", calibration, f"{CALIBRATION}, or null", advice)
    return ScoreSettings(threshold, thresholds, scales)


def uncalibrated(pipe: Configurable) -> dict[str, Any]:
    """The settings of a component without its calibration, and so with the thresholds of its config."""
    if pipe.cfg["calibration"] is None:
        return pipe.cfg
    thresholds = (name for both in KINDS.values() for name in both)
    return pipe.cfg | {name: pipe.configured[name] for name in thresholds} | {"calibration": None}


def forget_calibration(pipe: Configurable) -> None:
    """Remove the calibration of a component that is about to learn, with a warning."""
    if pipe.cfg["calibration"] is not None:
        pipe.cfg = uncalibrated(pipe)
        logger.warning(
            "[%s] learns and is not calibrated any more; thresholds are those of its config. Run "
            "`spacy bispn calibrate` after the training.", pipe.name,
        )  # fmt: skip


@contextmanager
def lowered(pipe: Configurable, kind: str) -> Iterator[None]:
    """A component that predicts all candidates of a kind, those whose score is at least `FLOOR`."""
    common, single = KINDS[kind]
    before = pipe.cfg
    pipe.cfg = before | {common: FLOOR, single: {}}
    try:
        yield
    finally:
        pipe.cfg = before

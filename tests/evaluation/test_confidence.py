"""Scores as probabilities: calibration errors and curves, against slow loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scored import Row, items

from spacy_bispn.evaluation.confidence import ScoredItems, calibration_scores, cuts, precision_recall
from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.records import AnnotatedText, Entity, Extraction, Relation

rows = st.lists(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.55, 0.9, 0.99]), st.booleans()), max_size=6),
    min_size=1, max_size=6,
)  # fmt: skip


def test_items_are_correct_under_the_convention_strict() -> None:
    one, other = Entity(0, 3, "P"), Entity(4, 7, "P")
    gold = Extraction((one, other), (Relation(one, other, "BINDS"),))
    turned = Relation(other, one, "BINDS", 0.3)
    predicted = Extraction(
        (replace(one, score=0.8), Entity(4, 7, "Q", 0.6)), (turned, Relation(one, other, "BINDS", 0.7))
    )
    texts = [Judged(AnnotatedText("x", "", gold), predicted)]
    entities = ScoredItems.of(texts, "entities", ())
    assert (entities.scores.tolist(), entities.correct.tolist()) == ([0.6, 0.8], [False, True])
    assert (entities.labels.tolist(), dict(entities.gold), entities.size) == (["Q", "P"], {"P": 2}, 1)
    found = ScoredItems.of(texts, "relations", ())
    assert (found.scores.tolist(), found.correct.tolist()) == ([0.3, 0.7], [False, True])
    found = ScoredItems.of(texts, "relations", ("BINDS",))
    assert (found.scores.tolist(), found.correct.tolist()) == ([0.7], [True]), "of equal ones the best"
    unknown = [replace(texts[0], relations_annotated=False)]
    assert ScoredItems.of(unknown, "relations", ()).size == len(ScoredItems.of(unknown, "relations", ())) == 0


@given(texts=rows, missed=st.integers(0, 3))
def test_cuts_are_what_a_loop_counts(texts: list[list[Row]], missed: int) -> None:
    found = cuts(items(texts, missed))
    flat = [row for text in texts for row in text]
    gold = sum(right for _, right in flat) + missed * len(texts)
    assert len(found.thresholds) == len({score for score, _ in flat})
    assert found.thresholds.tolist() == sorted(found.thresholds, reverse=True)
    for number, threshold in enumerate(found.thresholds):
        above = [right for score, right in flat if score >= threshold]
        assert found.predicted[number] == len(above) > 0
        assert found.precision[number] == pytest.approx(sum(above) / len(above))
        assert found.recall[number] == pytest.approx(sum(above) / max(gold, 1))
        assert found.f1[number] == pytest.approx(2 * sum(above) / (len(above) + max(gold, 1)))


@given(texts=rows)
def test_calibration_is_what_a_loop_computes(texts: list[list[Row]]) -> None:
    found = calibration_scores(items(texts), samples=3)
    flat = [row for text in texts for row in text]
    if not flat:
        assert found is None
        return
    assert found is not None
    ece = 0.0
    for low in range(10):
        inside = [(score, right) for score, right in flat if low <= score * 10 < low + 1]
        if inside:
            ece += abs(sum(score for score, _ in inside) - sum(right for _, right in inside)) / len(flat)
    brier = sum((score - right) ** 2 for score, right in flat) / len(flat)
    assert (found["ece"], found["brier"]) == (pytest.approx(ece), pytest.approx(brier))
    assert found["items"] == len(flat) == sum(x["items"] for x in found["bins"])
    known = sum(map(bool, texts)) > 1
    for name in ("ece", "brier"):
        interval = found[f"{name}_interval"]
        assert (interval is not None) == known
        assert interval is None or interval[0] <= found[name] <= interval[1]


def test_intervals_contain_what_other_samples_score() -> None:
    random = np.random.default_rng(0)

    def sample() -> ScoredItems:
        scores = random.uniform(0.2, 1, size=(40, 5))
        return items([[(float(x), bool(random.random() < x - 0.15)) for x in text] for text in scores])

    found = calibration_scores(sample(), samples=200)
    assert found is not None
    others = [calibration_scores(sample(), samples=1) for _ in range(50)]
    low, high = found["brier_interval"]
    assert sum(low <= x["brier"] <= high for x in others if x) > 35


def test_what_has_no_scores_has_no_calibration() -> None:
    assert calibration_scores(items([[(1.0, True), (1.0, False)]])) is None
    assert calibration_scores(items([[]])) is None


def test_a_curve_has_points_thresholds_and_the_present_one() -> None:
    candidates = items([[(0.95, True), (0.55, False)], [(0.35, True), (0.05, False)]], missed=1)
    found = precision_recall(candidates, candidates.where(candidates.scores > 0.5))
    assert found is not None
    assert [x["r"] for x in found["points"]] == [0.25, 0.25, 0.5, 0.5]
    assert [x["p"] for x in found["points"]] == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    ratios = {x["threshold"]: (x["p"], x["r"]) for x in found["thresholds"]}
    assert ratios[0.9] == (1.0, 0.25) and ratios[0.3] == (pytest.approx(2 / 3), 0.5) and len(ratios) == 9
    assert found["now"] == {"p": 0.5, "r": 0.25, "f": pytest.approx(1 / 3)}
    many = items([[(x / 1000, x % 3 == 0) for x in range(1000)]])
    curve = precision_recall(many, many)
    assert curve is not None and len(curve["points"]) == 200 and curve["points"][-1]["r"] == 1.0
    assert precision_recall(items([[(0.5, False)]]), items([[]])) is None, "no gold"
    assert precision_recall(items([[]], missed=1), items([[]])) is None, "no candidates"

"""Scores that are calibrated, and thresholds of single labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_decoding import LABELS, logits, said, spoken

from spacy_bispn.model.decoding import Decoding
from spacy_bispn.model.score_settings import EDGE, Scale
from spacy_bispn.nn.shapes import Spans
from spacy_bispn.settings import SettingError

inside = st.floats(0.001, 0.999)
HALVED = [1.0, -2.0]
ALL = {"type_threshold": 0.0, "relation_threshold": 0.0}
BOTH = {"entities": {"": HALVED}, "relations": {"": HALVED}}


def halved(probability: float) -> float:
    return Scale(*HALVED)(probability)


@given(slope=st.floats(0.05, 5), shift=st.floats(-3, 3), one=inside, other=inside)
def test_a_scale_keeps_the_order_and_has_an_inverse(
    slope: float, shift: float, one: float, other: float
) -> None:
    scale = Scale(slope, shift)
    low, high = sorted((one, other))
    assert 0 <= scale(low) <= scale(high) <= 1
    if EDGE < scale.inverse(one) < 1 - EDGE:
        assert scale(scale.inverse(one)) == pytest.approx(one)
    assert scale.inverse(0.0) == 0.0 and scale.inverse(1.0) == 1.0


@given(x=st.floats(0, 1))
def test_the_identity_changes_nothing(x: float) -> None:
    assert Scale(1.0, 0.0)(x) == pytest.approx(x, abs=2 * EDGE)


@given(
    threshold=inside, own=inside, slope=st.floats(0.05, 5), shift=st.floats(-3, 3), probability=inside,
    label=st.sampled_from(["GENE", "CELL"]),
)  # fmt: skip
def test_no_query_is_pruned_whose_score_is_high_enough(
    threshold: float, own: float, slope: float, shift: float, probability: float, label: str
) -> None:
    decoding = Decoding(
        type_threshold=threshold, entity_thresholds={"GENE": own},
        calibration={"entities": {"": [1.0, 0.5], "GENE": [slope, shift]}},
    )  # fmt: skip
    found = decoding.entities
    floor = decoding.floors[0]
    assert floor is not None
    if found.reaches(label, found.scaled(label, probability)):
        assert probability >= floor - 1e-9
    uncalibrated = replace(decoding, calibration=None)
    assert uncalibrated.floors == (min(threshold, own), Decoding().relation_threshold)


def test_without_a_threshold_queries_are_pruned_by_null() -> None:
    decoding = Decoding(type_threshold=None, relation_threshold=None, calibration=BOTH)
    assert decoding.floors == (None, None)


def test_scores_are_calibrated() -> None:
    found = said(spoken(), calibration=BOTH, **ALL)
    (entity,), (relation,) = found.entities, found.relations
    raw = 0.98 * 0.99
    assert entity.score == pytest.approx(halved(raw), rel=1e-4)
    # a relation is right only if both of its ends are
    assert relation.score == pytest.approx(halved(0.98 * halved(raw) ** 2), rel=1e-4)
    found = said(spoken(), calibration={"relations": {"": HALVED}}, **ALL)
    assert found.entities[0].score == pytest.approx(raw)
    assert found.relations[0].score == pytest.approx(halved(0.98 * raw**2), rel=1e-4)


def test_a_label_may_have_a_scale_of_its_own() -> None:
    for label, expected in (("GENE", 0.98 * 0.99), ("CELL", halved(0.98 * 0.99))):
        own = {"entities": {"": HALVED, label: [1.0, 0.0]}, "relations": {"": [1.0, 0.0]}}
        (entity,) = said(spoken(), calibration=own).entities
        assert entity.label == "GENE"
        assert entity.score == pytest.approx(expected, rel=1e-4)


def test_thresholds_are_compared_with_calibrated_scores() -> None:
    found = said(spoken(), calibration=BOTH, **ALL)
    scores = {"type_threshold": found.entities[0].score, "relation_threshold": found.relations[0].score}
    assert scores["relation_threshold"] < scores["type_threshold"] < 0.9 < 0.98 * 0.99
    for setting, score in scores.items():
        for threshold, emitted in ((score, 1), (score + 1e-6, 0)):
            found = said(spoken(), calibration=BOTH, **ALL | {setting: threshold})
            kinds = {"type_threshold": found.entities, "relation_threshold": found.relations}
            assert len(kinds.pop(setting)) == emitted
            assert [len(x) for x in kinds.values()] == [1]


@pytest.mark.parametrize(("label", "emitted"), [("GENE", 0), ("CELL", 1)])
def test_a_label_may_have_a_threshold_of_its_own(label: str, emitted: int) -> None:
    weak = Spans(logits(0.99, 0.01), logits(0.99, 0.01), logits(0.1, 0.7, 0.2))
    found = said(spoken(weak), entity_thresholds={label: 0.8})
    assert (len(found.entities), len(found.relations)) == (emitted, 1)
    found = said(spoken(weak), type_threshold=0.8, entity_thresholds={label: 0.6})
    assert len(found.entities) == 1 - emitted
    named = {"GENE": "INHIBITS", "CELL": "BINDS"}
    found = said(spoken(relation=logits(0.1, 0.2, 0.7)), relation_thresholds={named[label]: 0.8})
    assert (len(found.entities), len(found.relations)) == (1, emitted)
    assert "GENE" in LABELS.entity and "INHIBITS" in LABELS.relation


ADVICE = "run `spacy bispn calibrate`, or set it to null"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"entity_thresholds": {"GENE": 1.5}}, ["entity_thresholds is {'GENE'", "(0 to 1) for each", "{}"]),
        ({"relation_thresholds": {"B": "0.5"}}, ["relation_thresholds is", "a number (0 to 1)", "default"]),
        ({"entity_thresholds": {"GENE": float("nan")}}, ["is {'GENE': nan}", "a number (0 to 1)", "default"]),
        ({"entity_thresholds": [0.5]}, ["entity_thresholds is [0.5]", "for each of some labels", "default"]),
        ({"entity_thresholds": {3: 0.5}}, ["entity_thresholds is {3: 0.5}", "of some labels", "default"]),
        (
            {"type_threshold": None, "entity_thresholds": {"GENE": 0.5}},
            ["entity_thresholds is", "no label beside type_threshold = null", "give type_threshold a number"],
        ),
        ({"calibration": {"entities": {"": [0.0, 1.0]}}}, ["calibration is", "`spacy bispn", ADVICE]),
        ({"calibration": {"entities": {"": [1.0]}}}, ["calibration is", "`spacy bispn", ADVICE]),
        ({"calibration": {"entities": {"GENE": [1.0, 0.0]}}}, ["calibration is", "`spacy bispn", ADVICE]),
        ({"calibration": {"relations": {"": [float("inf"), 0]}}}, ["calibration is", "`spacy bispn", ADVICE]),
        ({"calibration": {"words": {"": [1.0, 0.0]}}}, ["calibration is", "`spacy bispn", ADVICE]),
        ({"calibration": {"entities": 3}}, ["calibration is", "`spacy bispn", ADVICE]),
        ({"calibration": "yes"}, ["calibration is 'yes'", "`spacy bispn", ADVICE]),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SettingError) as error:
        Decoding(**settings)
    assert all(word in str(error.value) for word in words), str(error.value)

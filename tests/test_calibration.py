"""Scales and thresholds fitted to candidates, and components that have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import spacy
from kept import KEPT
from pipelines import demo_texts, initialize, make_examples, make_nlp, pipe_of, tiny
from scipy.special import expit
from scored import items
from spacy.language import Language

from spacy_bispn.cli.evaluate import judge_docs
from spacy_bispn.corpus_reader import predict_examples
from spacy_bispn.evaluation.confidence import ScoredItems, calibration_scores, cuts
from spacy_bispn.evaluation.conventions import Judged
from spacy_bispn.model.score_settings import FLOOR, SHARED, Scale
from spacy_bispn.records import AnnotatedText, Extraction
from spacy_bispn.settings import SettingError
from spacy_bispn.training import calibration
from spacy_bispn.training.calibration import (
    LEAST,
    KindReport,
    Target,
    calibrate,
    check_target,
    fit_scale,
    fit_scales,
    scale_items,
)

# Fitting


def drawn(scale: Scale, size: int = 3000, label: str = "A", seed: int = 0) -> ScoredItems:
    """Candidates whose scores become the probability of being right through a scale."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0.01, 0.99, size)
    correct = random.uniform(size=size) < [scale(x) for x in scores]
    texts = np.arange(size) // 5
    labels = np.array([label] * size)
    return ScoredItems(scores, correct, labels, texts, Counter({label: int(correct.sum())}), texts.max() + 1)


def joined(*parts: ScoredItems) -> ScoredItems:
    arrays = (
        np.concatenate([getattr(x, name) for x in parts]) for name in ("scores", "correct", "labels", "texts")
    )
    return ScoredItems(*arrays, sum((x.gold for x in parts), Counter()), max(x.size for x in parts))


@pytest.mark.parametrize("scale", [Scale(1.0, 0.0), Scale(0.5, -1.0), Scale(2.0, 1.0), Scale(1.5, -3.0)])
def test_the_scale_that_made_the_scores_is_found(scale: Scale) -> None:
    found = fit_scale(drawn(scale))
    assert found.slope == pytest.approx(scale.slope, abs=0.2)
    assert found.shift == pytest.approx(scale.shift, abs=0.2)


def test_other_texts_are_better_calibrated() -> None:
    scale = Scale(0.6, -1.0)
    scales = {SHARED: fit_scale(drawn(scale))}
    other = drawn(scale, seed=1)
    before, after = calibration_scores(other, 1), calibration_scores(scale_items(other, scales), 1)
    assert before is not None and after is not None
    assert after["ece"] < 0.03 < 0.15 < before["ece"] and after["brier"] < before["brier"]


def test_scores_that_separate_perfectly_have_a_finite_scale() -> None:
    found = fit_scale(items([[(0.9, True), (0.1, False)]] * 30))
    assert 0.9 < found(0.9) < 1 and 0 < found(0.1) < 0.1


def test_scores_that_mean_nothing_keep_their_order() -> None:
    found = fit_scale(items([[(0.1, True), (0.9, False)]] * 30))
    assert found.slope > 0 and 0.4 < found(0.1) <= found(0.9) < 0.6


def test_a_label_gets_its_own_scale_where_that_does_better_on_held_out_texts() -> None:
    usual, other = Scale(1.0, 0.0), Scale(1.0, -3.0)
    both = joined(drawn(usual), drawn(other, 600, "B", seed=1))
    found = fit_scales(both)
    assert found["B"].shift == pytest.approx(-3.0, abs=0.5)
    few = joined(drawn(usual), drawn(other, LEAST, "B", seed=1))
    assert "B" not in fit_scales(few), "too few items to tell"
    assert fit_scales(drawn(usual)).keys() == {SHARED}, "one label needs no other scale"


# Thresholds


def chosen(found: ScoredItems, target: Target | None = None) -> KindReport:
    report = KindReport("entities", len(found), 0, 0, Counter())
    calibration._choose_thresholds(report, found, target)
    return report


def at(found: ScoredItems, report: KindReport, label: str | None = None) -> tuple[float, float]:
    """Precision and recall with the thresholds of a report."""
    found = found if label is None else found.labelled(label)
    least = [report.thresholds.get(x, report.threshold) for x in found.labels.tolist()]
    above = found.where(found.scores >= np.array(least, float))
    right = above.correct.sum()
    return right / len(above), right / found.gold.total()


MIXED = joined(
    drawn(Scale(1.0, 0.0)), drawn(Scale(1.0, -1.5), 900, "B", 1), drawn(Scale(1.0, 0.0), 12, "C", 2)
)


def test_the_best_f1_is_that_of_one_threshold() -> None:
    report = chosen(MIXED)
    best = max(
        2 * MIXED.correct[MIXED.scores >= x].sum() / ((MIXED.scores >= x).sum() + MIXED.gold.total())
        for x in MIXED.scores
    )
    precision, recall = at(MIXED, report)
    assert 2 * precision * recall / (precision + recall) == pytest.approx(best)
    assert report.thresholds == {}


@pytest.mark.parametrize("value", [0.6, 0.75, 0.9])
def test_a_precision_is_reached_by_all_labels_and_by_each(value: float) -> None:
    report = chosen(MIXED, Target("precision", value))
    assert at(MIXED, report)[0] >= value
    assert at(MIXED, report, "A")[0] >= value and at(MIXED, report, "B")[0] >= value
    lower = replace(report, threshold=report.threshold - 0.05, thresholds={})  # type: ignore[operator]
    assert at(MIXED, lower)[0] < value, "and the recall is as high as it can be"
    assert report.thresholds.keys() == {"B"}


@pytest.mark.parametrize("value", [0.5, 0.8, 0.95])
def test_a_recall_is_reached_by_all_labels_and_by_each(value: float) -> None:
    report = chosen(MIXED, Target("recall", value))
    assert at(MIXED, report)[1] >= value
    assert at(MIXED, report, "A")[1] >= value and at(MIXED, report, "B")[1] >= value


def test_labels_that_cannot_reach_a_target_are_named_with_what_they_can() -> None:
    never = replace(drawn(Scale(1.0, -9.0), 100, "N", 3), gold=Counter({"N": 40}))
    report = chosen(joined(MIXED, never), Target("recall", 0.5))
    assert report.unreached == {"N": never.correct.sum() / 40}
    report = chosen(
        joined(drawn(Scale(1.0, 0.0)), drawn(Scale(0.1, -1), 200, "N", 3)), Target("precision", 0.8)
    )
    assert 0.2 < report.unreached["N"] < 0.8 and report.thresholds == {}


def test_labels_with_too_few_items_are_named() -> None:
    few = items([[(0.95, False)] * 3])
    few = ScoredItems(few.scores, few.correct, np.array(["F"] * 3), few.texts, Counter({"F": 2}), few.size)
    assert chosen(joined(drawn(Scale(1.0, 0.0)), few), Target("precision", 0.8)).few == ["F"]
    assert chosen(joined(drawn(Scale(1.0, 0.0)), few), Target("recall", 0.8)).few == ["F"]


@pytest.mark.parametrize(
    ("target", "best"),
    [(Target("recall", 0.9), "0.500"), (Target("precision", 0.99), "0.")],
)  # fmt: skip
def test_a_target_that_nothing_reaches_is_an_error(target: Target, best: str) -> None:
    found = drawn(Scale(0.5, 0.0))
    found = replace(found, gold=Counter({"A": 2 * int(found.correct.sum())}))
    with pytest.raises(SettingError) as error:
        chosen(found, target)
    for words in (
        f"--{target.name} is {target.value}, expected at most {best}",
        "entities can reach",
        "--kind",
    ):
        assert words in str(error.value)


def test_a_precision_counts_from_some_predictions_on() -> None:
    best = [(0.99, True)] * (LEAST - 1)
    with pytest.raises(SettingError, match=r"expected at most 0\.388"):
        chosen(items([[*best, *[(0.5, False)] * 30]]), Target("precision", 1.0))
    assert chosen(items([[*best, (0.98, True), *[(0.5, False)] * 30]]), Target("precision", 1.0)).threshold


@pytest.mark.parametrize(
    ("precision", "recall", "words"),
    [
        (0.0, None, ["--precision is 0.0", "above 0, at most 1", "0.9 is usual"]),
        (None, 1.5, ["--recall is 1.5", "above 0, at most 1", "0.9 is usual"]),
        (float("nan"), None, ["--precision is nan", "above 0, at most 1", "0.9 is usual"]),
        (0.5, 0.5, ["--precision is 0.5 beside --recall 0.5", "one of the two", "leave one of them out"]),
    ],
)
def test_targets_that_make_no_sense(precision: float | None, recall: float | None, words: list[str]) -> None:
    with pytest.raises(SettingError) as error:
        check_target(precision, recall)
    assert all(x in str(error.value) for x in words)
    assert check_target(None, None) is None and check_target(None, 1.0) == Target("recall", 1.0)


# Components


def dev_texts() -> list[AnnotatedText]:
    """Texts that the kept model knows, of which gold has lost some relations, and others."""
    known = demo_texts(40)[:4] * 13
    unrelated = [replace(x, extraction=Extraction(x.extraction.entities)) for x in known[:24]]
    return [*unrelated, *known[24:], *demo_texts(40)[4:]]


@pytest.fixture
def nlp() -> Iterator[Language]:
    """A small trained pipeline of an earlier version."""
    yield spacy.load(KEPT / "0.1.0" / "model")


def predict(nlp: Language, texts: list[AnnotatedText] | None = None) -> list[Judged]:
    return judge_docs(predict_examples(nlp, make_examples(nlp, texts or dev_texts())))


def test_a_component_is_calibrated_and_saved(nlp: Language, tmp_path: Path) -> None:
    pipe = pipe_of(nlp)
    assert pipe.cfg["calibration"] is None and pipe.cfg["entity_thresholds"] == {}, "as saved before"
    texts = predict(nlp)
    before = {
        kind: calibration_scores(ScoredItems.of(texts, kind, ()), 1) for kind in ("entities", "relations")
    }
    entities, relations = calibrate(pipe, lambda: predict(nlp))
    assert not entities.reason and not relations.reason
    assert relations.unknown.keys() == {"CAUSES", "INHIBITS", "TREATS"} and not entities.unknown
    assert pipe.cfg["type_threshold"] == entities.threshold
    assert pipe.cfg["relation_threshold"] == relations.threshold
    texts = predict(nlp)
    for kind, then in before.items():
        found = ScoredItems.of(texts, kind, ())
        now = calibration_scores(found, 1)
        assert now is not None and then is not None and now["ece"] < then["ece"] and now["ece"] < 0.1
        assert found.scores.min() >= {"entities": entities, "relations": relations}[kind].threshold
    nlp.to_disk(tmp_path / "m")
    again = spacy.load(tmp_path / "m")
    assert pipe_of(again).cfg == pipe.cfg
    assert [x.predicted for x in predict(again)] == [x.predicted for x in texts]


def test_the_threshold_has_the_best_f1_of_all(nlp: Language) -> None:
    pipe = pipe_of(nlp)
    calibrate(pipe, lambda: predict(nlp))

    def f1(kind: str) -> float:
        found = ScoredItems.of(predict(nlp), kind, ())
        right = found.correct.sum()
        return float(2 * right / (len(found) + found.gold.total()))

    for kind, setting in (("entities", "type_threshold"), ("relations", "relation_threshold")):
        best = f1(kind)
        kept = pipe.cfg
        for threshold in (0.1, 0.9):
            pipe.cfg = kept | {setting: threshold}
            assert f1(kind) <= best + 1e-9
        pipe.cfg = kept


def test_calibrating_again_changes_nothing(nlp: Language) -> None:
    pipe = pipe_of(nlp)
    calibrate(pipe, lambda: predict(nlp))
    first = pipe.cfg
    calibrate(pipe, lambda: predict(nlp))
    assert pipe.cfg == first


def test_a_target_is_for_its_kind(nlp: Language) -> None:
    pipe = pipe_of(nlp)
    calibrate(pipe, lambda: predict(nlp))
    before = pipe.cfg
    calibrate(pipe, lambda: predict(nlp), (), {"relations": Target("recall", 0.2)})
    found = ScoredItems.of(predict(nlp), "relations", ())
    assert found.correct.sum() >= 0.2 * found.gold.total()
    assert pipe.cfg["type_threshold"] == before["type_threshold"]
    assert pipe.cfg["relation_threshold"] > before["relation_threshold"]


def test_a_kind_that_cannot_be_calibrated_keeps_its_scores(nlp: Language) -> None:
    pipe = pipe_of(nlp)
    before = predict(nlp)

    def unrelated() -> list[Judged]:
        return [replace(x, relations_annotated=False) for x in predict(nlp)]

    entities, relations = calibrate(pipe, unrelated)
    assert not entities.reason and "no text that is annotated with relations" in relations.reason
    assert pipe.cfg["calibration"].keys() == {"entities"} and pipe.cfg["relation_threshold"] == 0.5
    scores = {x.score for text in before for x in text.predicted.relations}
    assert {x.score for text in predict(nlp) for x in text.predicted.relations} & scores
    with pytest.raises(
        SettingError, match=r"--recall is 0\.5 of relations, .* no text .*: use more"
    ) as error:
        calibrate(pipe, unrelated, (), {"relations": Target("recall", 0.5)})
    assert error.value.name == "--recall"


def test_too_few_candidates_are_an_error_and_nothing_changes(nlp: Language) -> None:
    pipe = pipe_of(nlp)
    before = pipe.cfg
    with pytest.raises(ValueError, match=r"nothing can be calibrated.*entities: has \d+ correct") as error:
        calibrate(pipe, lambda: predict(nlp, demo_texts(2)))
    assert f"expected at least {LEAST} of each" in str(error.value) and "Use more" in str(error.value)
    assert pipe.cfg is before


def test_candidates_have_the_lowest_scores_that_are_asked_for(nlp: Language) -> None:
    pipe = pipe_of(nlp)
    seen = []

    def noted() -> list[Judged]:
        seen.append(pipe.decoding)
        return predict(nlp)

    calibrate(pipe, noted)
    first, second = seen
    assert first.type_threshold == second.relation_threshold == FLOOR
    assert second.type_threshold == pipe.cfg["type_threshold"], "relations join what will be emitted"


def test_what_learns_is_not_calibrated_any_more(nlp: Language, caplog: pytest.LogCaptureFixture) -> None:
    pipe = pipe_of(nlp)
    calibrate(pipe, lambda: predict(nlp))
    examples = make_examples(nlp, demo_texts(4))
    nlp.update(examples)
    assert pipe.cfg["calibration"] is None and pipe.decoding.type_threshold == 0.5
    nlp.update(examples)
    (said,) = (x.getMessage() for x in caplog.records if "calibrated" in x.getMessage())
    assert "[bispn] learns and is not calibrated any more" in said and "spacy bispn calibrate" in said


def test_thresholds_of_unknown_labels_are_refused(tmp_path: Path) -> None:
    for name, kind in (("entity_thresholds", "entity"), ("relation_thresholds", "relation")):
        words = rf"{name} is \['NONE'\], expected {kind} labels of .*: correct"
        with pytest.raises(SettingError, match=words):
            initialize(make_nlp(tiny(**{name: {"NONE": 0.5}})), demo_texts(2))
    new = make_nlp(tiny())
    initialize(new, demo_texts(2))
    new.to_disk(tmp_path / "new")
    for name in ("entity_thresholds", "relation_thresholds"):
        with pytest.raises(SettingError, match=rf"{name} is \['NONE'\], expected"):
            spacy.load(tmp_path / "new", config={"components": {"bispn": {name: {"NONE": 0.5}}}})


def test_thresholds_of_labels_are_saved_and_given_in_the_config(tmp_path: Path) -> None:
    nlp = make_nlp(tiny())
    initialize(nlp, demo_texts(2))
    nlp.to_disk(tmp_path / "new")
    config = {"components": {"bispn": {"entity_thresholds": {"PROTEIN": 0.9}}}}
    changed = spacy.load(tmp_path / "new", config=config)
    changed.to_disk(tmp_path / "changed")
    for one in (changed, spacy.load(tmp_path / "changed")):
        assert pipe_of(one).decoding.entity_thresholds == {"PROTEIN": 0.9}


def test_expit_is_what_scales_use() -> None:
    found = Scale(2.0, -1.0)
    values = np.array([0.2, 0.5, 0.8])
    expected = expit(2 * np.log(values / (1 - values)) - 1)
    assert [found(x) for x in values] == pytest.approx(expected.tolist())
    assert cuts(items([[]])).thresholds.size == 0

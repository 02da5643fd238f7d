"""`spacy bispn calibrate`, and what `evaluate` says of scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from kept import KEPT
from pipelines import PUNCTUATION, make_text, pipe_of
from samples import Run
from test_calibration import dev_texts

from spacy_bispn.corpus import to_docbin
from spacy_bispn.records import AnnotatedText


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A small trained pipeline, saved by an earlier version."""
    return shutil.copytree(KEPT / "0.1.0" / "model", tmp_path / "model")


def write(path: Path, texts: list[AnnotatedText]) -> Path:
    to_docbin(spacy.blank("en", config=PUNCTUATION), texts)[0].to_disk(path)
    return path


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    return write(tmp_path / "dev.spacy", dev_texts())


def squeezed(text: str) -> str:
    return " ".join(text.split())


def cfg_of(model: Path) -> dict[str, Any]:
    return pipe_of(spacy.load(model)).cfg


def test_a_pipeline_is_calibrated_in_its_place_or_in_another(run: Run, trained: Path, dev: Path) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    output = trained.parent / "new" / "calibrated"
    shown = squeezed(run("calibrate", trained, dev, output).output)
    assert cfg_of(trained)["calibration"] is None and cfg_of(output)["calibration"].keys() == {
        "entities", "relations",
    }  # fmt: skip
    assert f"Calibrated: {output}" in shown and "entities before 0.500" in shown
    threshold = cfg_of(output)["relation_threshold"]
    assert f"one threshold, {threshold:.3f}, for the best F1" in shown
    assert "relations, gold labels that the component does not know, counted as missed: " in shown
    assert "CAUSES (" in shown
    run("calibrate", trained, dev)
    assert cfg_of(trained) == cfg_of(output)
    changed = [path.name for path, content in before.items() if path.read_bytes() != content]
    assert changed == ["bispn.safetensors"]
    assert "expected the name of a .spacy file, or of a new or empty folder" in squeezed(
        run("calibrate", trained, dev, output, code=1).output
    )


def test_a_target_for_one_kind(run: Run, trained: Path, dev: Path) -> None:
    shown = squeezed(run("calibrate", trained, dev, "--precision", 0.8, "--kind", "entities").output)
    assert "for a precision of 0.8" in shown and "for the best F1" in shown
    assert "entities, thresholds of their own, as they would miss the target: PROTEIN 0." in shown
    assert "entities, too few items for a scale of their own: CELL" in shown
    assert "entities, cannot reach the target: COMPLEX at most 0." in shown
    cfg = cfg_of(trained)
    assert cfg["entity_thresholds"].keys() == {"PROTEIN"} and cfg["relation_thresholds"] == {}


def test_a_target_out_of_reach_changes_nothing(run: Run, trained: Path, dev: Path) -> None:
    shown = squeezed(run("calibrate", trained, dev, "--recall", 0.99, code=1).output)
    assert "--recall is 0.99, expected at most 0." in shown and "choose a lower one" in shown
    assert cfg_of(trained)["calibration"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--kind", "words"), ["--kind is 'words'", "expected entities or relations", "leave it out"]),
        (("--kind", "entities"), ["--kind is 'entities'", "--precision or --recall beside it", "add one"]),
        (("--recall", 2), ["--recall is 2.0", "above 0, at most 1", "0.9 is usual"]),
        (("--recall", 0.5, "--precision", 0.5), ["beside --recall 0.5", "one of the two", "leave one"]),
    ],
)
def test_options_that_make_no_sense(
    run: Run, trained: Path, dev: Path, options: tuple[object, ...], words: list[str]
) -> None:
    shown = squeezed(run("calibrate", trained, dev, *options, code=1).output)
    assert all(word in shown for word in words), shown


def test_what_cannot_be_calibrated_is_an_error(run: Run, trained: Path, tmp_path: Path) -> None:
    few = write(tmp_path / "few.spacy", dev_texts()[:3])
    shown = squeezed(run("calibrate", trained, few, code=1).output)
    assert "nothing can be calibrated" in shown and "entities: has" in shown and "Use more" in shown
    foreign = [make_text("Tem2 binds Dal92.", [("Tem2", "X"), ("Dal92", "Y")], [(0, 1, "Z")])] * 30
    shown = squeezed(run("calibrate", trained, write(tmp_path / "foreign.spacy", foreign), code=1).output)
    assert "has 0 correct and" in shown
    shown = squeezed(run("calibrate", trained, write(tmp_path / "none.spacy", []), code=1).output)
    assert "found no texts, expected some" in shown and "check that" in shown


def test_pipelines_without_the_component(run: Run, dev: Path, tmp_path: Path) -> None:
    other = spacy.blank("en")
    other.add_pipe("sentencizer")
    other.to_disk(tmp_path / "other")
    shown = squeezed(run("calibrate", tmp_path / "other", dev, code=1).output)
    assert "expected a pipeline with a component bispn, not only sentencizer: " in shown
    shown = squeezed(run("calibrate", "a_package", dev, code=1).output)
    assert "MODEL is 'a_package', expected a folder, as an installed package" in shown
    assert "name a folder for the output" in shown


def test_gold_without_relations_leaves_their_scores(run: Run, trained: Path, tmp_path: Path) -> None:
    docbin = to_docbin(spacy.blank("en", config=PUNCTUATION), dev_texts())[0]
    docs = list(docbin.get_docs(spacy.blank("en").vocab))
    for doc in docs:
        doc.set_ents([span for span in doc.ents])
        del doc.spans["bispn"], doc.spans["bispn-relations"]
    spacy.tokens.DocBin(docs=docs).to_disk(tmp_path / "entities.spacy")
    shown = squeezed(run("calibrate", trained, tmp_path / "entities.spacy").output)
    assert "relations: not calibrated, has no text that is annotated with relations" in shown
    assert cfg_of(trained)["calibration"].keys() == {"entities"}


def test_evaluate_reports_scores_as_probabilities(run: Run, trained: Path, dev: Path) -> None:
    page, output = trained.parent / "page.html", trained.parent / "report.json"
    run("calibrate", trained, dev, "--recall", 0.5, "--kind", "entities")
    shown = run("evaluate", trained, dev, "--page", page, "--output", output, "--samples", 20).output
    report = json.loads(output.read_text("utf-8"))
    for kind in ("entities", "relations"):
        found, curve = report["calibration"][kind], report["precision_recall"][kind]
        low, high = found["ece_interval"]
        assert low <= found["ece"] <= high and found["ece"] < 0.1
        line = f"{found['ece']:.3f} {low:.3f}–{high:.3f} {found['brier']:.3f}"
        assert line in squeezed(shown) and line in squeezed(shown)
        scores = report["scores"]["strict"][kind]
        assert curve["now"] == {ratio: pytest.approx(scores[ratio]) for ratio in "prf"}
        assert any(
            (point["p"], point["r"]) == pytest.approx((scores["p"], scores["r"]), abs=0.02)
            for point in curve["points"]
        ), "with one threshold for all labels the pipeline lies on its curve"
        assert max(point["r"] for point in curve["points"]) >= scores["r"]
    assert page.read_text("utf-8").count('<svg class="chart"') == 4

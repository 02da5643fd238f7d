"""How long a training takes: steps counted, a tiny training timed, and what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import demo_texts, make_nlp, tiny
from samples import Run
from spacy import util
from thinc.api import Config

from spacy_bispn.cli import training_time
from spacy_bispn.cli.training_time import (
    TrainingTime,
    Trial,
    all_queries,
    count_steps,
    in_words,
    show_time,
    time_training,
)
from spacy_bispn.corpus import to_docbin
from spacy_bispn.diagnosis.levels import LevelComparison

TIME = TrainingTime("the CPU (1 thread)", 2.0, 0.1, 300, 30.0, 60.0, 1500.0)


def test_a_time_is_said_with_steps_and_memory() -> None:
    said = str(TIME)
    for part in (
        "about 11 minutes",
        "30 epochs, 300 steps",
        "2 s a step on the CPU",
        "1.5 GB",
        "60 seconds for",
    ):
        assert part in said
    assert TIME.as_json()["total"] == 660
    endless = TrainingTime("the GPU (A)", 2.0, 0.1, None, None, 0.0, None)
    assert endless.total is None and "end is not known" in str(endless) and "GB" not in str(endless)
    assert not list(endless.savings())


def test_what_is_long_is_named() -> None:
    epochs, gpu = TIME.savings()
    assert epochs == "--training.max_epochs 15: about 5.5 minutes; scores may be lower" and "--gpu-id" in gpu
    updates = TrainingTime("the GPU (A)", 2.0, 1.0, 300, 1.0, 60.0, None)
    (batch,) = updates.savings()
    assert batch.startswith("--training.batcher.size: 50% of a step")


@pytest.mark.parametrize(
    ("limits", "steps"),
    [((10, 0, 7), 70), ((0, 50, 7), 50), ((10, 50, 7), 50), ((10, 99, 7), 70), ((0, 0, 7), None)],
)
def test_the_steps_of_a_training(limits: tuple[int, int, int], steps: int | None) -> None:
    assert count_steps(*limits) == steps


def test_durations() -> None:
    said = [in_words(seconds) for seconds in (0.4, 90, 150, 6000, 7300, 90000)]
    assert said == ["0 seconds", "90 seconds", "2.5 minutes", "100 minutes", "2 hours", "25 hours"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A whole config of a tiny network, and its corpus."""
    folder = tmp_path_factory.mktemp("time")
    to_docbin(spacy.blank("en"), demo_texts(12))[0].to_disk(folder / "train.spacy")
    readers = {
        part: {"@readers": "spacy-bispn.Corpus.v1", "path": str(folder / "train.spacy")}
        for part in ("train", "dev")
    }
    base = {
        "nlp": {"lang": "en", "pipeline": ["bispn"]},
        "components": {"bispn": {"factory": "bispn", **tiny({})}},
        "corpora": readers,
        "training": {
            "max_epochs": 6, "max_steps": 0, "eval_frequency": 3,
            "optimizer": {"@optimizers": "spacy-bispn.AdamW.v1"},
            "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 4},
        },
    }  # fmt: skip
    filled: Config = util.load_model_from_config(Config(base), auto_fill=True).config
    return filled


def test_a_tiny_training_is_timed(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    time = show_time(config, has_dev=True, levels=LevelComparison())
    assert time is not None
    assert (time.steps, time.epochs) == (18, 6.0) and "CPU" in time.device
    assert time.step > time.update > 0 and time.evaluations > 0 and time.total is not None
    assert time.total == pytest.approx(18 * time.step + time.evaluations)
    said = " ".join(capsys.readouterr().out.split())
    assert "Training: about" in said and "shorter: --training.max_epochs 3" in said


def test_it_is_bounded(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sizes = [0.0], list[int]()
    learn = Trial.learn

    def slow(self: Trial, examples: Any) -> tuple[float, float]:
        learn(self, examples)
        sizes.append(len(examples))
        clock[0] += 2.0 * len(examples) + 1.0
        return 2.0 * len(examples), 1.0

    monkeypatch.setattr(Trial, "learn", slow)
    monkeypatch.setattr(training_time, "now", lambda: clock[0])
    time = time_training(config, has_dev=True, seconds=24)
    # after one text, which takes 3 seconds, two at once; and no step is begun after 24 seconds
    assert sizes[0] == 1 and set(sizes[1:]) == {2} and clock[0] <= 24 + 2 * 5
    assert time.update == 1.0
    assert time.step == pytest.approx(1.0 + 12 * 2.0 / 3, rel=0.2)  # 12 texts of 2 s in 3 batches


def test_a_training_that_cannot_begin_is_told(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    broken = config.copy()
    broken["components"]["bispn"]["model"]["entity_queries"] = 1
    assert show_time(broken, has_dev=True, levels=LevelComparison()) is None
    assert "No training step could be timed" in capsys.readouterr().out


def test_all_queries_are_proposed_for_a_moment() -> None:
    nlp = make_nlp(tiny({}))
    from pipelines import initialize, pipe_of

    initialize(nlp, demo_texts(2))
    network = pipe_of(nlp).shim.require()
    before = network.queries.floor  # type: ignore[union-attr]
    with all_queries(network, True):
        assert network.queries.floor == -float("inf")  # type: ignore[union-attr]
    with all_queries(network, False):
        assert network.queries.floor == before  # type: ignore[union-attr]
    assert network.queries.floor == before  # type: ignore[union-attr]


@pytest.mark.slow
def test_both_commands_time_unless_told_not_to(config: Config, run: Run, tmp_path: Path) -> None:
    corpus = config["corpora"]["train"]["path"]
    written = tmp_path / "config.cfg"
    said = " ".join(run("init-config", written, "--corpus", corpus).output.split())
    assert re.search(r"Training: about .* epochs, \d+ steps, .* s a step on the CPU", said)
    assert "Training:" not in run("init-config", written, "--corpus", corpus, "--no-timing", "-F").output
    config.to_disk(tmp_path / "tiny.cfg")
    report = tmp_path / "report.json"
    run("debug-data", tmp_path / "tiny.cfg", "--output", report)
    assert json.loads(report.read_text("utf8"))["time"]["steps"] == 18
    run("debug-data", tmp_path / "tiny.cfg", "--output", report, "--no-timing")
    assert json.loads(report.read_text("utf8"))["time"] is None

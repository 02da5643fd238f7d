"""A training replaces an earlier one once it is finished, and not before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import folders  # noqa: F401, which makes the scripts modules
import pytest
import spacy
import train as train_module
from pipelines import demo_texts
from thinc.api import Config
from train import time_left, train

from spacy_bispn.corpus import to_docbin
from spacy_bispn.training.state import FILE, State


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "model").write_text(content)
    return path


@pytest.mark.parametrize("killed", [True, False])
def test_a_training_that_is_killed_leaves_the_earlier_one(
    killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = folder(tmp_path / "demo", "earlier")
    folder(tmp_path / "demo.part", "of a training that was killed before")

    def spacy_train(command: list[str], check: bool) -> Any:
        assert command[:5] == [sys.executable, "-m", "spacy", "bispn", "train"]
        output = Path(command[command.index("--output") + 1])
        assert (output / "model").read_text() == "of a training that was killed before", "it goes on there"
        (output / "model").write_text("half" if killed else "whole")
        State({}, finished=True, seconds=90).save(output / FILE)
        assert command[command.index("--training.logger.output_file") + 1].startswith(str(output))
        if killed:
            raise subprocess.CalledProcessError(-9, command)

    monkeypatch.setattr(subprocess, "run", spacy_train)
    monkeypatch.setattr(train_module, "time_left", lambda *words, **overrides: {})
    monkeypatch.setattr(train_module, "this_run", lambda gpu: {"commit": "abc1234"})
    if killed:
        with pytest.raises(subprocess.CalledProcessError):
            train("demo.cfg", tmp_path, "", "-1", there)
    else:
        assert train("demo.cfg", tmp_path, "", "-1", there) == 1.5
    assert (there / "model").read_text() == ("earlier" if killed else "whole")
    assert (there / "run.json").exists() != killed


SETTINGS = {"max_epochs": 2, "max_steps": 0, "batcher": {"size": 8}, "logger": {"progress_bar": "eval"}}


@pytest.mark.parametrize(
    ("changed", "overrides", "steps"),
    [({}, {}, "6"), ({}, {"training.max_epochs": "5"}, "15"), ({"max_epochs": 0}, {}, None),
     ({"max_steps": 7}, {}, None), ({"batcher": {"size": {"@schedules": "compounding.v1"}}}, {}, None),
     ({"batcher": {}}, {}, None), ({"logger": {"project_name": "another"}}, {}, None)],
)  # fmt: skip
def test_progress_is_that_of_the_whole_training(
    changed: dict[str, Any], overrides: dict[str, str], steps: str | None, tmp_path: Path
) -> None:
    docbin, _ = to_docbin(spacy.blank("en"), demo_texts(17))
    docbin.to_disk(tmp_path / "train.spacy")
    Config({"training": SETTINGS | changed}).to_disk(tmp_path / "demo.cfg")
    bar = {"training.max_steps": steps, "training.logger.progress_bar": "train"} if steps else {}
    assert time_left(str(tmp_path / "demo.cfg"), tmp_path, **overrides) == bar

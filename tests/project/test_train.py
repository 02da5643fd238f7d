"""A training replaces an earlier one once it is finished, and not before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
import train as train_module
from folders import PROJECT
from pipelines import demo_texts
from spacy.util import load_model_from_config
from thinc.api import Config
from train import config_of, encoder_of, of_length, train

from spacy_bispn.corpus import to_docbin
from spacy_bispn.settings import SettingError
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
        assert command[command.index("--log") + 1] == str(output / "log.jsonl")
        if killed:
            raise subprocess.CalledProcessError(-9, command)

    monkeypatch.setattr(subprocess, "run", spacy_train)
    monkeypatch.setattr(train_module, "logging", lambda config, data, log, **overrides: {"log": str(log)})
    monkeypatch.setattr(train_module, "this_run", lambda gpu: {"commit": "abc1234"})
    if killed:
        with pytest.raises(subprocess.CalledProcessError):
            train("demo.cfg", tmp_path, "", -1, there)
    else:
        assert train("demo.cfg", tmp_path, "", -1, there) == 1.5
    assert (there / "model").read_text() == ("earlier" if killed else "whole")
    assert (there / "run.json").exists() != killed


def test_the_encoder_is_overridden_only_where_one_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def spacy_train(command: list[str], check: bool) -> None:
        commands.append(command)
        output = folder(Path(command[command.index("--output") + 1]), "whole")
        State({}, finished=True, seconds=90).save(output / FILE)

    monkeypatch.setattr(subprocess, "run", spacy_train)
    monkeypatch.setattr(train_module, "logging", lambda config, data, log, **overrides: {"log": str(log)})
    monkeypatch.setattr(train_module, "this_run", lambda gpu: {})
    config = tmp_path / "own.cfg"
    Config({"paths": {"encoder": "OWN"}}).to_disk(config)
    for encoder in ("", "OTHER"):
        train(str(config), tmp_path, encoder, -1, tmp_path / "demo")
    own, other = commands
    assert "--paths.encoder" not in own
    assert other[other.index("--paths.encoder") + 1] == "OTHER"


def test_an_encoder_that_the_config_does_not_use_is_refused(tmp_path: Path) -> None:
    Config({"paths": {"train": None}}).to_disk(tmp_path / "random.cfg")
    assert encoder_of(str(tmp_path / "random.cfg")) == ""
    with pytest.raises(
        SettingError,
        match=r"--vars.encoder is 'OTHER', expected nothing, as .*random.cfg has no paths.encoder: leave it",
    ):
        encoder_of(str(tmp_path / "random.cfg"), "OTHER")
    for name in ("demo", "text2dt"):
        assert encoder_of(str(PROJECT / "configs" / f"{name}.cfg")) == ""


@pytest.mark.parametrize(("epochs", "frozen"), [(70, None), (7, "0.5"), ("5", "0.357143"), (140, "10")])
def test_the_epochs_with_a_frozen_encoder_are_a_share_of_all(epochs: int | str, frozen: str | None) -> None:
    wanted = {"training.max_epochs": str(epochs)}
    if frozen is not None:
        wanted["components.bispn.frozen_epochs"] = frozen
    assert of_length(str(PROJECT / "configs" / "paper_ade.cfg"), epochs) == wanted


def test_a_config_without_frozen_epochs_gets_none() -> None:
    assert of_length(str(PROJECT / "configs" / "ade.cfg"), 99) == {"training.max_epochs": "99"}


SETTINGS = {"max_epochs": 2, "max_steps": 0, "batcher": {"size": 8}}
EVAL, TRAIN, NONE = (
    {"@loggers": "spacy.ConsoleLogger.v3", "progress_bar": bar} for bar in ("eval", "train", None)
)


@pytest.mark.parametrize(
    ("changed", "overrides", "steps"),
    [({}, {}, "6"), ({}, {"training.max_epochs": "5"}, "15"), ({"max_epochs": 0}, {}, None),
     ({"max_steps": 7}, {}, None), ({"batcher": {"size": {"@schedules": "compounding.v1"}}}, {}, None),
     ({"batcher": {}}, {}, None)],
)  # fmt: skip
def test_progress_is_that_of_the_whole_training(
    changed: dict[str, Any], overrides: dict[str, str], steps: str | None, tmp_path: Path
) -> None:
    given = overrides_of(tmp_path, changed, overrides)
    logger = {**(TRAIN if steps else EVAL), "output_file": "log.jsonl"}
    assert json.loads(given.pop("training.logger")) == logger
    assert given == ({"training.max_steps": steps} if steps else {})


@pytest.mark.parametrize(
    ("own", "expected"),
    [(NONE, {**TRAIN, "max_steps": "6"}), ({"project_name": "another"}, {"project_name": "another"})],
)
def test_a_logger_of_the_config_is_kept(
    own: dict[str, Any], expected: dict[str, str], tmp_path: Path
) -> None:
    given = overrides_of(tmp_path, {"logger": own}, {})
    expected = {**expected, "output_file": "log.jsonl"}
    steps = {"training.max_steps": expected.pop("max_steps")} if "max_steps" in expected else {}
    assert given == {**steps, **{f"training.logger.{key}": value for key, value in expected.items()}}


def overrides_of(folder: Path, changed: dict[str, Any], overrides: dict[str, str]) -> dict[str, str]:
    """The overrides for a training on 17 texts."""
    docbin, _ = to_docbin(spacy.blank("en"), demo_texts(17))
    docbin.to_disk(folder / "train.spacy")
    Config({"training": SETTINGS | changed}).to_disk(folder / "demo.cfg")
    return train_module.logging(str(folder / "demo.cfg"), folder, Path("log.jsonl"), **overrides)


def test_random_weights_stand_in_for_an_encoder_that_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "TRAINING", tmp_path)
    published = str(PROJECT / "configs" / "paper_text2dt.cfg")
    assert config_of("text2dt", "", "") == ("configs/text2dt.cfg", "")
    assert config_of("text2dt", published, "OTHER") == (published, "OTHER")
    file, encoder = config_of("text2dt", published, "random")
    assert encoder == encoder_of(file) == "", "the rows of tables say random weights"
    assert Path(file).name == "paper_text2dt.cfg", "studies are named after it"
    written, own = (Config().from_disk(name, interpolate=False) for name in (file, published))
    nlp = load_model_from_config(written, auto_fill=True)
    filled = nlp.config["components"]["bispn"]
    assert filled["model"]["encoder"]["@misc"] == "spacy-bispn.RandomEncoder.v1"
    assert filled["frozen_epochs"] == 0, "frozen random weights learn nothing"
    assert written["training"]["optimizer"]["encoder_rate"] > own["training"]["optimizer"]["encoder_rate"]
    for block in ("model", "objective"):
        assert {k: v for k, v in written["components"]["bispn"][block].items() if k != "encoder"} == {
            k: v for k, v in own["components"]["bispn"][block].items() if k != "encoder"
        }, "the form is the paper's"

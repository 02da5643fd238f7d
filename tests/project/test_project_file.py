"""project.yml as spaCy reads it: workflows of the paper's experiments, and what their variables change."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from folders import PROJECT
from weasel.util import load_project_config

TRAINED = ("biorelex", "ade", "text2dt", "scierc", "ace05")
LOOKED_AT = ("ablation", "density", "speed", "attention", "cases", "decoding", "long")
TIMED = ("bench", "trade")


@pytest.fixture
def project(tmp_path: Path) -> Any:
    """The project with some variables changed; reading it makes its folders."""
    (tmp_path / "project.yml").write_text((PROJECT / "project.yml").read_text("utf8"), "utf8")

    def load(**variables: Any) -> dict[str, Any]:
        overrides = {f"vars.{name}": value for name, value in variables.items()}
        found: dict[str, Any] = load_project_config(tmp_path, overrides=overrides)
        return found

    return load


def commands(project: dict[str, Any], workflow: str) -> list[list[str]]:
    """The words of all commands of a workflow."""
    scripts = {command["name"]: command["script"] for command in project["commands"]}
    return [shlex.split(line) for name in project["workflows"][workflow] for line in scripts[name]]


@pytest.mark.parametrize("name", [*TRAINED, *LOOKED_AT, *TIMED])
def test_every_experiment_is_a_workflow_that_ends_with_its_tables(project: Any, name: str) -> None:
    steps = commands(project(corpus="biorelex"), name)
    corpus = name if name in TRAINED else "biorelex"
    page = "performance" if name in TIMED else "results"
    assert steps[-1] == ["python", "scripts/results.py", f"../docs/{page}.md", corpus]
    for _, script, *_ in steps:
        assert script == "-m" or (PROJECT / script).is_file()


def test_variables_shrink_a_run(project: Any) -> None:
    small = project(epochs=1, seeds="1,2", folds=0, encoder="ENCODER", gpu=0)
    train, _ = commands(small, "biorelex")
    said = dict(zip(train[6::2], train[7::2], strict=True))
    assert train[1:6] == ["scripts/runs.py", "biorelex", "assets", "", "ENCODER"]
    assert said == {"--gpu": "0", "--epochs": "1", "--seeds": "1,2", "--protocol": "held-out"}
    assert commands(small, "ade")[0][-4:-2] == ["--folds", "0"]


def test_without_variables_runs_are_as_long_as_their_configs_say(project: Any) -> None:
    train, vote, _ = commands(project(), "text2dt")
    assert train[train.index("--epochs") + 1] == train[train.index("--seeds") + 1] == ""
    assert vote[1:3] == ["scripts/ensemble.py", "text2dt"]


def test_the_model_that_is_looked_at_is_that_of_the_corpus_or_another(project: Any) -> None:
    usual, other = project(corpus="ade"), project(corpus="ade", model="ONE", models="ONE,OTHER")
    for name in ("density", "speed", *TIMED):
        assert "training/ade/model-best" in commands(usual, name)[0]
        assert "ONE/model-best" in commands(other, name)[0]
    for name in ("attention", "cases"):
        assert "training/ade" in commands(usual, name)[0]
        assert "ONE,OTHER" in commands(other, name)[0]


def test_every_file_that_a_command_names_is_one_file(project: Any) -> None:
    # spaCy joins two neighbours of a list that are nothing but variables
    for command in project(corpus="ade")["commands"]:
        for file in (*command.get("deps", ()), *command.get("outputs", ())):
            assert ", " not in file, command["name"]

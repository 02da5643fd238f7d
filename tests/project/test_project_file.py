"""project.yml as spaCy reads it: the workflows, and what their variables change."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from folders import PROJECT
from weasel.util import load_project_config

TRAINED = ("biorelex", "ade", "text2dt", "scierc", "ace05")
EXAMINED = (
    "ablation", "density", "statistics", "speed", "attention", "cases", "decoding", "subsets", "long",
)  # fmt: skip
TIMED = ("bench", "trade", "size")


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
    """The words of all command lines of a workflow or command."""
    scripts = {command["name"]: command["script"] for command in project["commands"]}
    names = project["workflows"].get(workflow, [workflow])  # "size" is a single command
    return [shlex.split(line) for name in names for line in scripts[name]]


@pytest.mark.parametrize("name", [*TRAINED, *EXAMINED, *TIMED])
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
    options = dict(zip(train[6::2], train[7::2], strict=True))
    assert train[1:6] == ["scripts/runs.py", "biorelex", "assets", "", "ENCODER"]
    assert options == {"--gpu": "0", "--epochs": "1", "--seeds": "1,2", "--protocol": "held-out"}
    assert commands(small, "ade")[0][-4:-2] == ["--folds", "0"]


def test_the_encoder_is_that_of_the_config_unless_another_is_named(project: Any) -> None:
    for name in (*TRAINED, "all", "ablation", "density"):
        for script in ("runs.py", "train.py", "ablation.py", "density.py"):
            for words in commands(project(corpus="ade"), name):
                if words[1] == f"scripts/{script}":
                    assert words[words.index("") + 1] == "", "neither another config nor another encoder"


def test_without_variables_runs_are_as_long_as_their_configs_say(project: Any) -> None:
    train, vote, _ = commands(project(), "text2dt")
    assert train[train.index("--epochs") + 1] == train[train.index("--seeds") + 1] == ""
    assert vote[1:3] == ["scripts/ensemble.py", "text2dt"]


def test_the_examined_model_is_that_of_the_corpus_or_another(project: Any) -> None:
    default, other = project(corpus="ade"), project(corpus="ade", model="ONE", models="ONE,OTHER")
    for name in ("subsets", "speed", "bench", "trade"):
        assert "training/ade/model-best" in commands(default, name)[0]
        assert "ONE/model-best" in commands(other, name)[0]
    for name in ("attention", "cases"):
        assert "training/ade" in commands(default, name)[0]
        assert "ONE,OTHER" in commands(other, name)[0]


def test_every_file_that_a_command_names_is_one_file(project: Any) -> None:
    # spaCy joins two neighbours of a list that are nothing but variables
    for command in project(corpus="ade")["commands"]:
        for file in (*command.get("deps", ()), *command.get("outputs", ())):
            assert ", " not in file, command["name"]


def test_all_figures_of_a_model_are_one_workflow(project: Any) -> None:
    steps = commands(project(corpus="ade"), "figures")
    made = {step[1] for step in steps}
    single = ("decoding", "long", "subsets", "bench", "trade", "all")
    wanted = {step[1] for name in single for step in commands(project(corpus="ade"), name)}
    assert made == wanted - {"-m"}
    assert [step[2] for step in steps[-2:]] == ["../docs/results.md", "../docs/performance.md"]


def test_a_measurement_is_never_skipped_because_one_was_made_before(project: Any) -> None:
    timed = {"measure", "trade-offs", "size"}
    found = {command["name"] for command in project()["commands"] if not command.get("outputs")}
    assert timed <= found  # spaCy skips commands whose outputs are there, even if the package has changed

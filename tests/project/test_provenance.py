"""What the metrics record about their run: commit, date, machine and command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import folders  # noqa: F401, which makes the scripts modules
import provenance
import pytest
import srsly
from provenance import current_commit, describe_command, metrics_file, this_run, write_metrics
from thinc.api import Config


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit."""
    repository = tmp_path.resolve() / "checkout"
    for name in ("docs", "project"):
        (repository / name).mkdir(parents=True)
        (repository / name / "file").write_text("first")
    git(repository, "init")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "first")
    return repository


def test_the_commit_of_a_checkout(checkout: Path) -> None:
    assert current_commit(checkout) == git(checkout, "rev-parse", "--short", "HEAD")


@pytest.mark.parametrize(("name", "mark"), [("project/file", "+"), ("project/new", "+"), ("docs/file", "")])
def test_changes_outside_the_docs_are_marked(name: str, mark: str, checkout: Path) -> None:
    (checkout / name).write_text("second")
    assert current_commit(checkout) == git(checkout, "rev-parse", "--short", "HEAD") + mark


def test_there_is_no_commit_outside_a_checkout_of_the_project(checkout: Path, tmp_path: Path) -> None:
    assert current_commit(tmp_path.resolve()) is None
    assert current_commit(checkout / "project") is None, "a copy in the repository of another project"


def test_there_is_no_commit_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert current_commit(checkout) is None


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["biorelex", "--gpu", "-1"], "biorelex --gpu -1"),
        (["/home/me/corpora", "../elsewhere/encoder"], "corpora encoder"),
        (["training/a,/home/me/b"], "training/a,b"),
        (["biorelex", "", "encoder", "--epochs", "", "--seeds", "1,2"], "biorelex '' encoder --seeds 1,2"),
        (["A, and B binds C."], "'A, and B binds C.'"),
    ],
)
def test_the_command_names_no_folder_outside_the_project(arguments: list[str], shown: str) -> None:
    command = describe_command(["/home/me/project/scripts/runs.py", *arguments])
    assert command == f"python scripts/runs.py {shown}"


def test_a_run(workspace: Path) -> None:
    run = this_run()
    assert set(run) == {"commit", "date", "machine", "command"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", run["date"])
    assert re.fullmatch(r".+, \d+ threads?, torch \d.+", run["machine"])
    models = this_run(-1, workspace / "model-best")["models"]
    nothing = dict.fromkeys(("commit", "date", "encoder", "epochs"))
    assert models == [nothing], "the training recorded no run"
    (workspace / "model-best").mkdir()
    for encoder, shown in (("folder/ENCODER", "ENCODER"), (None, "random weights")):
        config = Config({"paths": {"encoder": encoder}, "training": {"max_epochs": 3}})
        config.to_disk(workspace / "model-best/config.cfg")
        (model,) = this_run(-1, workspace / "model-best")["models"]
        assert model == {**nothing, "encoder": shown, "epochs": 3}


def test_the_machine_of_a_run_on_a_gpu_is_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance.torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    assert provenance.describe_machine(1).startswith("GPU 1, torch")


def test_figures_keep_their_run(workspace: Path) -> None:
    file = metrics_file("demo", "bench", 0)
    write_metrics(file, {"texts": 3}, {"commit": "abc1234"})
    assert srsly.read_json(workspace / "metrics/demo_bench_gpu.json") == {
        "run": {"commit": "abc1234"}, "texts": 3,
    }  # fmt: skip
    again = srsly.read_json(file)
    write_metrics(file, again, {"commit": "def5678"})
    assert srsly.read_json(file)["run"] == {"commit": "def5678"}
